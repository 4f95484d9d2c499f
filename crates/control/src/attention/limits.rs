//! Of keys and users: who is at a limit or a budget at this moment, so that their next call is answered with 429, and who is
//! nearest to one.

use std::{cmp::Reverse, collections::HashMap};

use domain::{
    key::KeyStatus,
    live::{Attention, LimitInUse},
    policy::{PartyStanding, WindowStanding},
    words::{number, plural},
};

use crate::{Control, state::State};

/// A key or a user at a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Id of the user whose page shows it.
    pub user: String,
    /// Id of the key, or of the user where all keys together are at it.
    pub id: String,
    /// `key "laptop" of ada`, `user ada`.
    pub who: String,
    pub limit: String,
}

pub(super) fn told(reached: &[Reached]) -> Vec<Attention> {
    let told = reached.iter().map(|Reached { user, id, who, limit }| Attention {
        key: format!("limit:{id}"),
        urgent: false,
        text: format!("{who} is at its limit of {limit}: calls get 429."),
        link: format!("/admin/users/{user}"),
        action: "See the limits".into(),
    });
    told.collect()
}

/// What keys and users have used of their limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// Everybody who is at one, by name. A key's own limits are told before those of its user.
    pub reached: Vec<Reached>,
    /// Those of whom most is used, the fullest first.
    pub in_use: Vec<LimitInUse>,
}

/// So many of those in use are shown.
const SHOWN: usize = 6;

pub(crate) fn look(control: &Control, state: &State) -> Limits {
    let mut users: HashMap<_, _> = state.users().map(|user| (&user.id, (user, false))).collect();
    let mut all = Vec::new();
    for key in state.rows.keys.iter().filter(|key| key.status == KeyStatus::Active) {
        let Some((user, seen)) = users.get_mut(&key.user).filter(|(user, _)| user.enabled) else { continue };
        let Some(standing) = control.0.gateway.standing(&key.id) else { continue };
        let party = Party { page: user.id.as_str(), id: key.id.as_str(), key: Some(&key.name), user: &user.name };
        all.extend(party.most_used(meters(&standing.key).chain(standing.window.as_ref().map(window))));
        if !std::mem::replace(seen, true) {
            let party = Party { id: party.page, key: None, ..party };
            all.extend(party.most_used(meters(&standing.user)));
        }
    }
    let mut reached: Vec<Reached> =
        all.iter().filter(|(_, bound)| bound.is_full()).map(|(party, bound)| party.reached(*bound)).collect();
    reached.sort_by(|left, right| left.who.cmp(&right.who));
    all.sort_by_key(|(party, bound)| (Reverse(bound.permille()), party.id));
    let in_use = all.iter().filter(|(_, bound)| bound.used > 0).take(SHOWN).map(|(party, bound)| party.in_use(*bound));
    Limits { in_use: in_use.collect(), reached }
}

/// A key, or a user with all its keys.
#[derive(Debug, Clone, Copy)]
struct Party<'s> {
    /// Id of the user whose page shows it.
    page: &'s str,
    id: &'s str,
    key: Option<&'s str>,
    user: &'s str,
}

impl Party<'_> {
    /// With the one of its limits of which most is used; the first of those that are equal.
    fn most_used(self, bounds: impl Iterator<Item = Bound>) -> Option<(Self, Bound)> {
        let most = bounds.reduce(|most, bound| if bound.permille() > most.permille() { bound } else { most })?;
        Some((self, most))
    }

    fn who(self) -> String {
        let Self { key, user, .. } = self;
        key.map_or_else(|| format!("User {user}"), |key| format!("Key {key} of {user}"))
    }

    fn reached(self, bound: Bound) -> Reached {
        Reached { user: self.page.to_owned(), id: self.id.to_owned(), who: self.who(), limit: bound.limit() }
    }

    fn in_use(self, bound: Bound) -> LimitInUse {
        LimitInUse {
            id: self.id.to_owned(),
            link: format!("/admin/users/{}", self.page),
            who: self.who(),
            text: format!("{} of {}", number(bound.used), bound.limit()),
            percent: bound.permille() / 10,
        }
    }
}

/// One limit, and how much of it is used or reserved.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// Running requests are in it with what is reserved for them.
    used: u64,
    most: u64,
    noun: &'static str,
    period: Period,
}

