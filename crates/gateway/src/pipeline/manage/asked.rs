//! What a management request is about: the models it names, and whether the key may.

use domain::{
    endpoint::Endpoint,
    model::{ModelName, Source},
};

use crate::{
    error::Error,
    policy::{Rules, members},
    request::{cut, json},
};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The model it acts on, as the client wrote it.
    pub(super) model: String,
    /// Another that it names: what a copy is called, what a creation is made from.
    other: Option<String>,
}

impl Asked {
    /// Reads a body; models that run at ollama.com are refused.
    pub(super) fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, Error> {
        if body.trim_ascii().is_empty() {
            return Err(Error::BadRequest("missing request body".into()));
        }
        if endpoint == Endpoint::Create {
            no_files(body)?;
        }
        let names = ["model", "name", "source", "destination", "from", "remote_host"];
        let [model, name, source, destination, from, remote] = texts(body, names)?;
        let asked = match endpoint {
            Endpoint::Copy => match (source, destination) {
                (Some(model), Some(other)) => Self { model, other: Some(other) },
                _ => return Err(Error::BadRequest("source and destination are required".into())),
            },
            _ => {
                if model.is_some() && name.is_some() && model != name {
                    return Err(Error::BadRequest("model and name differ, send only model".into()));
                }
                Self {
                    model: model.or(name).ok_or(Error::MissingModel)?,
                    other: from.filter(|_| endpoint == Endpoint::Create),
                }
            }
        };
        let cloud = |name: &str| matches!(ModelName::parse(name), Ok((_, Source::Cloud)));
        if remote.is_some() || cloud(&asked.model) || asked.other.as_deref().is_some_and(cloud) {
            return Err(Error::CloudModel);
        }
        match ModelName::parse(&asked.model) {
            Ok(_) => Ok(asked),
            Err(error) => Err(Error::BadRequest(error.to_string())),
        }
    }

    /// Whether the key may act on these models. One that exists and is not for it does not exist.
    pub(super) fn check(&self, endpoint: Endpoint, rules: &Rules) -> Result<(), Error> {
        let exists = matches!(endpoint, Endpoint::Delete | Endpoint::Push | Endpoint::Copy);
        if !rules.admits_model(&self.model) {
            return Err(if exists { self.unknown() } else { Error::ModelForbidden });
        }
        match &self.other {
            Some(other) if !rules.admits_model(other) => Err(Error::ModelForbidden),
            _ => Ok(()),
        }
    }

    /// Nobody has it, in Ollama's words.
    pub(super) fn unknown(&self) -> Error {
        let model = cut(&self.model, 200);
        Error::UnknownModel(match self.other {
            Some(_) => format!("model \"{model}\" not found"),
            None => format!("model '{model}' not found"),
        })
    }
}

/// Old versions of Ollama read a model's description from these members, or from a file of their own disk that they name.
fn no_files(body: &[u8]) -> Result<(), Error> {
    const MEMBERS: [&str; 2] = ["modelfile", "path"];
    let named =
        members(body, MEMBERS)?.into_iter().zip(MEMBERS).find(|(value, _)| value.is_some_and(|text| text != b"\"\""));
    match named {
        None => Ok(()),
        Some((_, name)) => Err(Error::BadRequest(format!(
            "{name} may name files on the backend's own disk and is not accepted, use from or files with uploaded blobs"
        ))),
    }
}

/// Members that are texts, each there at most once, empty ones left out.
fn texts<const N: usize>(body: &[u8], names: [&str; N]) -> Result<[Option<String>; N], Error> {
    let found = members(body, names)?;
    let mut texts = [const { None }; N];
    for ((text, value), name) in texts.iter_mut().zip(found).zip(names) {
        let Some(value) = value else { continue };
        let Some(inner) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
            return Err(Error::BadRequest(format!("{name} must be a string")));
        };
        *text = Some(json::unescape(inner).trim().to_owned()).filter(|text| !text.is_empty());
    }
    Ok(texts)
}

/// The path of a blob, which ends in the digest that a backend makes a file name of.
pub(super) fn check_blob(path: &str) -> Result<(), Error> {
    let digest = path.rsplit('/').next().and_then(|tail| tail.strip_prefix("sha256")).unwrap_or_default();
    let hex = digest.strip_prefix([':', '-']).unwrap_or_default();
    let good = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if good { Ok(()) } else { Err(Error::BadRequest("invalid digest format".into())) }
}

#[cfg(test)]
mod tests {
    use domain::policy::Policy;

    use super::*;

    fn read(endpoint: Endpoint, body: &str) -> Result<Asked, Error> {
        Asked::read(endpoint, body.as_bytes())
    }

    fn asked(model: &str, other: Option<&str>) -> Result<Asked, Error> {
        Ok(Asked { model: model.into(), other: other.map(Into::into) })
    }

