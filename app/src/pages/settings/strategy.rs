//! The strategy by which backends are chosen. What each does is said in full on the Help page.

use domain::{
    balance::Balance,
    settings::{Source, Sourced},
};
use leptos::prelude::*;

use super::typed;
use crate::{
    api::settings::StoreSettings,
    components::{action::FormAction, area::Choice, fault::field_fault},
};

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
pub(super) fn Strategy(save: FormAction<StoreSettings>, balance: Sourced<Balance>) -> impl IntoView {
    let (origin, options) = match (balance.source, balance.overrides_environment) {
        (Source::Default, _) => ("This is the default.", &OPTIONS[..Balance::ALL.len()]),
        (Source::Environment, _) => ("Set by the environment.", &OPTIONS[..Balance::ALL.len()]),
        (Source::Saved, false) => ("Saved here.", OPTIONS),
        (Source::Saved, true) => ("Saved here, overrides the environment.", OPTIONS),
    };
    let does = match balance.value {
        Balance::WarmFirst => "Where the model is loaded already, then where loading it disturbs nobody.",
        Balance::LeastInFlight => "The backend with the fewest requests in flight, by weight.",
        Balance::RoundRobin => "One backend after the other.",
        Balance::Weighted => "Shares in proportion to the weights.",
        Balance::Affinity => "The same conversation goes to the same backend while that one is not overloaded.",
    };
    let value = typed("balance", balance.value.name());
    view! {
        <Choice label="Strategy" name="balance" id="balance" value options hint=format!("{does} {origin}") fault=field_fault(save, "balance") />
    }
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
