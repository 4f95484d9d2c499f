//! Which models a request for `auto` may be sent to, in which order, and why. The rules are `domain::auto`'s; here they meet
//! the catalogue and what the key may use.

use std::{collections::HashSet, sync::Arc};

use domain::{
    alias::TargetState,
    auto::{AutoTarget, Entry, Purposes, Wanted},
};

use super::{ResolveError, Route, chain::target};
use crate::{
    alias::{Alias, Aliases},
    backend::View,
    policy::Rules,
};

/// What one request may be sent to: the best first, and why that is the first.
pub(crate) struct Picked {
    pub(super) models: Vec<String>,
    pub(super) reason: String,
}

/// Models with what is known of them, in the order of preference.
struct Field<'v> {
    /// An administrator put them in order.
    ordered: bool,
    entries: Vec<(&'v str, Entry)>,
}

impl<'v> Field<'v> {
    /// Of those that some backend has and `admits` lets through.
    fn of(alias: &'v Alias, view: &'v View, now: u64, admits: impl Fn(&str) -> bool) -> Self {
        let (routes, aliases) = (&view.catalogue.routes, &view.snapshot.settings.aliases);
        let purposes = alias.auto.as_deref().unwrap_or_default();
        let ordered = !alias.models.is_empty();
        let entry = |model: &'v str, purposes: Purposes| {
            // First, so that nothing is learned of what a key may not use.
            let route = Some(model).filter(|model| admits(model)).and_then(|model| routes.find(model).ok())?;
            Some((model, route.entry(purposes, now)))
        };
        let entries = if ordered {
            alias.models.iter().zip(purposes).filter_map(|(model, purposes)| entry(model, *purposes)).collect()
        } else {
            let named = routes.all.iter().filter(|model| aliases.find(model).is_none());
            named.filter_map(|model| entry(model, Purposes::default())).collect()
        };
        Self { ordered, entries }
    }

    fn rank(&self, wanted: Wanted) -> Vec<usize> {
        let entries: Vec<Entry> = self.entries.iter().map(|(_, entry)| *entry).collect();
        wanted.rank(&entries, self.ordered)
    }
}

impl Route {
    fn entry(self: &Arc<Self>, purposes: Purposes, now: u64) -> Entry {
        let warm = self.members.iter().any(|member| !member.backend.is_down() && member.is_warm(now));
        Entry { purposes, can: self.can.with(purposes), warm }
    }
}

impl Picked {
    pub(crate) fn of(
        alias: &Alias,
        view: &View,
        rules: &Rules,
        wanted: Wanted,
        now: u64,
    ) -> Result<Self, ResolveError> {
        if !view.catalogue.routes.answered {
            return Err(ResolveError::NoBackend);
        }
        let whole = view.snapshot.settings.aliases.admit(rules, &alias.display);
        let field = Field::of(alias, view, now, |model| whole || rules.admits_model(model));
        let order = field.rank(wanted);
        let first = order.first().ok_or(ResolveError::Wanting(wanted.wanting()))?;
        let reason = wanted.reason(field.entries[*first].1, field.ordered);
        Ok(Self { models: order.iter().map(|at| field.entries[*at].0.to_owned()).collect(), reason })
    }
}

/// How it stands with the first `most` of the models that may be picked, in the order of a plain question, and how many more
/// there are. Those that cannot answer one, or are on no backend, come behind. For people who may know the fleet.
pub(crate) fn all_targets(aliases: &Aliases, view: &View, now: u64, most: usize) -> (Vec<AutoTarget>, usize) {
    let Some(alias) = aliases.find(domain::auto::NAME).filter(|alias| alias.auto.is_some()) else {
        return (Vec::new(), 0);
    };
    let field = Field::of(alias, view, now, |_| true);
    let mut order = field.rank(Wanted::default());
    let able = order.len();
    let ranked: HashSet<usize> = order.iter().copied().collect();
    order.extend((0..field.entries.len()).filter(|at| !ranked.contains(at)));
    let mut names: Vec<(&str, Option<Entry>)> =
        order.into_iter().map(|at| (field.entries[at].0, Some(field.entries[at].1))).collect();
    let absent = alias.models.iter().filter(|model| field.entries.iter().all(|(known, _)| known != model));
    names.extend(absent.map(|model| (model.as_str(), None)));
    let more = names.len().saturating_sub(most);
    let mut taken = false;
    let told = names.into_iter().take(most).enumerate().map(|(at, (model, entry))| {
        let mut target = target(model, view, now, &mut taken);
        if at >= able && entry.is_some() {
            if target.state == TargetState::Next {
                (target.state, taken) = (TargetState::Standby, false);
            }
            target.why.insert_str(0, "answers no plain question, ");
        }
        let can = entry.map(|entry| entry.can.words()).unwrap_or_default();
        AutoTarget { model: target.model, state: target.state, why: target.why, can }
    });
    (told.collect(), more)
}
