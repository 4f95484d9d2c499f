//! What backends answer on their listing endpoints, read with the tolerance that servers of several makes need. The JSON
//! of each row is kept as it came, so that the merged lists hold every member the backend gave.

use std::collections::HashMap;

use domain::model::{ModelName, Source};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest as _, Sha256};

/// Longer names are no model names but an attack on the page that shows them.
const MAX_NAME: usize = 512;
const MAX_VERSION: usize = 64;
/// Most letters of a word about a model, and most words of one kind.
const MAX_WORD: usize = 40;
const MAX_WORDS: usize = 12;

/// One model in a backend's list.
#[derive(Debug)]
pub(crate) struct Row {
    /// As the backend spells it.
    pub(crate) name: String,
    /// `None` where the name is none by Ollama's rules, or the backend is no Ollama: such names count letter by letter.
    pub(crate) canonical: Option<ModelName>,
    pub(crate) digest: String,
    pub(crate) modified: Timestamp,
    /// The row of `/api/tags`.
    pub(crate) tags: Box<RawValue>,
    /// The row of `/v1/models` where the backend gave one.
    pub(crate) openai: Option<Box<RawValue>>,
    /// A stub of a model that runs at ollama.com under the backend owner's account.
    pub(crate) remote: bool,
    pub(crate) about: About,
}

/// What a backend says of a model for people. Nothing is told as nothing.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// Bytes on disk.
    pub(crate) size: u64,
    pub(crate) family: Box<str>,
    /// `3.2B`.
    pub(crate) parameters: Box<str>,
    /// `Q4_K_M`.
    pub(crate) quantization: Box<str>,
    pub(crate) capabilities: Box<[Box<str>]>,
}

impl Row {
    /// What the backend knows the model by, whatever its spelling.
    pub(crate) fn key(&self) -> &str {
        self.canonical.as_ref().map_or(&self.name, ModelName::as_str)
    }
}

/// One loaded model of `/api/ps`.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) expires: Timestamp,
    /// Bytes, all of them and those on graphics cards.
    pub(crate) size: u64,
    pub(crate) vram: u64,
    pub(crate) row: Box<RawValue>,
}

impl Running {
    /// As [`Row::key`].
    pub(crate) fn key(&self) -> String {
        ModelName::parse(&self.name).map_or_else(|_| self.name.clone(), |(name, _)| name.as_str().to_owned())
    }
}

#[derive(Deserialize)]
struct TagsMembers {
    #[serde(default, deserialize_with = "lenient")]
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    model: String,
    #[serde(default, deserialize_with = "lenient")]
    digest: String,
    #[serde(default, deserialize_with = "lenient")]
    modified_at: String,
    #[serde(default, deserialize_with = "lenient")]
    expires_at: String,
    #[serde(default, deserialize_with = "lenient")]
    remote_host: String,
    #[serde(default, deserialize_with = "lenient")]
    remote_model: String,
    #[serde(default)]
    size: Value,
    #[serde(default)]
    size_vram: Value,
    #[serde(default)]
    details: Value,
    #[serde(default)]
    capabilities: Value,
}

impl About {
    fn read(size: &Value, details: &Value, capabilities: &Value) -> Self {
        let detail = |name: &str| details.get(name).and_then(Value::as_str).map(word).unwrap_or_default();
        let capabilities = capabilities.as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            size: size.as_u64().unwrap_or_default(),
            family: detail("family"),
            parameters: detail("parameter_size"),
            quantization: detail("quantization_level"),
            capabilities: capabilities.iter().filter_map(Value::as_str).take(MAX_WORDS).map(word).collect(),
        }
    }
}

/// As much of a text as a word has.
fn word(text: &str) -> Box<str> {
    text.chars().take(MAX_WORD).collect::<String>().into()
}

/// Anything but a string is taken for an absent one.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        _ => String::new(),
    })
}

