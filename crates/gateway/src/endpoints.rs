//! The closed table from method and literal path to endpoint and class. What is not in it does not exist: paths are
//! compared byte for byte, never decoded or normalised, so no spelling reaches a backend by another door.

use std::borrow::Cow;

use domain::endpoint::{Dialect, Endpoint};
use http::Method;

use crate::error::Error;

/// What happens with a request for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Sent to a backend that has the model the body names.
    Inference,
    /// Answered from the catalogue.
    Catalogue,
    /// Answered by the gateway alone.
    Local,
    /// Changes models on backends; for keys with the permission.
    Management,
    /// Would act with the account of a backend's owner; nobody may.
    Refused,
}

/// A request's place in the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route<'p> {
    pub(crate) endpoint: Endpoint,
    pub(crate) class: Class,
    /// The model of `/v1/models/{model}`, percent-decoded.
    pub(crate) model: Option<Cow<'p, str>>,
}

/// Looks a request up. `UnknownPath` and `WrongMethod` are the only errors.
pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Result<Route<'p>, Error> {
    use Class::{Catalogue, Inference, Local, Management, Refused};
    let (endpoint, class, allow) = match path {
        "/" => (Endpoint::Root, Local, "GET, HEAD"),
        "/api/version" => (Endpoint::Version, Catalogue, "GET, HEAD"),
        "/api/status" => (Endpoint::Status, Local, "GET"),
        "/api/tags" => (Endpoint::Tags, Catalogue, "GET, HEAD"),
        "/api/ps" => (Endpoint::Ps, Catalogue, "GET"),
        "/api/show" => (Endpoint::Show, Inference, "POST"),
        "/api/generate" => (Endpoint::Generate, Inference, "POST"),
        "/api/chat" => (Endpoint::Chat, Inference, "POST"),
        "/api/embed" => (Endpoint::Embed, Inference, "POST"),
        "/api/embeddings" => (Endpoint::Embeddings, Inference, "POST"),
        "/api/pull" => (Endpoint::Pull, Management, "POST"),
        "/api/push" => (Endpoint::Push, Management, "POST"),
        "/api/create" => (Endpoint::Create, Management, "POST"),
        "/api/delete" => (Endpoint::Delete, Management, "DELETE"),
        "/api/copy" => (Endpoint::Copy, Management, "POST"),
        "/api/me" | "/api/signout" => (Endpoint::Account, Refused, "POST"),
        "/api/experimental/web_search" | "/api/experimental/web_fetch" => (Endpoint::Web, Refused, "POST"),
        "/api/experimental/model-recommendations" => (Endpoint::Recommendations, Local, "GET"),
        "/fortress/v1/queue" => (Endpoint::Queue, Local, "GET"),
        "/v1/chat/completions" => (Endpoint::OpenAiChat, Inference, "POST"),
        "/v1/completions" => (Endpoint::OpenAiCompletions, Inference, "POST"),
        "/v1/embeddings" => (Endpoint::OpenAiEmbeddings, Inference, "POST"),
        "/v1/models" => (Endpoint::OpenAiModels, Catalogue, "GET"),
        "/v1/responses" => (Endpoint::OpenAiResponses, Inference, "POST"),
        "/v1/messages" => (Endpoint::AnthropicMessages, Inference, "POST"),
        "/v1/audio/transcriptions" => (Endpoint::OpenAiTranscriptions, Inference, "POST"),
        _ => {
            let tail = |prefix| path.strip_prefix(prefix).filter(|tail: &&str| !tail.is_empty());
            if let Some(model) = tail("/v1/models/") {
                allowed(method, "GET")?;
                let model = decode(model).ok_or(Error::UnknownPath)?;
                return Ok(Route { endpoint: Endpoint::OpenAiModel, class: Catalogue, model: Some(model) });
            }
            let one = |prefix| tail(prefix).filter(|tail| !tail.contains('/'));
            if one("/api/blobs/").is_some() {
                (Endpoint::Blobs, Management, "HEAD, POST")
            } else if one("/api/user/keys/").is_some() {
                (Endpoint::Account, Refused, "DELETE")
            } else {
                return Err(Error::UnknownPath);
            }
        }
    };
    allowed(method, allow)?;
    Ok(Route { endpoint, class, model: None })
}

fn allowed(method: &Method, allow: &'static str) -> Result<(), Error> {
    if allow.split(", ").any(|name| name == method.as_str()) { Ok(()) } else { Err(Error::WrongMethod { allow }) }
}

/// The dialect of a path, known or not: errors are written for the clients that would ask for it.
pub(crate) fn dialect_of(path: &str) -> Dialect {
    if path == "/v1/messages" || path.starts_with("/v1/messages/") {
        Dialect::Anthropic
    } else if path == "/v1" || path.starts_with("/v1/") {
        Dialect::OpenAi
    } else {
        Dialect::Ollama
    }
}

