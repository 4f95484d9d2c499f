//! Many lists into one: one row a name, whichever backend it comes from. What a client sees must not depend on which
//! backend answered last, so every choice follows the snapshot's order or the rows themselves.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use domain::model::ModelName;
use jiff::Timestamp;
use serde_json::Value;

use crate::backend::{
    rows::{Row, Running},
    seen::Seen,
};

/// One model of the merged list, shown by this row.
pub(super) struct Merged {
    pub(super) row: Arc<Row>,
}

/// Ollama's names are one when their canonical form is; every other name counts letter by letter.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Name(ModelName),
    Letters(String),
}

impl Identity {
    fn of(row: &Row) -> Self {
        row.canonical.clone().map_or_else(|| Self::Letters(row.name.clone()), Self::Name)
    }
}

/// All models, last modified first. Of several rows with one name and digest the last modified stands; of several
/// digests the first backend's. Stubs of cloud models are left out because they are not served.
pub(super) fn models(sources: &[&Seen]) -> Vec<Merged> {
    let mut merged: Vec<Merged> = Vec::new();
    let mut index: HashMap<Identity, usize> = HashMap::new();
    for row in sources.iter().flat_map(|seen| seen.rows()).filter(|row| !row.remote) {
        match index.get(&Identity::of(row)) {
            None => {
                index.insert(Identity::of(row), merged.len());
                merged.push(Merged { row: Arc::clone(row) });
            }
            Some(&at) if merged[at].row.digest == row.digest && row.modified > merged[at].row.modified => {
                merged[at].row = Arc::clone(row);
            }
            Some(_) => {}
        }
    }
    merged.sort_by(|left, right| {
        (Reverse(left.row.modified), &left.row.name).cmp(&(Reverse(right.row.modified), &right.row.name))
    });
    merged
}

struct Loaded<'a> {
    first: &'a Running,
    expires: Timestamp,
    /// Set when several backends have it loaded: their sizes added, the latest expiry.
    sum: Option<Value>,
}

/// What is loaded anywhere, longest to stay first; the same name and digest on several backends is one row with the sizes
/// added, as the memory is used on each. Names beside their rows.
pub(super) fn running(sources: &[&Seen]) -> Vec<(String, String)> {
    let mut merged: Vec<Loaded<'_>> = Vec::new();
    let mut index: HashMap<(Identity, &str), usize> = HashMap::new();
    for running in sources.iter().flat_map(|seen| seen.running()) {
        let name = ModelName::parse(&running.name)
            .map_or_else(|_| Identity::Letters(running.name.clone()), |(name, _)| Identity::Name(name));
        let at = *index.entry((name, running.digest.as_str())).or_insert(merged.len());
        match merged.get_mut(at) {
            None => merged.push(Loaded { first: running, expires: running.expires, sum: None }),
            Some(loaded) => loaded.add(running),
        }
    }
    merged.sort_by(|left, right| {
        (Reverse(left.expires), &left.first.name).cmp(&(Reverse(right.expires), &right.first.name))
    });
    merged.iter().map(|loaded| (loaded.first.name.clone(), loaded.write())).collect()
}

impl Loaded<'_> {
    fn add(&mut self, other: &Running) {
        let parse = |running: &Running| serde_json::from_str::<Value>(running.row.get()).unwrap_or_default();
        let other_row = parse(other);
        let first = self.first;
        let sum = self.sum.get_or_insert_with(|| parse(first));
        for member in ["size", "size_vram"] {
            if let (Some(left), Some(right)) = (sum[member].as_u64(), other_row[member].as_u64()) {
                sum[member] = left.saturating_add(right).into();
            }
        }
        if other.expires > self.expires {
            self.expires = other.expires;
            sum["expires_at"] = other_row["expires_at"].clone();
        }
    }

    fn write(&self) -> String {
        self.sum.as_ref().map_or_else(|| self.first.row.get().to_owned(), Value::to_string)
    }
}

/// The lowest version among the backends that answer, else among all that ever did: clients use what every backend can.
pub(super) fn version<'a>(sources: &[&'a Seen]) -> Option<&'a str> {
    let lowest = |up: bool| {
        let known = sources.iter().filter(|seen| seen.is_up() || !up).filter_map(|seen| seen.version());
        known.min_by_key(|version| numbers(version))
    };
    lowest(true).or_else(|| lowest(false))
}

/// `0.12.3-rc1` comes before `0.12.3` and after `0.9.0`.
fn numbers(version: &str) -> (Vec<u64>, bool) {
    let version = version.trim_start_matches('v');
    let (release, pre) = version.split_once(['-', '+']).map_or((version, false), |(release, _)| (release, true));
    (release.split('.').map(|part| part.parse().unwrap_or(0)).collect(), !pre)
}
