//! Why a request was not answered by a backend: one enum with its status, stable code and source. How each is written for
//! the caller's client family is `wire`'s business.

use domain::{limit::RateLimit, usage::Outcome};
use http::StatusCode;

use crate::policy::Exceeded;

/// Who is at fault. Only upstream errors speak against a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Client,
    Gateway,
    Upstream,
}

/// A request that ends with an answer of the gateway's own. Messages are what the client reads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("404 page not found")]
    UnknownPath,
    #[error("405 method not allowed")]
    WrongMethod { allow: &'static str },
    #[error("an API key is required, sent as `Authorization: Bearer op_...`")]
    MissingKey,
    /// Malformed, unknown, wrong, disabled and revoked keys alike: the answer must not tell which.
    #[error("invalid API key")]
    InvalidKey,
    #[error("too many invalid API keys from this address, try again later")]
    TooManyFailures { retry_after: u64 },
    #[error("two different credentials were sent, send only one")]
    TwoCredentials,
    #[error("an API key must not be sent in the URL, send it as `Authorization: Bearer op_...`")]
    KeyInQuery,
    #[error("this API key may not manage models")]
    Management,
    #[error("account and web endpoints of ollama.com are not available through this gateway")]
    Account,
    #[error("rate limit exceeded: {limit}, try again in {retry_after} s")]
    Limited { limit: RateLimit, retry_after: u64, close: bool },
    #[error("{0}")]
    Exceeded(Exceeded),
    #[error("this API key may not be used from this address")]
    Address,
    #[error("this kind of endpoint is turned off on this gateway")]
    Class,
    #[error("this API key may not use this model")]
    ModelForbidden,
    #[error("request body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("a request body with this content encoding is not supported, send it uncompressed or as zstd")]
    Encoding,
    #[error("a blob with a content encoding is not supported, send its bytes as they are: its digest is of those")]
    BlobEncoding,
    #[error("the request body did not arrive in time")]
    BodyTimeout,
    #[error("the request body broke off")]
    BodyBroken,
    #[error("too many large requests are being read, try again in a moment")]
    Crowded,
    #[error("the gateway is short of memory, try again in a moment")]
    Memory,
    #[error("{0}")]
    BadRequest(String),
    /// The names match no model of the fleet, or none was given where Ollama answers so.
    #[error("{0}")]
    UnknownModel(String),
    #[error("model is required")]
    MissingModel,
    #[error("cloud models are not available through this gateway")]
    CloudModel,
    #[error("no backend that has this model is available, try again in a moment")]
    NoBackend,
    #[error("all backends that have this model are busy and the queue is full, try again later")]
    QueueFull { retry_after: u64 },
    #[error("all backends that have this model were busy for too long, try again later")]
    QueueTimeout { retry_after: u64 },
    #[error("no backend that has this model can be reached, try again in a moment")]
    Unreachable,
    #[error("the backend closed the connection before it answered")]
    BackendClosed,
    #[error("the backend did not begin to answer in time")]
    FirstByteTimeout,
    #[error("the backend's answer could not be understood")]
    BackendMalformed,
    #[error("the backend refused the gateway's credentials")]
    BackendCredentials,
    #[error("{}", domain::playground::SESSION_ENDED)]
    SessionEnded,
    #[error("the gateway is shutting down")]
    ShutDown,
    #[error("this request has passed this gateway before: one of its backends leads back to it")]
    Loop,
}

impl Error {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownPath | Self::UnknownModel(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MissingKey | Self::InvalidKey | Self::SessionEnded => StatusCode::UNAUTHORIZED,
            Self::TooManyFailures { .. } | Self::Limited { .. } | Self::Exceeded(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TwoCredentials | Self::KeyInQuery | Self::BodyBroken | Self::BadRequest(_) | Self::MissingModel => {
                StatusCode::BAD_REQUEST
            }
            Self::Management
            | Self::Account
            | Self::CloudModel
            | Self::Address
            | Self::Class
            | Self::ModelForbidden => StatusCode::FORBIDDEN,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding | Self::BlobEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Crowded
            | Self::Memory
            | Self::NoBackend
            | Self::QueueFull { .. }
            | Self::QueueTimeout { .. }
            | Self::Unreachable
            | Self::ShutDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::BackendClosed | Self::BackendMalformed | Self::BackendCredentials => StatusCode::BAD_GATEWAY,
            Self::FirstByteTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Loop => StatusCode::LOOP_DETECTED,
        }
    }

