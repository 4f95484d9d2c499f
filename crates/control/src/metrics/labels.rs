//! Labels and what bounds them: closed lists, and names of which only so many are told apart.

use std::collections::HashSet;

use domain::usage::Outcome;

/// Names and values of one series.
pub(super) type Labels<const N: usize> = [(&'static str, String); N];

/// Stands for all names beyond the bound, and for what is gone.
pub(super) const OTHER: &str = "other";
/// Backends that are told apart.
pub(super) const BACKENDS: usize = 200;
/// Models that are told apart.
pub(super) const MODELS: usize = 200;

/// The first so many names; all others are one.
pub(super) struct Names {
    known: HashSet<String>,
    most: usize,
}

impl Names {
    pub(super) fn new(most: usize) -> Self {
        Self { known: HashSet::new(), most }
    }

    /// What `name` is called in a label.
    pub(super) fn label(&mut self, name: &str) -> String {
        if self.known.contains(name) {
            return name.to_owned();
        }
        if self.known.len() >= self.most {
            return OTHER.to_owned();
        }
        self.known.insert(name.to_owned());
        name.to_owned()
    }
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::ClientGone => "client_gone",
        Outcome::UpstreamFailed => "upstream_failed",
        Outcome::Refused => "refused",
        Outcome::ShutDown => "shut_down",
    }
}

/// Backends may answer with any number.
pub(super) fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => OTHER,
    }
}

/// The statuses that mean something here by themselves, all others by their class.
pub(super) fn status(status: u16) -> &'static str {
    match status {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        408 => "408",
        413 => "413",
        414 => "414",
        415 => "415",
        422 => "422",
        429 => "429",
        431 => "431",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        508 => "508",
        _ => class(status),
    }
}
