//! What a page reads of the server: with the document where the server made it, else with a call.

use std::future::Future;

use leptos::{
    prelude::*,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    decode::{self, decode},
    error::AppError,
};

/// What was read, or why not. Cheap to copy.
pub type Reading<T> = Resource<Result<T, AppError>, Json>;

/// Reads by `read`, and again whenever `source` changes. `Resource::new` would decode by serde_json what came with the
/// document.
pub fn reading<S, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    read: impl Fn(S) -> F + Send + Sync + 'static,
) -> Reading<T>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    Resource::new_with_options(source, read, false)
}

/// How what was read travels within the document: written by serde_json, read by [`decode`].
pub struct Json;

impl<T: Serialize> Encoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, Self::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Json {
    type Error = decode::Fault;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Self::Error> {
        decode(text)
    }
}
