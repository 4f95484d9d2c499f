//! Of keys and users: who is at a limit or a budget at this moment, so that their next call is answered with 429.

use std::collections::HashMap;

use domain::{
    key::KeyStatus,
    live::Attention,
    policy::{Meter, PartyStanding, WindowStanding},
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

/// Everybody who is at a limit now, by name. A key's own limits are told before those of its user.
pub(crate) fn reached(control: &Control, state: &State) -> Vec<Reached> {
    let mut users: HashMap<_, _> = state.users().map(|user| (&user.id, (user, false))).collect();
    let mut reached = Vec::new();
    for key in state.rows.keys.iter().filter(|key| key.status == KeyStatus::Active) {
        let Some((user, told)) = users.get_mut(&key.user).filter(|(user, _)| user.enabled) else { continue };
        let Some(standing) = control.0.gateway.standing(&key.id) else { continue };
        let page = user.id.to_string();
        if let Some(limit) = party(&standing.key).or_else(|| window(standing.window.as_ref()?)) {
            let who = format!("Key {} of {}", key.name, user.name);
            reached.push(Reached { user: page.clone(), id: key.id.to_string(), who, limit });
        }
        if !*told && let Some(limit) = party(&standing.user) {
            *told = true;
            reached.push(Reached { user: page.clone(), id: page, who: format!("User {}", user.name), limit });
        }
    }
    reached.sort_by(|left, right| left.who.cmp(&right.who));
    reached
}

fn window(window: &WindowStanding) -> Option<String> {
    let limit = window.limit;
    (window.left == 0).then(|| {
        let minutes =
            if limit.minutes == 1 { "minute".into() } else { format!("{} minutes", number(limit.minutes.into())) };
        format!("{} in every {minutes}", plural(limit.requests.into(), "request"))
    })
}

/// What lasts longest is told.
fn party(party: &PartyStanding) -> Option<String> {
    let meters = [
        (party.tokens_month, "token", "a month"),
        (party.tokens_day, "token", "a day"),
        (party.gpu_seconds_day, "GPU second", "a day"),
        (party.tokens_minute, "token", "a minute"),
        (party.concurrent, "request", "at once"),
    ];
    let full = |meter: Meter| meter.left() == Some(0);
    let (meter, noun, period) = meters.into_iter().find(|(meter, ..)| full(*meter))?;
    Some(format!("{} {period}", plural(meter.limit?, noun)))
}

#[cfg(test)]
mod tests {
    use domain::limit::RateLimit;

    use super::*;

    #[test]
    fn a_window_is_full_with_its_last_request() {
        let at = |minutes, left| {
            let limit = RateLimit::new(20, minutes).unwrap();
            window(&WindowStanding { limit, used: 20 - left, left, reset_s: 0 })
        };
        assert_eq!(at(5, 0).as_deref(), Some("20 requests in every 5 minutes"));
        assert_eq!(at(1, 0).as_deref(), Some("20 requests in every minute"));
        assert_eq!(at(5, 1), None);
    }

    #[test]
    fn what_is_used_or_reserved_up_to_a_limit_is_told_and_what_lasts_longest_first() {
        let meter = |used, reserved| Meter { used, reserved, limit: Some(1_000) };
        let day = PartyStanding { tokens_day: meter(600, 400), ..Default::default() };
        assert_eq!(party(&day).as_deref(), Some("1,000 tokens a day"));
        let both = PartyStanding { tokens_month: meter(1_001, 0), ..day };
        assert_eq!(party(&both).as_deref(), Some("1,000 tokens a month"));
        let left = PartyStanding { gpu_seconds_day: meter(999, 0), ..Default::default() };
        assert_eq!(party(&left), None);
        let one = Meter { used: 1, reserved: 0, limit: Some(1) };
        assert_eq!(
            party(&PartyStanding { concurrent: one, ..Default::default() }).as_deref(),
            Some("1 request at once")
        );
        assert_eq!(party(&PartyStanding::default()), None, "without a limit nothing is reached");
    }
}
