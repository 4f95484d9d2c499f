//! The endpoints of the API as names: what usage, charts and logs call them, and in which dialect each answers. The
//! closed table from method and path to endpoint is `gateway::endpoints`.

use serde::{Deserialize, Serialize};

/// Which client family understands the answer, errors included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    Ollama,
    OpenAi,
    Anthropic,
}

/// Who may reach an endpoint, as the Settings page lists them. What is done with each is `gateway`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Inference,
    Catalogue,
    Management,
    /// Answered by the gateway alone.
    Own,
    /// Refused to every key.
    Never,
}

macro_rules! endpoints {
    ($($code:literal $name:ident $dialect:ident $path:literal)*) => {
        /// One API endpoint. The discriminant is stored in usage segments: numbers are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Endpoint {
            $($name = $code,)*
        }

        impl Endpoint {
            /// Every endpoint, in stored order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The path, as people know it.
            pub fn path(self) -> &'static str {
                match self { $(Self::$name => $path,)* }
            }

            /// The dialect it speaks.
            pub fn dialect(self) -> Dialect {
                match self { $(Self::$name => Dialect::$dialect,)* }
            }

            /// From its stored number.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

endpoints! {
    0 Root Ollama "/"
    1 Version Ollama "/api/version"
    2 Status Ollama "/api/status"
    3 Tags Ollama "/api/tags"
    4 Ps Ollama "/api/ps"
    5 Show Ollama "/api/show"
    6 Generate Ollama "/api/generate"
    7 Chat Ollama "/api/chat"
    8 Embed Ollama "/api/embed"
    9 Embeddings Ollama "/api/embeddings"
    10 Pull Ollama "/api/pull"
    11 Push Ollama "/api/push"
    12 Create Ollama "/api/create"
    13 Delete Ollama "/api/delete"
    14 Copy Ollama "/api/copy"
    15 Blobs Ollama "/api/blobs"
    16 Account Ollama "/api/me"
    17 Web Ollama "/api/experimental"
    18 Recommendations Ollama "/api/experimental/model-recommendations"
    19 OpenAiChat OpenAi "/v1/chat/completions"
    20 OpenAiCompletions OpenAi "/v1/completions"
    21 OpenAiEmbeddings OpenAi "/v1/embeddings"
    22 OpenAiModels OpenAi "/v1/models"
    23 OpenAiModel OpenAi "/v1/models/{model}"
    24 OpenAiResponses OpenAi "/v1/responses"
    25 AnthropicMessages Anthropic "/v1/messages"
    26 OpenAiTranscriptions OpenAi "/v1/audio/transcriptions"
    27 Queue Ollama "/fortress/v1/queue"
}

impl Endpoint {
    pub fn group(self) -> Group {
        match self {
            Self::Root | Self::Status | Self::Recommendations | Self::Queue => Group::Own,
            Self::Version | Self::Tags | Self::Ps | Self::OpenAiModels | Self::OpenAiModel => Group::Catalogue,
            Self::Pull | Self::Push | Self::Create | Self::Delete | Self::Copy | Self::Blobs => Group::Management,
            Self::Account | Self::Web => Group::Never,
            Self::Show
            | Self::Generate
            | Self::Chat
            | Self::Embed
            | Self::Embeddings
            | Self::OpenAiChat
            | Self::OpenAiCompletions
            | Self::OpenAiEmbeddings
            | Self::OpenAiResponses
            | Self::AnthropicMessages
            | Self::OpenAiTranscriptions => Group::Inference,
        }
    }
}