/// The member `name` of an object, as a list; `null` is an empty one.
fn list(body: &[u8], name: &str) -> Option<Vec<Box<RawValue>>> {
    let mut members: HashMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let list: Option<Vec<Box<RawValue>>> = serde_json::from_str(members.remove(name)?.get()).ok()?;
    Some(list.unwrap_or_default())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn members(row: &RawValue) -> Option<TagsMembers> {
    let mut members: TagsMembers = serde_json::from_str(row.get()).ok()?;
    if members.name.is_empty() {
        members.name = std::mem::take(&mut members.model);
    }
    let usable = !members.name.is_empty() && members.name.len() <= MAX_NAME;
    if !usable {
        tracing::debug!("a row without a usable name was left out of a backend's list");
    }
    usable.then_some(members)
}

/// The body of `/api/tags`; `None` if it is something else.
pub(crate) fn tags(body: &[u8]) -> Option<Vec<Row>> {
    let rows = list(body, "models")?.into_iter().filter_map(|row| {
        let members = members(&row)?;
        let parsed = ModelName::parse(&members.name).ok();
        let remote = !members.remote_host.is_empty()
            || !members.remote_model.is_empty()
            || parsed.as_ref().is_some_and(|(_, source)| *source == Source::Cloud);
        Some(Row {
            canonical: parsed.map(|(name, _)| name),
            digest: members.digest,
            modified: time(&members.modified_at),
            tags: row,
            openai: None,
            remote,
            about: About::read(&members.size, &members.details, &members.capabilities),
            name: members.name,
        })
    });
    Some(rows.collect())
}

/// The body of `/api/ps`; `None` if it is something else.
pub(crate) fn running(body: &[u8]) -> Option<Vec<Running>> {
    let rows = list(body, "models")?.into_iter().filter_map(|row| {
        let members = members(&row)?;
        let bytes = |value: &Value| value.as_u64().unwrap_or_default();
        let (size, vram) = (bytes(&members.size), bytes(&members.size_vram));
        let expires = time(&members.expires_at);
        Some(Running { name: members.name, digest: members.digest, expires, size, vram, row })
    });
    Some(rows.collect())
}

#[derive(Deserialize)]
struct OpenAiMembers {
    id: String,
    #[serde(default)]
    created: Value,
}

/// The body of `/v1/models`; `None` if it is something else. Rows for `/api/tags` are made up for its models.
pub(crate) fn openai(body: &[u8]) -> Option<Vec<Row>> {
    let rows = list(body, "data")?.into_iter().filter_map(|row| {
        let members: OpenAiMembers = serde_json::from_str(row.get()).ok()?;
        if members.id.is_empty() || members.id.len() > MAX_NAME {
            return None;
        }
        let created = members.created.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let modified = created.unwrap_or(Timestamp::UNIX_EPOCH);
        // Clients print the first twelve digits, so there must be a digest; of the id alone, so that it is the same for
        // every backend.
        let digest: String = Sha256::digest(members.id.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let tags = json!({
            "name": members.id, "model": members.id, "modified_at": modified.to_string(), "size": 0, "digest": digest,
            "details": {
                "parent_model": "", "format": "", "family": "", "families": [], "parameter_size": "",
                "quantization_level": "",
            },
        });
        Some(Row {
            canonical: None,
            digest,
            modified,
            tags: serde_json::value::to_raw_value(&tags).ok()?,
            openai: Some(row),
            remote: false,
            about: About::default(),
            name: members.id,
        })
    });
    Some(rows.collect())
}

/// The body of `/api/version`.
pub(crate) fn version(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let Version { version } = serde_json::from_slice(body).ok()?;
    (!version.is_empty() && version.len() <= MAX_VERSION).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_every_member_as_it_came() {
        let body = br#"{"models":[{"name":"A:b","size":9007199254740993,"new":{"x":[1]},"modified_at":"2025-05-04T17:37:44.7-07:00","digest":"d"}]}"#;
        let rows = tags(body).unwrap();
        assert_eq!(rows[0].tags.get(), std::str::from_utf8(&body[11..body.len() - 2]).unwrap());
        assert_eq!(rows[0].canonical.as_ref().unwrap().display(), "a:b");
        assert_eq!(rows[0].modified, "2025-05-05T00:37:44.7Z".parse().unwrap());
    }

    #[test]
    fn null_is_an_empty_list_and_anything_else_none_at_all() {
        assert_eq!(tags(br#"{"models":null}"#).unwrap().len(), 0);
        for body in ["", "[]", "{}", r#"{"models":{}}"#, "<html>", r#"{"models":[1"#, r#"{"data":[]}"#] {
            assert!(tags(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn unusable_rows_are_left_out_and_the_rest_kept() {
        let long = "m".repeat(600);
        let body =
            format!(r#"{{"models":[1,{{}},{{"name":""}},{{"name":"{long}"}},{{"model":"b","digest":7,"size":""}}]}}"#);
        let rows = tags(body.as_bytes()).unwrap();
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn stubs_of_cloud_models_are_known_under_any_name() {
        let body =
            br#"{"models":[{"name":"a:20b-cloud"},{"name":"mine","remote_host":"https://ollama.com"},{"name":"b"}]}"#;
        assert_eq!(tags(body).unwrap().iter().map(|row| row.remote).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn what_is_said_of_a_model_is_kept_short_and_whatever_is_no_text_is_nothing() {
        let body = format!(
            r#"{{"models":[{{"name":"a","size":7,"details":{{"family":"llama","parameter_size":"3.2B","quantization_level":4}},
            "capabilities":["tools",1,"{}"]}},{{"name":"b","size":-1,"details":[],"capabilities":{{}}}}]}}"#,
            "x".repeat(1_000)
        );
        let rows = tags(body.as_bytes()).unwrap();
        let About { size, family, parameters, quantization, capabilities } = &rows[0].about;
        assert_eq!((*size, &**family, &**parameters, &**quantization), (7, "llama", "3.2B", ""));
        assert_eq!((&*capabilities[0], capabilities[1].len(), capabilities.len()), ("tools", MAX_WORD, 2));
        assert_eq!((rows[1].about.size, rows[1].about.capabilities.len()), (0, 0));
        let loaded = running(br#"{"models":[{"name":"a","size":9,"size_vram":5},{"name":"b","size":"x"}]}"#).unwrap();
        assert_eq!((loaded[0].size, loaded[0].vram, loaded[1].size, loaded[1].vram), (9, 5, 0, 0));
    }

    #[test]
    fn openai_rows_get_what_clients_of_tags_need() {
        let rows = openai(
            br#"{"object":"list","data":[{"id":"Qwen/Qwen3-8B","created":1700000000,"owned_by":"vllm"},{"id":"x"}]}"#,
        )
        .unwrap();
        let row: Value = serde_json::from_str(rows[0].tags.get()).unwrap();
        assert_eq!(row["modified_at"], "2023-11-14T22:13:20Z");
        assert_eq!(row["digest"].as_str().unwrap().len(), 64);
        assert_eq!(rows[0].canonical, None);
        assert_eq!(rows[1].modified, Timestamp::UNIX_EPOCH);
    }
}
