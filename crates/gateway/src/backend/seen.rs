//! What the looks at one backend have shown so far. A list that could not be read changes nothing but the state; a model
//! that is missing stays for two polls, because lists flap while a server restarts or pulls.

use std::sync::Arc;

use domain::backend::BackendState;

use super::{
    look::Listing,
    rows::{Row, Running},
};

/// Polls for which a model that is no longer listed is still offered.
const LINGER: u8 = 2;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    reached: Option<bool>,
    version: Option<String>,
    listed: Arc<[Arc<Row>]>,
    /// No longer listed, and for how many polls.
    lingering: Vec<(Arc<Row>, u8)>,
    running: Arc<[Running]>,
    native: bool,
    answered: bool,
}

/// How much a look has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    None,
    /// Only what is loaded.
    Running,
    /// State, models or version: what the pages show.
    Status,
}

impl Seen {
    /// Takes a new list. With `believe` a model it lacks is gone at once.
    pub(crate) fn take(&mut self, listing: Listing, believe: bool) -> Change {
        let listed: Arc<[Arc<Row>]> = listing.models.into_iter().map(Arc::new).collect();
        let gone = |row: &Row| !listed.iter().any(|other| other.name == row.name);
        let mut lingering = Vec::new();
        if !believe && self.native == listing.native {
            let fresh = self.listed.iter().map(|row| (row, 0));
            for (row, missed) in self.lingering.iter().map(|(row, missed)| (row, *missed)).chain(fresh) {
                if missed < LINGER && gone(row) {
                    lingering.push((Arc::clone(row), missed + 1));
                }
            }
        }
        let version = listing.version.or_else(|| self.version.take().filter(|_| self.native == listing.native));
        let same_lists = same(&self.listed, &listed) && self.lingering.len() == lingering.len();
        let status =
            self.reached != Some(true) || self.version != version || !same_lists || self.native != listing.native;
        let running = listing.running.map(Arc::<[Running]>::from);
        let ran = running.as_ref().is_some_and(|new| !same_running(&self.running, new));
        *self = Self {
            reached: Some(true),
            version,
            listed,
            lingering,
            running: running.unwrap_or_else(|| Arc::clone(&self.running)),
            native: listing.native,
            answered: true,
        };
        match (status, ran) {
            (true, _) => Change::Status,
            (false, true) => Change::Running,
            (false, false) => Change::None,
        }
    }

    /// The look failed: everything known stays.
    pub(crate) fn lose(&mut self) -> Change {
        let before = self.reached.replace(false);
        if before == Some(false) { Change::None } else { Change::Status }
    }

    pub(crate) fn state(&self) -> BackendState {
        match self.reached {
            None => BackendState::Unknown,
            Some(true) => BackendState::Up,
            Some(false) => BackendState::Down,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.reached == Some(true)
    }

    /// It has given a list at least once.
    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn native(&self) -> bool {
        self.native
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Names as the last list has them.
    pub(crate) fn names(&self) -> Vec<String> {
        self.listed.iter().map(|row| row.name.clone()).collect()
    }

    /// What is offered: the last list and what lingers.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.listed.iter().chain(self.lingering.iter().map(|(row, _)| row))
    }

    /// What is loaded, as far as it is known to be running at all.
    pub(crate) fn running(&self) -> &[Running] {
        if self.is_up() { &self.running } else { &[] }
    }
}

fn same(left: &[Arc<Row>], right: &[Arc<Row>]) -> bool {
    let text = |row: &Row| (row.tags.get().len(), row.openai.as_ref().map(|row| row.get().len()));
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            text(left) == text(right)
                && left.tags.get() == right.tags.get()
                && left.openai.as_ref().map(|row| row.get()) == right.openai.as_ref().map(|row| row.get())
        })
}

fn same_running(left: &[Running], right: &[Running]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.row.get() == right.row.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::rows;

    fn listing(names: &[&str]) -> Listing {
        let rows: Vec<String> = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect();
        let body = format!(r#"{{"models":[{}]}}"#, rows.join(","));
        Listing {
            version: Some("0.5.1".into()),
            models: rows::tags(body.as_bytes()).unwrap(),
            running: None,
            native: true,
        }
    }

    fn offered(seen: &Seen) -> Vec<&str> {
        seen.rows().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn a_missing_model_is_offered_for_two_more_polls() {
        let mut seen = Seen::default();
        seen.take(listing(&["a", "b"]), false);
        for change in [Change::Status, Change::None] {
            // What the pages show is the list as it is, so the first poll without the model is a change.
            assert_eq!(seen.take(listing(&["a"]), false), change);
            assert_eq!(offered(&seen), ["a", "b"]);
            assert_eq!(seen.names(), ["a"]);
        }
        assert_eq!(seen.take(listing(&["a"]), false), Change::Status);
        assert_eq!(offered(&seen), ["a"]);
    }

    #[test]
    fn a_flapping_list_never_loses_a_model() {
        let mut seen = Seen::default();
        for _ in 0..10 {
            seen.take(listing(&["a"]), false);
            assert_eq!(offered(&seen), ["a"]);
            seen.take(listing(&[]), false);
            assert_eq!(offered(&seen), ["a"]);
        }
    }

    #[test]
    fn a_list_that_is_believed_counts_at_once() {
        let mut seen = Seen::default();
        seen.take(listing(&["a", "b"]), false);
        assert_eq!(seen.take(listing(&["a"]), true), Change::Status);
        assert_eq!(offered(&seen), ["a"]);
    }

    #[test]
    fn a_failed_look_keeps_the_last_good_list() {
        let mut seen = Seen::default();
        assert_eq!(seen.lose(), Change::Status);
        assert!(!seen.answered());
        seen.take(listing(&["a"]), false);
        assert_eq!(seen.lose(), Change::Status);
        assert_eq!(seen.lose(), Change::None);
        assert_eq!((offered(&seen), seen.state(), seen.version()), (vec!["a"], BackendState::Down, Some("0.5.1")));
        assert_eq!(seen.take(listing(&["a"]), false), Change::Status);
        assert_eq!(seen.take(listing(&["a"]), false), Change::None);
    }
}
