//! The strategy by which backends are chosen. What each does is said in full on the Help page.

use domain::{
    balance::Balance,
    settings::{Source, Sourced},
};
use leptos::prelude::*;

use super::{
    setting::{Place, Shown, Unit, guide},
    typed,
};
use crate::components::area::Choice;

/// The last one gives a saved choice up.
const OPTIONS: &[(&str, &str)] = &[
    ("warm-first", "Warm first"),
    ("least-in-flight", "Least in flight"),
    ("round-robin", "Round robin"),
    ("weighted", "Weighted"),
    ("affinity", "Affinity"),
    ("", "As the environment says, or the default"),
];

#[component]
pub(super) fn Strategy(shown: Shown, balance: Sourced<Balance>) -> impl IntoView {
    const NAME: &str = "balance";
    let options = if balance.source == Source::Saved { OPTIONS } else { &OPTIONS[..Balance::ALL.len()] };
    let does = match balance.value {
        Balance::WarmFirst => "Now: where the model is loaded already, then where loading it disturbs nobody.",
        Balance::LeastInFlight => "Now: the backend with the fewest requests in flight, by weight.",
        Balance::RoundRobin => "Now: one backend after the other.",
        Balance::Weighted => "Now: shares in proportion to the weights.",
        Balance::Affinity => "Now: the same conversation goes to the same backend while that one is not overloaded.",
    };
    let value = typed(NAME, balance.value.name());
    view! {
        <Unit name=NAME><Place shown name=NAME>
            <Choice
                label=guide(NAME).label name=NAME id=NAME value options hint={shown.hint(NAME, does)} fault={shown.fault(NAME)}
            />
        </Place></Unit>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_can_be_chosen() {
        let names: Vec<&str> = Balance::ALL.iter().map(|balance| balance.name()).collect();
        let options: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(options.split_last(), Some((&"", names.as_slice())));
    }
}
