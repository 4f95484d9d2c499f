//! The configuration as text: the closed table of names, and the list that `check` prints, with secrets hidden.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{Fault, Strings};

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
    ("TLS_CERT", "", Plain),
    ("TLS_KEY", "", Plain),
    ("MAX_CONNECTIONS", "", Plain),
    ("MAX_CONNECTIONS_PER_IP", "1024", Plain),
    ("DATA_DIR", "./data", Plain),
    ("DATABASE_URL", "", Url),
    ("SECRET_KEY", "", Secret),
    ("SECRET_KEY_PREVIOUS", "", Secret),
    ("ADMIN_USER", "", Plain),
    ("ADMIN_PASSWORD", "", Secret),
    ("OLLAMA_SERVERS", "", Urls),
    ("PRODUCT_TITLE", "Ollama Proxy Fortress", Plain),
    ("ACCENT", "", Plain),
    ("BALANCE", "warm-first", Plain),
    ("QUEUE_MAX", "1000", Plain),
    ("QUEUE_SECONDS", "60", Plain),
    ("USAGE_DAYS", "30", Plain),
    ("ROLLUP_DAYS", "730", Plain),
    ("MAX_BODY_MB", "64", Plain),
    ("BODY_MEMORY_MB", "", Plain),
    ("MAX_MEMORY_MB", "", Plain),
    ("RATE_LIMIT_REQUESTS", "", Plain),
    ("RATE_LIMIT_WINDOW_MINUTES", "1", Plain),
    ("REDIS_URL", "", Url),
    ("REDIS_CA", "", Plain),
    ("REPLICAS", "", Plain),
    ("ALLOWED_IPS", "", Plain),
    ("DENIED_IPS", "", Plain),
    ("ADMIN_ALLOWED_IPS", "", Plain),
    ("ADMIN_DENIED_IPS", "", Plain),
    ("CORS_ORIGINS", "", Plain),
    ("BACKEND_NETWORKS", "", Plain),
    ("HSTS_DAYS", "", Plain),
    ("METRICS_TOKEN", "", Secret),
    ("LOG_LEVEL", "info", Plain),
    ("LOG_FORMAT", "text", Plain),
    ("DRAIN_SECONDS", "30", Plain),
];

/// What is said in place of a value where nothing is given and there is no default to name.
fn absent(name: &str) -> &'static str {
    match name {
        "ACCENT" => "(the product's own colours)",
        "PUBLIC_URL" => "(none: the address a page was asked under)",
        "ADMIN_LISTEN" => "(none: under /admin of the one port)",
        "MAX_CONNECTIONS" => "(as many as the limit of open files allows)",
        "MAX_MEMORY_MB" => "(no limit)",
        "SECRET_KEY" => "(made at the first start, kept in DATA_DIR)",
        "ADMIN_USER" => "(none: the set-up link makes one)",
        "BODY_MEMORY_MB" => "(512, or twice MAX_BODY_MB)",
        "RATE_LIMIT_REQUESTS" => "(no limit)",
        "REDIS_CA" => "(none: whoever the machine trusts)",
        "METRICS_TOKEN" => "(none: metrics need a session)",
        _ => "(none)",
    }
}

/// Names whose values the admin pages can override; `check` opens no database and cannot tell.
pub const OVERRIDDEN: &[&str] = &[
    "PUBLIC_URL",
    "PRODUCT_TITLE",
    "ACCENT",
    "BALANCE",
    "QUEUE_MAX",
    "QUEUE_SECONDS",
    "USAGE_DAYS",
    "ROLLUP_DAYS",
    "MAX_BODY_MB",
    "BODY_MEMORY_MB",
    "RATE_LIMIT_REQUESTS",
    "RATE_LIMIT_WINDOW_MINUTES",
    "REDIS_URL",
    "REDIS_CA",
    "ALLOWED_IPS",
    "DENIED_IPS",
    "ADMIN_ALLOWED_IPS",
    "ADMIN_DENIED_IPS",
    "CORS_ORIGINS",
    "BACKEND_NETWORKS",
    "HSTS_DAYS",
];