    #[test]
    fn the_models_are_found_under_every_name() {
        assert_eq!(read(Endpoint::Pull, r#"{"name":" a "}"#), asked("a", None));
        assert_eq!(read(Endpoint::Delete, r#"{"model":"a","name":"a"}"#), asked("a", None));
        assert_eq!(read(Endpoint::Pull, r#"{"model":"","name":"a"}"#), asked("a", None));
        assert_eq!(read(Endpoint::Create, r#"{"model":"a","from":"b"}"#), asked("a", Some("b")));
        assert_eq!(read(Endpoint::Copy, r#"{"source":"a","destination":"b"}"#), asked("a", Some("b")));
        for (endpoint, body) in [
            (Endpoint::Pull, ""),
            (Endpoint::Pull, "[]"),
            (Endpoint::Pull, "{bad"),
            (Endpoint::Pull, r#"{"model":"a","name":"b"}"#),
            (Endpoint::Pull, r#"{"model":"a","MODEL":"b"}"#),
            (Endpoint::Pull, r#"{"model":1}"#),
            (Endpoint::Pull, r#"{"model":"../x"}"#),
            (Endpoint::Copy, r#"{"source":"a"}"#),
            (Endpoint::Copy, r#"{"source":"a","destination":"b","de\u017ftination":"c"}"#),
        ] {
            assert!(matches!(read(endpoint, body), Err(Error::BadRequest(_) | Error::MissingModel)), "{body}");
        }
    }

    #[test]
    fn a_creation_names_no_files_of_the_backend() {
        for body in [
            r#"{"model":"a","modelfile":"FROM /etc/passwd"}"#,
            r#"{"name":"a","path":"/etc/passwd"}"#,
            r#"{"model":"a","from":"b","path":"Modelfile"}"#,
            r#"{"model":"a","from":"b","PATH":"Modelfile"}"#,
            r#"{"model":"a","from":"b","path":"","path":"Modelfile"}"#,
            r#"{"model":"a","from":"b","model\u0066ile":["x"]}"#,
        ] {
            assert!(matches!(read(Endpoint::Create, body), Err(Error::BadRequest(_))), "{body}");
        }
        // What says nothing is taken as an absent member, and elsewhere the words mean nothing.
        for body in [
            r#"{"model":"a","from":"b","modelfile":"","path":null}"#,
            r#"{"model":"a","from":"b","files":{"x.gguf":"sha256:0"},"adapters":{"y":"sha256:1"}}"#,
        ] {
            assert_eq!(read(Endpoint::Create, body), asked("a", Some("b")), "{body}");
        }
        assert_eq!(read(Endpoint::Pull, r#"{"model":"a","path":"x"}"#), asked("a", None));
    }

    #[test]
    fn models_of_the_cloud_are_refused_in_every_place() {
        for (endpoint, body) in [
            (Endpoint::Pull, r#"{"model":"kimi:cloud"}"#),
            (Endpoint::Pull, r#"{"name":"gpt-oss:20b-CLOUD"}"#),
            (Endpoint::Create, r#"{"model":"a","from":"kimi:cloud"}"#),
            (Endpoint::Create, r#"{"model":"a","remote_host":"https://ollama.com"}"#),
            (Endpoint::Copy, r#"{"source":"kimi:cloud","destination":"b"}"#),
            (Endpoint::Copy, r#"{"source":"a","destination":"b:cloud"}"#),
        ] {
            assert_eq!(read(endpoint, body), Err(Error::CloudModel), "{body}");
        }
    }

    #[test]
    fn a_key_acts_on_its_own_models_only() {
        let policy = Policy { models: vec!["mine*".parse().unwrap()], ..Policy::default() };
        let rules = Rules::new(&policy, &Policy::default());
        let check = |endpoint, body| read(endpoint, body).unwrap().check(endpoint, &rules);
        assert_eq!(check(Endpoint::Pull, r#"{"model":"mine:8b"}"#), Ok(()));
        assert_eq!(check(Endpoint::Pull, r#"{"model":"other"}"#), Err(Error::ModelForbidden));
        assert_eq!(
            check(Endpoint::Delete, r#"{"model":"other"}"#),
            Err(Error::UnknownModel("model 'other' not found".into()))
        );
        assert_eq!(check(Endpoint::Create, r#"{"model":"mine","from":"other"}"#), Err(Error::ModelForbidden));
        assert_eq!(check(Endpoint::Copy, r#"{"source":"mine","destination":"other"}"#), Err(Error::ModelForbidden));
    }

    #[test]
    fn a_digest_is_nothing_but_a_digest() {
        let digest = "0123456789abcdef".repeat(4);
        for good in [format!("/api/blobs/sha256:{digest}"), format!("/api/blobs/sha256-{digest}")] {
            assert_eq!(check_blob(&good), Ok(()), "{good}");
        }
        for tail in ["sha256:1", "%2e%2e", "..", "sha512:0", &format!("sha256:{}", digest.to_uppercase()), &digest] {
            assert!(check_blob(&format!("/api/blobs/{tail}")).is_err(), "{tail}");
        }
    }
}
