//! The configuration as text: the closed table of names, and the list that `check` prints, with secrets hidden.

use std::collections::BTreeMap;

use super::{Fault, Faults, Strings};

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Plain,
    Secret,
    /// An address that may hold a password, commas included.
    Url,
    /// A comma list of such.
    Urls,
}

use Shown::{Plain, Secret, Url, Urls};

/// Every name, its default as text, and how it is shown.
const NAMES: &[(&str, &str, Shown)] = &[
    ("PROXY_HOST", "127.0.0.1", Plain),
    ("PROXY_PORT", "8080", Plain),
    ("PUBLIC_URL", "", Urls),
    ("ADMIN_LISTEN", "", Plain),
    ("TRUSTED_PROXIES", "", Plain),
    ("DATA_DIR", "./data", Plain),
    ("DATABASE_URL", "", Url),
    ("SECRET_KEY", "", Secret),
    ("ADMIN_USER", "", Plain),
    ("ADMIN_PASSWORD", "", Secret),
    ("OLLAMA_SERVERS", "", Urls),
    ("BALANCE", "round-robin", Plain),
    ("MAX_BODY_MB", "", Plain),
    ("RATE_LIMIT_REQUESTS", "", Plain),
    ("RATE_LIMIT_WINDOW_MINUTES", "", Plain),
    ("REDIS_URL", "", Url),
    ("ALLOWED_IPS", "", Plain),
    ("DENIED_IPS", "", Plain),
    ("LOG_LEVEL", "info", Plain),
    ("LOG_FORMAT", "text", Plain),
    ("DRAIN_SECONDS", "30", Plain),
];

/// The configuration before validation. No Debug: it holds secrets.
pub struct RawConfig(BTreeMap<&'static str, Value>);

struct Value {
    text: String,
    origin: &'static str,
}

/// One line of what `check` prints.
#[derive(serde::Serialize)]
pub struct Listed {
    pub name: &'static str,
    /// Secrets are hidden, passwords inside addresses too.
    pub value: String,
    /// `default`, `.env` or `environment`.
    pub source: &'static str,
}

impl RawConfig {
    /// Takes every known name from `strings`.
    pub fn read(strings: &impl Strings) -> Result<Self, Faults> {
        let (mut values, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, _, _) in NAMES {
            match strings.get(name) {
                Ok(Some(text)) => drop(values.insert(*name, Value { text, origin: strings.origin(name) })),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self(values)) } else { Err(Faults(faults)) }
    }

    /// The text given for `name`; empty text counts as not given.
    pub fn given(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(|value| value.text.trim()).filter(|text| !text.is_empty())
    }

    /// The text given for `name`, or its default.
    pub fn text(&self, name: &'static str) -> &str {
        self.given(name).unwrap_or_else(|| default(name))
    }

    /// Given, but empty.
    pub fn is_empty(&self, name: &'static str) -> bool {
        self.0.get(name).is_some_and(|value| value.text.trim().is_empty())
    }

    /// Every name with its value in force, in the order of the documentation.
    pub fn list(&self) -> Vec<Listed> {
        let line = |&(name, default, shown): &(&'static str, &str, Shown)| {
            let given = self.given(name);
            let source =
                if given.is_some() { self.0.get(name).map_or("environment", |value| value.origin) } else { "default" };
            let value = given.unwrap_or(default);
            let value = match shown {
                Plain => value.to_owned(),
                Secret if value.is_empty() => String::new(),
                Secret => "(hidden)".to_owned(),
                Url => without_password(value),
                // Where there is a password at all, a comma may be part of it: then the list is not taken apart.
                Urls if value.contains('@') => without_password(value),
                Urls => value.split(',').map(|url| without_password(url.trim())).collect::<Vec<_>>().join(","),
            };
            Listed { name, value, source }
        };
        NAMES.iter().map(line).collect()
    }
}

fn default(name: &str) -> &'static str {
    NAMES.iter().find(|(known, _, _)| *known == name).map_or("", |(_, default, _)| default)
}

/// Hides whatever stands before the last `@`, and queries, which some drivers put passwords into. Where an `@` comes
/// behind a `?` either may belong to a password, and everything is hidden. Works on text that is no valid address too:
/// what is printed on a fault must not be the exception.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (secret, shown) = rest.rsplit_once('@').map_or((None, rest), |(secret, shown)| (Some(secret), shown));
    let shown = match (secret, shown.split_once('?')) {
        (Some(secret), _) if secret.contains('?') => "(hidden)".to_owned(),
        (Some(_), Some((host, _))) => format!("(hidden)@{host}?(hidden)"),
        (Some(_), None) => format!("(hidden)@{shown}"),
        (None, Some((host, _))) => format!("{host}?(hidden)"),
        (None, None) => shown.to_owned(),
    };
    if scheme.is_empty() { shown } else { format!("{scheme}://{shown}") }
}

/// Collects faults while values are taken one by one.
#[derive(Default)]
pub struct Collector(pub Vec<Fault>);

impl Collector {
    pub fn push(&mut self, name: &str, message: impl Into<String>) {
        self.0.push(Fault::new(name, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_in_the_list() {
        let strings: BTreeMap<String, String> = [
            ("SECRET_KEY", "hunter2-hunter2-hunter2"),
            ("ADMIN_PASSWORD", "hunter2"),
            ("REDIS_URL", "redis://me:hunter2@host:6379/0"),
            ("OLLAMA_SERVERS", "http://a:1,http://x:hunter2@b:2"),
            ("DATABASE_URL", "ws://root:hunter2@db:8000/?password=hunter2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let list = RawConfig::read(&strings).ok().unwrap().list();
        let text = serde_json::to_string(&list).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("redis://(hidden)@host:6379/0"), "{text}");
        assert!(text.contains("ws://(hidden)@db:8000/?(hidden)"), "{text}");
        assert!(list.iter().any(|line| line.name == "PROXY_PORT" && line.value == "8080" && line.source == "default"));
    }

    #[test]
    fn no_character_of_a_password_lets_the_rest_of_it_through() {
        for name in ["DATABASE_URL", "REDIS_URL", "OLLAMA_SERVERS", "PUBLIC_URL"] {
            for address in [
                "ws://root:hunter,hunter@h",
                "redis://u:hunter?hunter@h",
                "redis://u:hunter@hunter@h",
                "redis://:hunter/hunter#hunter@h",
                "ws://h/?password=hunter@hunter",
                "u:hunter,hunter@h",
            ] {
                let strings: BTreeMap<String, String> = [(name.to_owned(), address.to_owned())].into();
                let list = RawConfig::read(&strings).ok().unwrap().list();
                let shown = &list.iter().find(|line| line.name == name).unwrap().value;
                assert!(!shown.contains("hunter") && shown.contains("(hidden)"), "{name}={address}: {shown}");
            }
        }
        assert_eq!(without_password("ws://root:pa,ss@h"), "ws://(hidden)@h");
    }

    #[test]
    fn a_list_without_passwords_is_shown() {
        let strings: BTreeMap<String, String> =
            [("OLLAMA_SERVERS".to_owned(), "http://a:1, gpu-7,http://b/?x=1".to_owned())].into();
        let list = RawConfig::read(&strings).ok().unwrap().list();
        assert!(list.iter().any(|line| line.value == "http://a:1,gpu-7,http://b/?(hidden)"));
    }
}