/// The configuration before validation. No Debug: it holds secrets.
pub struct RawConfig {
    values: BTreeMap<&'static str, Value>,
    /// What was wrong already with where the text came from.
    pub faults: Vec<Fault>,
    /// Names that are given in a way that cannot be read.
    broken: BTreeSet<&'static str>,
}

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
    pub fn read(strings: &impl Strings) -> Self {
        let (mut values, mut broken) = (BTreeMap::new(), BTreeSet::new());
        let mut faults = strings.faults().to_vec();
        for (name, _, _) in NAMES {
            match strings.get(name) {
                Ok(Some(text)) => drop(values.insert(*name, Value { text, origin: strings.origin(name) })),
                Ok(None) if strings.is_broken(name) => drop(broken.insert(*name)),
                Ok(None) => {}
                Err(fault) => {
                    faults.push(fault);
                    broken.insert(*name);
                }
            }
        }
        Self { values, faults, broken }
    }

    /// There is text for `name` that cannot be read: whatever follows from its absence is no fault of its own.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// The data folder as an absolute path, and why it cannot be told.
    pub fn data_dir(&self) -> (PathBuf, Option<std::io::Error>) {
        let given = Path::new(self.text("DATA_DIR"));
        match std::path::absolute(given) {
            Ok(path) => (path, None),
            Err(error) => (given.to_owned(), Some(error)),
        }
    }

    /// The address of the database, the built-in one where none is given.
    pub fn database(&self) -> String {
        let built_in = || format!("surrealkv://{}", self.data_dir().0.join("db").display());
        self.given("DATABASE_URL").map_or_else(built_in, str::to_owned)
    }

    /// The text given for `name`; empty text counts as not given.
    pub fn given(&self, name: &'static str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.trim()).filter(|text| !text.is_empty())
    }

    /// The text given for `name`, or its default.
    pub fn text(&self, name: &'static str) -> &str {
        self.given(name).unwrap_or_else(|| default(name))
    }

    /// Given, but empty.
    pub fn is_empty(&self, name: &'static str) -> bool {
        self.values.get(name).is_some_and(|value| value.text.trim().is_empty())
    }

    /// Every name with its value in force, in the order of the documentation.
    pub fn list(&self) -> Vec<Listed> {
        let line = |&(name, default, shown): &(&'static str, &str, Shown)| {
            let given = self.given(name);
            let origin = || self.values.get(name).map_or("environment", |value| value.origin);
            let source = if given.is_some() { origin() } else { "default" };
            let value = match (name, given) {
                ("DATA_DIR", _) => self.data_dir().0.display().to_string(),
                ("DATABASE_URL", _) => self.database(),
                (_, Some(given)) => given.to_owned(),
                (_, None) if default.is_empty() => {
                    let value = if self.is_broken(name) { "(cannot be read)" } else { absent(name) }.to_owned();
                    return Listed { name, value, source };
                }
                (_, None) => default.to_owned(),
            };
            let value = value.as_str();
            let value = match shown {
                Plain => value.to_owned(),
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
            ("METRICS_TOKEN", "hunter2-hunter2-hunter2"),
            ("REDIS_URL", "redis://me:hunter2@host:6379/0"),
            ("OLLAMA_SERVERS", "http://a:1,http://x:hunter2@b:2"),
            ("DATABASE_URL", "ws://root:hunter2@db:8000/?password=hunter2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let list = RawConfig::read(&strings).list();
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
                let list = RawConfig::read(&strings).list();
                let shown = &list.iter().find(|line| line.name == name).unwrap().value;
                assert!(!shown.contains("hunter") && shown.contains("(hidden)"), "{name}={address}: {shown}");
            }
        }
        assert_eq!(without_password("ws://root:pa,ss@h"), "ws://(hidden)@h");
    }

    #[test]
    fn what_is_not_given_is_shown_as_what_holds() {
        let strings: BTreeMap<String, String> = [("PROXY_PORT".to_owned(), " ".to_owned())].into();
        let list = RawConfig::read(&strings).list();
        let shown = |name: &str| list.iter().find(|line| line.name == name).unwrap();
        assert!(list.iter().all(|line| !line.value.is_empty() && line.source == "default"));
        assert_eq!((shown("PROXY_PORT").value.as_str(), shown("MAX_BODY_MB").value.as_str()), ("8080", "64"));
        assert_eq!(shown("RATE_LIMIT_REQUESTS").value, "(no limit)");
        assert!(shown("DATA_DIR").value.starts_with('/') && shown("DATA_DIR").value.ends_with("/data"));
        assert!(shown("DATABASE_URL").value.starts_with("surrealkv:///"));
        assert!(OVERRIDDEN.iter().all(|name| list.iter().any(|line| line.name == *name)));
    }

    #[test]
    fn a_list_without_passwords_is_shown() {
        let strings: BTreeMap<String, String> =
            [("OLLAMA_SERVERS".to_owned(), "http://a:1, gpu-7,http://b/?x=1".to_owned())].into();
        let list = RawConfig::read(&strings).list();
        assert!(list.iter().any(|line| line.value == "http://a:1,gpu-7,http://b/?(hidden)"));
    }
}
