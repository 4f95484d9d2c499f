//! What the looks at one backend have shown so far. A list that could not be read changes nothing but the state, and that
//! only if the next one cannot be read either; a model that is missing stays for two polls, because lists flap while a
//! server restarts or pulls.

use std::sync::Arc;

use domain::backend::BackendState;

use super::{
    look::Listing,
    rows::{Row, Running},
};

/// Polls for which a model that is no longer listed is still offered.
const LINGER: u8 = 2;
/// Failed looks in a row after which a backend that was up is down.
const PATIENCE: u8 = 2;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    reached: Option<bool>,
    /// Failed looks in a row.
    failed: u8,
    version: Option<String>,
    listed: Arc<[Arc<Row>]>,
    /// No longer listed, and for how many polls.
    lingering: Vec<(Arc<Row>, u8)>,
    running: Arc<[Running]>,
    native: bool,
    answered: bool,
    certificate_end: Option<u64>,
    /// When people were told last that it ends soon.
    pub(super) certificate_told: Option<u64>,
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
        let status = status || self.certificate_end != listing.certificate_end;
        let running = listing.running.map(Arc::<[Running]>::from);
        let ran = running.as_ref().is_some_and(|new| !same_running(&self.running, new));
        *self = Self {
            reached: Some(true),
            failed: 0,
            version,
            listed,
            lingering,
            running: running.unwrap_or_else(|| Arc::clone(&self.running)),
            native: listing.native,
            answered: true,
            certificate_end: listing.certificate_end,
            certificate_told: self.certificate_told,
        };
        match (status, ran) {
            (true, _) => Change::Status,
            (false, true) => Change::Running,
            (false, false) => Change::None,
        }
    }

    /// The look failed: everything known stays. One that was up is down when the next look fails too, or at once where it
    /// is `certain` that nobody is there.
    pub(crate) fn lose(&mut self, certain: bool) -> Change {
        self.failed = self.failed.saturating_add(1);
        if self.is_up() && !certain && self.failed < PATIENCE {
            return Change::None;
        }
        let before = self.reached.replace(false);
        if before == Some(false) { Change::None } else { Change::Status }
    }

    /// It is up as far as is known, and yet the last look failed.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_up() && self.failed > 0
    }

    /// The looks so far do not say whether it is up: the last one failed, and no second one has yet.
    pub(crate) fn is_unsure(&self) -> bool {
        self.failed > 0 && (self.is_up() || !self.answered && self.failed < PATIENCE)
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

    /// When the certificate ends that it showed at the last look that found it, in Unix milliseconds.
    pub(crate) fn certificate_end(&self) -> Option<u64> {
        self.certificate_end
    }

    /// Names as the last list has them.
    pub(crate) fn names(&self) -> Vec<String> {
        self.listed.iter().map(|row| row.name.clone()).collect()
    }

    /// What the last list has.
    pub(crate) fn listed(&self) -> &[Arc<Row>] {
        &self.listed
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
            certificate_end: None,
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
    fn two_failed_looks_make_a_backend_down_and_keep_its_last_good_list() {
        let mut seen = Seen::default();
        assert_eq!(seen.lose(false), Change::Status, "it never was up");
        assert!(!seen.answered() && seen.state() == BackendState::Down && seen.is_unsure());
        seen.lose(true);
        assert!(!seen.is_unsure(), "two looks say the same");
        seen.take(listing(&["a"]), false);
        assert!(!seen.is_unsure());
        assert_eq!((seen.lose(false), seen.state(), seen.is_doubtful()), (Change::None, BackendState::Up, true));
        assert_eq!(seen.lose(false), Change::Status);
        assert_eq!(seen.lose(false), Change::None);
        assert_eq!((offered(&seen), seen.state(), seen.version()), (vec!["a"], BackendState::Down, Some("0.5.1")));
        assert_eq!((seen.take(listing(&["a"]), false), seen.state()), (Change::Status, BackendState::Up));
        assert_eq!(seen.take(listing(&["a"]), false), Change::None);
    }

    #[test]
    fn failed_looks_that_alternate_with_good_ones_take_no_backend_down() {
        let mut seen = Seen::default();
        seen.take(listing(&["a"]), false);
        for _ in 0..5 {
            assert_eq!(seen.lose(false), Change::None);
            assert!(seen.is_up());
            assert_eq!(seen.take(listing(&["a"]), false), Change::None);
            assert!(!seen.is_doubtful());
        }
    }

    #[test]
    fn a_refused_connection_makes_a_backend_down_at_once() {
        let mut seen = Seen::default();
        seen.take(listing(&["a"]), false);
        assert_eq!((seen.lose(true), seen.state()), (Change::Status, BackendState::Down));
    }
}