#[derive(Debug, Clone, Copy)]
enum Period {
    Named(&'static str),
    /// In every so many.
    Minutes(u32),
}

impl Bound {
    fn is_full(self) -> bool {
        self.used >= self.most
    }

    /// Thousandths that are used; a limit of nothing is full.
    fn permille(self) -> u64 {
        (self.used.saturating_mul(1_000)).checked_div(self.most).unwrap_or(1_000).min(1_000)
    }

    /// `20 requests in every 5 minutes`.
    fn limit(self) -> String {
        let limit = plural(self.most, self.noun);
        match self.period {
            Period::Named(period) => format!("{limit} {period}"),
            Period::Minutes(1) => format!("{limit} in every minute"),
            Period::Minutes(minutes) => format!("{limit} in every {} minutes", number(minutes.into())),
        }
    }
}

fn window(window: &WindowStanding) -> Bound {
    let limit = window.limit;
    let most = u64::from(limit.requests);
    // What another gateway counted may have been told as what is left only.
    let used = most.saturating_sub(window.left.into());
    Bound { used, most, noun: "request", period: Period::Minutes(limit.minutes) }
}

/// Of what is limited; what lasts longest comes first.
fn meters(party: &PartyStanding) -> impl Iterator<Item = Bound> {
    let meters = [
        (party.tokens_month, "token", "a month"),
        (party.tokens_day, "token", "a day"),
        (party.gpu_seconds_day, "GPU second", "a day"),
        (party.tokens_minute, "token", "a minute"),
        (party.concurrent, "request", "at once"),
    ];
    meters.into_iter().filter_map(|(meter, noun, period)| {
        let used = meter.used.saturating_add(meter.reserved);
        Some(Bound { used, most: meter.limit?, noun, period: Period::Named(period) })
    })
}

#[cfg(test)]
mod tests {
    use domain::{limit::RateLimit, policy::Meter};

    use super::*;

    const ADA: Party<'_> = Party { page: "u", id: "k", key: Some("laptop"), user: "ada" };

    fn told(bounds: impl Iterator<Item = Bound>) -> Option<(String, String, u64, bool)> {
        let (party, bound) = ADA.most_used(bounds)?;
        let LimitInUse { who, text, percent, .. } = party.in_use(bound);
        Some((who, text, percent, bound.is_full()))
    }

    #[test]
    fn a_window_is_full_with_its_last_request() {
        let at = |minutes, left| {
            let limit = RateLimit::new(20, minutes).unwrap();
            let bound = window(&WindowStanding { limit, used: 20 - left, left, reset_s: 0 });
            (ADA.reached(bound).limit, bound.is_full(), bound.permille())
        };
        assert_eq!(at(5, 0), ("20 requests in every 5 minutes".into(), true, 1_000));
        assert_eq!(at(1, 0), ("20 requests in every minute".into(), true, 1_000));
        assert_eq!(at(5, 1), ("20 requests in every 5 minutes".into(), false, 950));
    }

    #[test]
    fn of_several_limits_the_fullest_is_told_and_of_equal_ones_what_lasts_longest() {
        let meter = |used, reserved| Meter { used, reserved, limit: Some(1_000) };
        let day = PartyStanding { tokens_day: meter(600, 400), ..Default::default() };
        let full = ("Key laptop of ada".to_owned(), "1,000 of 1,000 tokens a day".to_owned(), 100, true);
        assert_eq!(told(meters(&day)), Some(full));
        let both = PartyStanding { tokens_month: meter(1_001, 0), ..day };
        assert_eq!(told(meters(&both)).unwrap().1, "1,001 of 1,000 tokens a month");
        let left = PartyStanding { gpu_seconds_day: meter(999, 0), tokens_day: meter(5, 0), ..Default::default() };
        assert_eq!(
            told(meters(&left)).unwrap(),
            ("Key laptop of ada".into(), "999 of 1,000 GPU seconds a day".into(), 99, false)
        );
        let one = Meter { used: 1, reserved: 0, limit: Some(1) };
        assert_eq!(
            told(meters(&PartyStanding { concurrent: one, ..Default::default() })).unwrap().1,
            "1 of 1 request at once"
        );
        assert!(told(meters(&PartyStanding::default())).is_none(), "without a limit nothing is used of one");
        let nothing = Meter { used: 0, reserved: 0, limit: Some(0) };
        assert!(
            told(meters(&PartyStanding { concurrent: nothing, ..Default::default() })).unwrap().3,
            "a limit of nothing is full"
        );
    }
}
