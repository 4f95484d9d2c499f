//! How the backend of a request was chosen: the little that a record keeps of it, and the sentence for people.

use serde::{Deserialize, Serialize};

use super::UsageRecord;
use crate::balance::Balance;

/// What a request met when its backend was chosen, the last time where it was chosen more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Choice {
    pub balance: Balance,
    /// Backends that have the model.
    pub of: u16,
    /// Those of them that could have taken it then, not counting any that it had tried before.
    pub ready: u16,
    /// Some that could have taken it have a lower priority.
    pub by_priority: bool,
    /// All of them were shut out after errors, and this one was tried in spite of that.
    pub desperate: bool,
}

impl UsageRecord {
    /// Why the request went to its model and backend, in one sentence without full stop. `None` where nothing was chosen, or
    /// it was before this was kept.
    pub fn why_there(&self) -> Option<String> {
        let parts: Vec<String> = self.via.as_deref().map(str::to_owned).into_iter().chain(self.why_backend()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn why_backend(&self) -> Option<String> {
        let Choice { balance, of, ready, by_priority, desperate } = self.choice?;
        if of == 1 {
            return Some("it is the only backend that has the model".to_owned());
        }
        if desperate {
            return Some(format!(
                "none of the {of} backends with the model could take it as usual, and one that was shut out after errors was tried"
            ));
        }
        let number = match ready {
            1 => "the only one".to_owned(),
            ready => format!("one of {ready}"),
        };
        let mut sentence = format!("{number} of {of} backends with the model that could take it");
        if self.retries > 0 {
            sentence.push_str(" after another had failed");
        }
        if ready > 1 {
            sentence.push_str(if by_priority { ", with the highest priority; among those " } else { "; " });
            sentence.push_str(balance.name());
            sentence.push_str(": ");
            sentence.push_str(match (balance, self.warm) {
                (Balance::WarmFirst, Some(true)) => "the model was loaded there",
                (Balance::WarmFirst, _) => "none of them had the model loaded",
                (Balance::LeastInFlight, _) => "it had the fewest requests for its weight",
                (Balance::RoundRobin, _) => "it was its turn",
                (Balance::Weighted, _) => "drawn by lot, by weight",
                (Balance::Affinity, _) => "its session belongs there, or to one that had more than its part",
            });
        }
        Some(sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        endpoint::Endpoint,
        id::{KeyId, UserId},
    };

    #[test]
    fn a_choice_is_told_by_what_it_was_made_of() {
        let (user, key) = (UserId::new("uuuuuuuuuuuu").unwrap(), KeyId::new("kkkkkkkkkkkk").unwrap());
        let record = UsageRecord::new(1, 1, user, key, Endpoint::Chat);
        let named = UsageRecord { via: Some("asked for as fast".into()), ..record.clone() };
        assert_eq!(named.why_there().as_deref(), Some("asked for as fast"));
        let choice = Choice { balance: Balance::WarmFirst, of: 1, ready: 1, by_priority: false, desperate: false };
        let both = UsageRecord { choice: Some(choice), ..named }.why_there().unwrap();
        assert_eq!(both, "asked for as fast; it is the only backend that has the model");
        let why = |balance, (ready, of), warm, retries| {
            let choice = Choice { balance, of, ready, by_priority: false, desperate: false };
            UsageRecord { choice: Some(choice), warm: Some(warm), retries, ..record.clone() }.why_there().unwrap()
        };
        assert_eq!(record.why_there(), None);
        assert_eq!(why(Balance::WarmFirst, (1, 1), true, 0), "it is the only backend that has the model");
        let warm = "one of 2 of 3 backends with the model that could take it; warm-first: the model was loaded there";
        assert_eq!(why(Balance::WarmFirst, (2, 3), true, 0), warm);
        assert!(why(Balance::WarmFirst, (2, 3), false, 0).ends_with("none of them had the model loaded"));
        let left = "the only one of 3 backends with the model that could take it after another had failed";
        assert_eq!(why(Balance::RoundRobin, (1, 3), true, 1), left);
        for balance in Balance::ALL {
            assert!(why(balance, (2, 2), true, 0).contains(balance.name()));
        }
        let of = |by_priority, desperate| {
            let choice = Choice { balance: Balance::Weighted, of: 4, ready: 2, by_priority, desperate };
            UsageRecord { choice: Some(choice), ..record.clone() }.why_there().unwrap()
        };
        assert!(
            of(true, false).contains("with the highest priority; among those weighted: drawn by lot"),
            "{}",
            of(true, false)
        );
        assert!(of(false, true).starts_with("none of the 4 backends"));
    }
}
