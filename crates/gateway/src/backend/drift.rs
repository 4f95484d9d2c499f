//! Models that are not the same everywhere: one name, but other weights on some backends, so that an answer depends on where a
//! request happens to go. Only Ollama says what is behind a name.

use std::collections::BTreeMap;

use domain::model::ModelName;

use super::catalogue::Source;

/// One name with several digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    pub model: String,
    /// The names of the backends by digest, those first that most of them have.
    pub digests: Vec<(String, Vec<String>)>,
}

/// By the lists that the backends gave last; one that is out keeps its last one.
pub(super) fn find(sources: &[Source]) -> Vec<Drift> {
    let mut models: BTreeMap<&str, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.seen.native()) {
        let told = source.seen.rows().filter(|row| !row.remote && !row.digest.is_empty());
        for row in told {
            let model = row.canonical.as_ref().map_or(row.name.as_str(), ModelName::display);
            let backends = models.entry(model).or_default().entry(&row.digest).or_default();
            let name = source.backend.name();
            if backends.last().is_none_or(|last| last != name) {
                backends.push(name.to_owned());
            }
        }
    }
    models.into_iter().filter(|(_, digests)| digests.len() > 1).map(|(model, digests)| drift(model, digests)).collect()
}

fn drift(model: &str, digests: BTreeMap<&str, Vec<String>>) -> Drift {
    let mut digests: Vec<_> = digests.into_iter().map(|(digest, backends)| (digest.to_owned(), backends)).collect();
    digests.sort_by_key(|(_, backends)| std::cmp::Reverse(backends.len()));
    Drift { model: model.to_owned(), digests }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{
        seen::Seen,
        tests::{backend_with, ollama, openai},
    };

    fn source(number: u8, seen: Seen) -> Source {
        Source { backend: backend_with(number, |entry| entry.name = format!("gpu-{number}")), seen }
    }

    fn lists(number: u8, rows: &[(&str, &str)]) -> Source {
        let rows: Vec<_> =
            rows.iter().map(|(name, digest)| format!(r#"{{"name":"{name}","digest":"{digest}"}}"#)).collect();
        source(number, ollama(&format!(r#"{{"models":[{}]}}"#, rows.join(",")), r#"{"models":[]}"#, "0.30.1"))
    }

    #[test]
    fn one_name_with_two_digests_is_told_with_who_has_which() {
        let sources = [
            lists(1, &[("Llama3:latest", "new"), ("same:latest", "s"), ("alone:1b", "a")]),
            lists(2, &[("llama3", "old"), ("same", "s")]),
            lists(3, &[("llama3:latest", "old"), ("llama3", "old")]),
        ];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = find(&sources);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].model, "llama3:latest");
        let expected = [("old".to_owned(), names(&["gpu-2", "gpu-3"])), ("new".to_owned(), names(&["gpu-1"]))];
        assert_eq!(found[0].digests, expected);
        assert_eq!(find(&sources[1..]), [], "it is over when they are alike");
    }

    #[test]
    fn what_says_no_digest_or_is_no_ollama_says_nothing() {
        let silent = lists(2, &[("llama3:latest", "")]);
        let stub = ollama(
            r#"{"models":[{"name":"llama3:latest","digest":"other","remote_host":"https://ollama.com"}]}"#,
            r#"{"models":[]}"#,
            "0.30.1",
        );
        let other = openai(r#"{"data":[{"id":"llama3:latest"}]}"#);
        let sources = [lists(1, &[("llama3:latest", "new")]), silent, source(3, stub), source(4, other)];
        assert_eq!(find(&sources), []);
    }
}