    /// A stable name of low cardinality, for logs, metrics and the OpenAI body.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown_path",
            Self::WrongMethod { .. } => "wrong_method",
            Self::MissingKey => "missing_api_key",
            Self::InvalidKey => "invalid_api_key",
            Self::TooManyFailures { .. } => "too_many_failures",
            Self::TwoCredentials => "two_credentials",
            Self::KeyInQuery => "key_in_query",
            Self::Management => "management_forbidden",
            Self::Account => "account_forbidden",
            Self::Limited { .. } => "rate_limit_exceeded",
            Self::Exceeded(exceeded) => exceeded.code(),
            Self::Address => "address_forbidden",
            Self::Class => "class_forbidden",
            Self::ModelForbidden => "model_forbidden",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Encoding | Self::BlobEncoding => "unsupported_encoding",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::Crowded => "crowded",
            Self::Memory => "memory",
            Self::BadRequest(_) => "bad_request",
            Self::UnknownModel(_) => "unknown_model",
            Self::MissingModel => "missing_model",
            Self::CloudModel => "cloud_model",
            Self::NoBackend => "no_backend",
            Self::QueueFull { .. } => "queue_full",
            Self::QueueTimeout { .. } => "queue_timeout",
            Self::Unreachable => "backend_unreachable",
            Self::BackendClosed => "backend_closed",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::BackendMalformed => "backend_malformed",
            Self::BackendCredentials => "backend_credentials",
            Self::SessionEnded => "session_ended",
            Self::ShutDown => "shut_down",
            Self::Loop => "loop",
        }
    }

    pub(crate) fn source(&self) -> Source {
        match self {
            Self::Unreachable
            | Self::BackendClosed
            | Self::FirstByteTimeout
            | Self::BackendMalformed
            | Self::BackendCredentials => Source::Upstream,
            Self::Crowded
            | Self::Memory
            | Self::NoBackend
            | Self::QueueFull { .. }
            | Self::QueueTimeout { .. }
            | Self::ShutDown
            | Self::Loop => Source::Gateway,
            _ => Source::Client,
        }
    }

    /// Seconds for `Retry-After`.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyFailures { retry_after }
            | Self::Limited { retry_after, .. }
            | Self::QueueFull { retry_after }
            | Self::QueueTimeout { retry_after } => Some(*retry_after),
            Self::Exceeded(exceeded) => Some(exceeded.retry_after),
            // In-flight answers take a while to end.
            Self::Memory => Some(5),
            Self::Crowded | Self::NoBackend | Self::Unreachable | Self::ShutDown => Some(1),
            _ => None,
        }
    }

    /// How usage records call this end.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self, self.source()) {
            (Self::ShutDown, _) => Outcome::ShutDown,
            (Self::BodyBroken, _) => Outcome::ClientGone,
            (_, Source::Upstream) => Outcome::UpstreamFailed,
            _ => Outcome::Refused,
        }
    }
}

/// Why a response broke off after its first byte; the text is the in-band error's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the backend broke off before the end of its answer")]
    BackendDied,
    #[error("the backend stopped sending before the end of its answer")]
    Stalled,
    #[error("the API key is no longer valid")]
    KeyEnded,
    #[error("requests from this address are no longer accepted")]
    AddressEnded,
    #[error("{}", domain::playground::SESSION_ENDED)]
    SessionEnded,
    #[error("the gateway is shutting down")]
    ShutDown,
}

impl Broken {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::BackendDied | Self::Stalled => Outcome::UpstreamFailed,
            Self::KeyEnded | Self::AddressEnded | Self::SessionEnded => Outcome::Refused,
            Self::ShutDown => Outcome::ShutDown,
        }
    }
}
