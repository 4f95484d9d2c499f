//! How a backend is chosen among those that have a model: the names that configuration and pages use. Choosing is
//! `gateway`'s business.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The setting `BALANCE`. Whatever it says, a backend that is full, drained or ejected is left out, and a higher
/// priority goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Where the model is loaded, then where loading it disturbs nobody, then the fewest requests by weight.
    #[default]
    WarmFirst,
    /// The fewest requests in flight, by weight.
    LeastInFlight,
    /// One after another.
    RoundRobin,
    /// Shares in proportion to the weights.
    Weighted,
    /// The same session, or the same beginning of a prompt, goes to the same backend while that one is not overloaded.
    Affinity,
}

impl Balance {
    /// In the order they are offered. What is stored has places in it, so further ones come last.
    pub const ALL: [Self; 5] = [Self::WarmFirst, Self::LeastInFlight, Self::RoundRobin, Self::Weighted, Self::Affinity];

    /// As it is written in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmFirst => "warm-first",
            Self::LeastInFlight => "least-in-flight",
            Self::RoundRobin => "round-robin",
            Self::Weighted => "weighted",
            Self::Affinity => "affinity",
        }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is none of the strategies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of warm-first, least-in-flight, round-robin, weighted, affinity")]
pub struct InvalidBalance;

impl FromStr for Balance {
    type Err = InvalidBalance;

    fn from_str(text: &str) -> Result<Self, InvalidBalance> {
        let text = text.trim();
        Self::ALL.into_iter().find(|balance| balance.name().eq_ignore_ascii_case(text)).ok_or(InvalidBalance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_is_read_as_it_is_written() {
        for balance in Balance::ALL {
            assert_eq!(balance.to_string().parse(), Ok(balance));
            assert_eq!(serde_json::to_string(&balance).unwrap(), format!("{:?}", balance.name()));
            assert!(InvalidBalance.to_string().contains(balance.name()));
        }
        // Their places are stored.
        let names = Balance::ALL.map(Balance::name);
        assert_eq!(names, ["warm-first", "least-in-flight", "round-robin", "weighted", "affinity"]);
        assert_eq!(" Warm-First ".parse(), Ok(Balance::default()));
        assert_eq!("fastest".parse::<Balance>(), Err(InvalidBalance));
    }
}
