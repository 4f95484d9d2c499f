//! The server functions, one file a noun. Each reads who asks, calls one use case of `control` and answers; rules and
//! validation belong to `control`. Reads are GET, everything that changes something is POST.

pub mod account;
pub mod administrators;
pub mod aliases;
pub mod audit;
pub mod backends;
pub mod find;
pub mod help;
pub mod keys;
pub mod live;
pub mod models;
pub mod network;
pub mod playground;
pub mod pulls;
pub mod requests;
pub mod session;
pub mod settings;
pub mod setup;
pub mod upgrade;
pub mod usage;
pub mod users;

use std::fmt;

use bytes::Bytes;
use leptos::server_fn::{
    ContentType, Decodes, Encodes, Format, FormatType,
    codec::{JsonEncoding, Post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::decode::{Fault, decode};

/// JSON that the browser reads by [`decode`], as it reads what came with the document.
pub struct JsonText;

/// For `output` of the server functions that pages read from.
pub type Text = Post<JsonText>;

impl ContentType for JsonText {
    const CONTENT_TYPE: &'static str = JsonEncoding::CONTENT_TYPE;
}

impl FormatType for JsonText {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for JsonText {
    type Error = serde_json::Error;

    fn encode(output: &T) -> Result<Bytes, Self::Error> {
        JsonEncoding::encode(output)
    }
}

impl<T: DeserializeOwned> Decodes<T> for JsonText {
    type Error = Fault;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        // Whatever is no UTF-8 is no JSON either.
        decode(std::str::from_utf8(&bytes).unwrap_or_default())
    }
}

/// An input that holds a secret. The generated argument structs must implement `Debug`; this one prints nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private<T>(pub T);

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private)")
    }
}
