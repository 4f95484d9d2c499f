//! Identifiers: short random base62 strings, cheap to clone, distinct types so that one cannot stand for another.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Length in characters of every id, about 71 bits.
pub const ID_LENGTH: usize = 12;

/// The 62 characters ids and key secrets are made of.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text is no id: an id is exactly twelve base62 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is {ID_LENGTH} characters of 0-9, A-Z, a-z")]
pub struct InvalidId;

pub(crate) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` as an id if it has the form of one.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                if text.len() == ID_LENGTH && is_base62(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A backend: one configured Ollama (or OpenAI-compatible) server.
    BackendId
}
id! {
    /// A user: the owner of API keys. Users do not sign in; administrators do.
    UserId
}
id! {
    /// The public part of an API key, the twelve characters after `op_`.
    KeyId
}
id! {
    /// An administrator's account.
    AdminId
}
id! {
    /// A pull of a model to a backend.
    PullId
}
