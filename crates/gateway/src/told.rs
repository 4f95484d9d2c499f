//! How often the gateway answered with an error of its own, by kind. Counting is one relaxed addition on a path that has
//! failed already. Nothing of a request is kept, so that what is counted is as bounded as the kinds that there are.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use domain::limit::RateLimit;
use http::StatusCode;

use crate::error::{Error, Source};

/// Places for kinds; more than there are kinds.
const PLACES: usize = 96;
/// What the listener refused before it was a request of the API: no valid HTTP, an address that is not admitted.
const LISTENER: &str = "listener";

/// How often one kind of error was told since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCount {
    /// A stable name, as in the OpenAI dialect's errors.
    pub code: &'static str,
    /// `client`, `gateway` or `upstream`.
    pub source: &'static str,
    pub status: u16,
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    code: &'static str,
    source: Source,
    status: StatusCode,
}

#[derive(Default)]
struct Place {
    /// Set once, by the first error of its kind.
    kind: OnceLock<Kind>,
    count: AtomicU64,
}

/// Every error told.
pub(crate) struct Told(Vec<Place>);

impl Default for Told {
    /// The kinds that alarms are made for are there from the start, so that the first of them is a rise.
    fn default() -> Self {
        let told = Self(std::iter::repeat_with(Place::default).take(PLACES).collect());
        let limit = RateLimit { requests: 1, minutes: 1 };
        for error in [
            Error::MissingKey,
            Error::InvalidKey,
            Error::TooManyFailures { retry_after: 0 },
            Error::Limited { limit, retry_after: 0, close: false },
            Error::Crowded,
            Error::Memory,
            Error::NoBackend,
            Error::QueueFull { retry_after: 0 },
            Error::QueueTimeout { retry_after: 0 },
            Error::Unreachable,
            Error::BackendClosed,
            Error::FirstByteTimeout,
            Error::BackendMalformed,
            Error::BackendCredentials,
        ] {
            told.place(Kind::of(&error));
        }
        told
    }
}

impl Kind {
    fn of(error: &Error) -> Self {
        Self { code: error.code(), source: error.source(), status: error.status() }
    }
}

impl Told {
    pub(crate) fn count(&self, error: &Error) {
        self.add(Kind::of(error));
    }

    /// An error that the listener told in place of the gateway.
    pub(crate) fn count_listener(&self, status: StatusCode) {
        let source = if status.is_server_error() { Source::Gateway } else { Source::Client };
        self.add(Kind { code: LISTENER, source, status });
    }

    fn add(&self, kind: Kind) {
        if let Some(place) = self.place(kind) {
            place.count.fetch_add(1, Relaxed);
        }
    }

    /// The place of a kind: places are taken in order and kept, so whoever looks for a kind meets it before a free one.
    fn place(&self, kind: Kind) -> Option<&Place> {
        self.0.iter().find(|place| *place.kind.get_or_init(|| kind) == kind)
    }

    pub(crate) fn counts(&self) -> Vec<ErrorCount> {
        let known = self.0.iter().filter_map(|place| Some((place.kind.get()?, place.count.load(Relaxed))));
        known
            .map(|(kind, count)| ErrorCount {
                code: kind.code,
                source: match kind.source {
                    Source::Client => "client",
                    Source::Gateway => "gateway",
                    Source::Upstream => "upstream",
                },
                status: kind.status.as_u16(),
                count,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(told: &Told, code: &str, status: u16) -> Option<(u64, &'static str)> {
        let found = told.counts().into_iter().find(|found| found.code == code && found.status == status);
        found.map(|found| (found.count, found.source))
    }

    #[test]
    fn errors_are_counted_by_their_kind_and_not_by_what_they_say() {
        let told = Told::default();
        assert_eq!(count(&told, "invalid_api_key", 401), Some((0, "client")), "what alarms watch is there at once");
        for name in ["a", "b\"\n}", "c"] {
            told.count(&Error::UnknownModel(name.into()));
        }
        told.count(&Error::FirstByteTimeout);
        told.count_listener(StatusCode::FORBIDDEN);
        told.count_listener(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(count(&told, "unknown_model", 404), Some((3, "client")));
        assert_eq!(count(&told, "first_byte_timeout", 504), Some((1, "upstream")));
        assert_eq!(count(&told, "listener", 403), Some((1, "client")));
        assert_eq!(count(&told, "listener", 500), Some((1, "gateway")));
    }

    #[test]
    fn whoever_counts_at_once_shares_one_place_and_loses_nothing() {
        let told = Told::default();
        let codes = [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::URI_TOO_LONG];
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let told = &told;
                scope.spawn(move || {
                    (0..3_000).for_each(|turn| told.count_listener(codes[(turn + thread) % codes.len()]));
                });
            }
        });
        for status in codes {
            assert_eq!(count(&told, "listener", status.as_u16()), Some((8_000, "client")), "{status}");
        }
        assert_eq!(told.counts().iter().filter(|found| found.code == "listener").count(), codes.len());
    }
}
