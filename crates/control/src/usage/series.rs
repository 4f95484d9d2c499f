//! How much each group used over time, for the charts of the largest. All of it while it is little; where there are more
//! groups and steps than that, the groups are found first and only those are looked at again.

use std::collections::{HashMap, HashSet};

use domain::usage::report::GroupBy;
use store::row::UsageSum;

use super::names;

/// Most sums that are kept while it is not known which groups are the largest: about three megabytes. Few in tests, so that
/// these meet both ways.
const KEPT: usize = if cfg!(test) { 20 } else { 100_000 };

/// What a group used in one step.
#[derive(Clone, Copy)]
struct Spot {
    step: usize,
    requests: u64,
    tokens: u64,
}

/// Requests and tokens of a group, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Course {
    pub requests: Vec<u64>,
    pub tokens: Vec<u64>,
}

/// Collects what groups used. Sums come in the order of time, mostly.
#[derive(Default)]
pub(super) struct Series {
    by: GroupBy,
    /// `None`: of all.
    only: Option<HashSet<String>>,
    spots: HashMap<String, Vec<Spot>>,
    count: usize,
    /// It was too much, and all of it was thrown away.
    overflown: bool,
}

impl Series {
    /// Of every group, up to what can be kept.
    pub fn of_all(by: GroupBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// Of these groups, all of it.
    pub fn of(by: GroupBy, groups: impl Iterator<Item = String>) -> Self {
        Self { by, only: Some(groups.collect()), ..Self::default() }
    }

    pub fn is_overflown(&self) -> bool {
        self.overflown
    }

    pub fn add(&mut self, step: usize, sum: &UsageSum<'_>) {
        let id = names::id_of(self.by, sum);
        if self.overflown || self.only.as_ref().is_some_and(|only| !only.contains(id)) {
            return;
        }
        let tokens = sum.prompt_tokens.saturating_add(sum.completion_tokens);
        let spots = match self.spots.get_mut(id) {
            Some(spots) => spots,
            None => self.spots.entry(id.to_owned()).or_default(),
        };
        match spots.last_mut() {
            Some(last) if last.step == step => {
                last.requests = last.requests.saturating_add(sum.requests);
                last.tokens = last.tokens.saturating_add(tokens);
            }
            _ => {
                spots.push(Spot { step, requests: sum.requests, tokens });
                self.count += 1;
            }
        }
        if self.only.is_none() && self.count > KEPT {
            self.overflown = true;
            self.spots = HashMap::new();
        }
    }

    /// What one group used in each of `steps`.
    pub fn course(&self, id: &str, steps: usize) -> Course {
        let mut course = Course { requests: vec![0; steps], tokens: vec![0; steps] };
        for spot in self.spots.get(id).into_iter().flatten() {
            if let (Some(requests), Some(tokens)) =
                (course.requests.get_mut(spot.step), course.tokens.get_mut(spot.step))
            {
                *requests = requests.saturating_add(spot.requests);
                *tokens = tokens.saturating_add(spot.tokens);
            }
        }
        course
    }
}

#[cfg(test)]
mod tests {
    use domain::{endpoint::Endpoint, usage::Outcome};
    use store::row::Counts;

    use super::*;

    fn sum<'a>(model: &'a str, requests: u64) -> UsageSum<'a> {
        UsageSum {
            at: 0,
            user: "u",
            key: "k",
            model: Some(model),
            backend: None,
            endpoint: Endpoint::Chat,
            outcome: Outcome::Complete,
            failed: false,
            last_at: 0,
            requests,
            errors: 0,
            prompt_tokens: 2 * requests,
            completion_tokens: requests,
            gpu_us: 0,
            load_us: 0,
            queue_us: 0,
            cold: 0,
            bytes_in: 0,
            bytes_out: 0,
            total: Counts::default(),
            warm_ttft: Counts::default(),
            cold_ttft: Counts::default(),
            other_ttft: Counts::default(),
        }
    }

    #[test]
    fn what_comes_late_counts_for_its_step() {
        let mut series = Series::of_all(GroupBy::Model);
        for (step, model, requests) in [(0, "a", 1), (0, "a", 2), (2, "b", 5), (1, "a", 4), (0, "a", 8)] {
            series.add(step, &sum(model, requests));
        }
        assert_eq!(series.course("a", 3), Course { requests: vec![11, 4, 0], tokens: vec![33, 12, 0] });
        assert_eq!(series.course("b", 3).requests, [0, 0, 5]);
        assert_eq!(series.course("c", 2).requests, [0, 0]);
    }

    #[test]
    fn too_much_is_thrown_away_and_some_groups_are_never_too_much() {
        let mut all = Series::of_all(GroupBy::Model);
        let mut one = Series::of(GroupBy::Model, ["m7".to_owned()].into_iter());
        for step in 0..KEPT / 10 + 1 {
            for model in ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10"] {
                all.add(step, &sum(model, 1));
                one.add(step, &sum(model, 1));
            }
        }
        assert!(all.is_overflown() && all.spots.is_empty() && !one.is_overflown());
        let steps = KEPT / 10 + 1;
        assert_eq!(one.course("m7", steps).requests, vec![1; steps]);
        assert_eq!(one.course("m1", steps).requests, vec![0; steps]);
    }
}