/// Percent-decodes a model name; `None` for a broken escape or text that is not UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digit = |at: usize| tail.get(at).and_then(|&digit| char::from(digit).to_digit(16));
            bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use domain::endpoint::Group;

    use super::*;

    fn class(method: &str, path: &str) -> Result<Class, Error> {
        find(&Method::from_bytes(method.as_bytes()).unwrap(), path).map(|route| route.class)
    }

    #[test]
    fn every_endpoint_has_a_route_or_is_told_apart_by_its_tail() {
        let methods = ["GET", "POST", "DELETE"];
        for endpoint in Endpoint::ALL {
            let path = match endpoint {
                Endpoint::Account => "/api/me",
                Endpoint::Web => "/api/experimental/web_search",
                Endpoint::Blobs => "/api/blobs/sha256:1",
                other => other.path(),
            };
            let found = methods.iter().find_map(|method| class(method, path).ok());
            let expected = match endpoint.group() {
                Group::Inference => Class::Inference,
                Group::Catalogue => Class::Catalogue,
                Group::Management => Class::Management,
                Group::Own => Class::Local,
                Group::Never => Class::Refused,
            };
            assert_eq!(found, Some(expected), "{path}");
        }
    }

    #[test]
    fn other_spellings_of_a_path_do_not_exist() {
        for path in [
            "//api/chat",
            "/api//chat",
            "/api/chat/",
            "/api/Chat",
            "/API/chat",
            "/api/%63hat",
            "/api/%63reate",
            "/api/chat;x",
            "/api/../api/chat",
            "/api/./chat",
            "/api/chat%20",
            "/api/create/",
            "/api/blobs/",
            "/api/blobs/a/b",
            "/v1/models/",
            "/v1/messages/count_tokens",
            "/api",
            "/v1",
            "",
            "*",
            "/metrics",
            "/v1/images/generations",
            "/api/user/keys/",
        ] {
            for method in ["GET", "POST", "DELETE", "HEAD", "OPTIONS"] {
                assert_eq!(class(method, path), Err(Error::UnknownPath), "{method} {path}");
            }
        }
    }

    #[test]
    fn a_known_path_with_another_method_names_the_right_ones() {
        assert_eq!(class("GET", "/api/chat"), Err(Error::WrongMethod { allow: "POST" }));
        assert_eq!(class("POST", "/api/tags"), Err(Error::WrongMethod { allow: "GET, HEAD" }));
        assert_eq!(class("OPTIONS", "/api/chat"), Err(Error::WrongMethod { allow: "POST" }));
        assert_eq!(class("post", "/api/chat"), Err(Error::WrongMethod { allow: "POST" }));
        assert_eq!(class("POST", "/v1/models/x"), Err(Error::WrongMethod { allow: "GET" }));
    }

    #[test]
    fn management_and_account_endpoints_are_classes_of_their_own() {
        for (method, path) in [
            ("POST", "/api/pull"),
            ("POST", "/api/push"),
            ("POST", "/api/create"),
            ("DELETE", "/api/delete"),
            ("POST", "/api/copy"),
            ("HEAD", "/api/blobs/sha256:1"),
            ("POST", "/api/blobs/sha256:1"),
        ] {
            assert_eq!(class(method, path), Ok(Class::Management), "{path}");
        }
        for (method, path) in [
            ("POST", "/api/me"),
            ("POST", "/api/signout"),
            ("DELETE", "/api/user/keys/abc"),
            ("POST", "/api/experimental/web_search"),
            ("POST", "/api/experimental/web_fetch"),
        ] {
            assert_eq!(class(method, path), Ok(Class::Refused), "{path}");
        }
    }

    #[test]
    fn a_model_in_the_path_may_hold_slashes() {
        let model = |path| find(&Method::GET, path).unwrap().model.unwrap().into_owned();
        assert_eq!(model("/v1/models/Qwen/Qwen3-8B"), "Qwen/Qwen3-8B");
        assert_eq!(model("/v1/models/me%2Fllama3%3A8b"), "me/llama3:8b");
        assert_eq!(find(&Method::GET, "/v1/models/a%2"), Err(Error::UnknownPath));
        assert_eq!(find(&Method::GET, "/v1/models/%ff"), Err(Error::UnknownPath));
    }

    #[test]
    fn the_dialect_follows_the_path() {
        assert_eq!(dialect_of("/v1/messages"), Dialect::Anthropic);
        assert_eq!(dialect_of("/v1/messagesx"), Dialect::OpenAi);
        assert_eq!(dialect_of("/v1/nope"), Dialect::OpenAi);
        assert_eq!(dialect_of("/v10"), Dialect::Ollama);
        for endpoint in Endpoint::ALL {
            assert_eq!(dialect_of(endpoint.path()), endpoint.dialect(), "{}", endpoint.path());
        }
    }
}
