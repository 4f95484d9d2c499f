//! Requests and tokens by minute, for the last hour.

use std::collections::BTreeMap;

use domain::usage::{MinutePoint, UsageRecord};

const MINUTE: u64 = MinutePoint::LENGTH;
const HOUR: u64 = 60;

/// Minutes that had requests, by their start.
#[derive(Default)]
pub(super) struct Minutes(BTreeMap<u64, MinutePoint>);

/// Start of the oldest of the 60 minutes that end with the one `now` is in.
pub(super) fn hour_before(now: u64) -> u64 {
    (now - now % MINUTE).saturating_sub((HOUR - 1) * MINUTE)
}

impl Minutes {
    pub fn new(points: Vec<MinutePoint>) -> Self {
        Self(points.into_iter().map(|point| (point.at, point)).collect())
    }

    pub fn add(&mut self, record: &UsageRecord) {
        let point = MinutePoint::of(record.at);
        self.0.entry(point.at).or_insert(point).add(record);
    }

    /// Forgets what is older than an hour.
    pub fn prune(&mut self, now: u64) {
        self.0 = self.0.split_off(&hour_before(now));
    }

    /// Sixty points, also for minutes without requests.
    pub fn last_hour(&self, now: u64) -> Vec<MinutePoint> {
        let first = hour_before(now);
        let starts = (0..HOUR).map(|minute| first + minute * MINUTE);
        starts.map(|at| self.0.get(&at).copied().unwrap_or(MinutePoint::of(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::id::KeyId;

    use super::{super::tests::record, *};

    #[test]
    fn the_hour_has_sixty_points_and_the_running_minute_is_last() {
        let key = KeyId::new("kkkkkkkkkkkk").unwrap();
        let now = 1_000 * MINUTE + 17;
        let mut minutes = Minutes::default();
        for (at, status) in [(now, 200), (now - 1, 429), (now - 59 * MINUTE, 200), (now - 60 * MINUTE, 200)] {
            minutes.add(&record(&key, at, status));
        }
        let hour = minutes.last_hour(now);
        assert_eq!((hour.len(), hour[59].at), (60, 1_000 * MINUTE));
        assert_eq!(
            (hour[59].requests, hour[59].errors, hour[59].prompt_tokens, hour[59].completion_tokens),
            (2, 1, 6, 8)
        );
        assert_eq!(hour.iter().map(|point| point.requests).sum::<u64>(), 3, "older than an hour is not shown");
        minutes.prune(now);
        assert_eq!(minutes.0.len(), 2);
    }
}
