//! The fleet's models for the pages: every model once, with the backends that have it, as their last answers say. What can
//! be done to them is in `act`, how things are said in `words`.

mod act;
pub(crate) mod words;

use std::{cmp::Reverse, collections::HashMap};

use domain::{
    backend::BackendState,
    error::FieldError,
    id::BackendId,
    models::{AskModels, Holder, MAX_SEARCH, ModelRow, ModelsPage, NAMED, PAGE, SHOWS, SORTS, Version},
    usage::page::Choice,
};
use gateway::holdings::{Held, Holdings};

use crate::{Actor, Control, clock::Now};

/// Backends to choose from; whoever has more finds theirs by their own pages.
const BACKENDS: usize = 500;

/// One name with those who have it.
struct Group<'a> {
    name: &'a str,
    on: Vec<(&'a Holdings, Held<'a>)>,
}

impl Control {
    /// The models of the fleet. Every role may read them. What is wrong with the question is in the answer.
    pub fn models_page(&self, _actor: &Actor, asked: &AskModels) -> ModelsPage {
        page(&self.0.gateway.holdings(), asked, None)
    }

    /// The models of one backend, those in its memory first; the others count for what differs only.
    pub(crate) fn models_of(&self, backend: &BackendId, page: &str) -> ModelsPage {
        let (sort, page) = ("warm".to_owned(), page.to_owned());
        let asked = AskModels { sort, page, backend: backend.to_string(), ..AskModels::default() };
        self::page(&self.0.gateway.holdings(), &asked, Some(backend))
    }
}

/// With `only` a backend, rows tell of that one and of what differs elsewhere.
fn page(fleet: &[Holdings], asked: &AskModels, only: Option<&BackendId>) -> ModelsPage {
    let now = i64::try_from(Now::read().wall / 1_000).unwrap_or(i64::MAX);
    let groups = groups(fleet);
    let (all, drifting) = (groups.len() as u64, groups.iter().filter(|group| group.differs()).count() as u64);
    let backend = asked.backend.trim();
    let here = fleet.iter().find(|one| one.id.as_str() == backend).map_or(all, |one| one.models().count() as u64);
    let wanted = asked.model.trim();
    let one = groups.iter().find(|group| !wanted.is_empty() && group.name == wanted);
    let one = one.map(|group| group.row(now, usize::MAX, None));

    let (mut fitting, faults) = choose(groups, fleet, asked);
    sort(&mut fitting, asked.sort.trim(), only);
    let pages = fitting.len().div_ceil(PAGE).max(1);
    let page = asked.page.trim().parse::<usize>().unwrap_or(1).clamp(1, pages);
    let rows = fitting.iter().skip((page - 1) * PAGE).take(PAGE).map(|group| group.row(now, NAMED, only)).collect();
    let backends = fleet.iter().take(BACKENDS).map(|one| Choice { id: one.id.to_string(), name: one.name.clone() });
    ModelsPage {
        rows,
        fitting: fitting.len() as u64,
        all,
        here,
        drifting,
        page: page as u64,
        pages: pages as u64,
        backends: backends.collect(),
        one,
        next: if fitting.is_empty() { words::next(fleet, asked, only.is_some()) } else { String::new() },
        faults,
    }
}

fn groups(fleet: &[Holdings]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for backend in fleet {
        for held in backend.models() {
            let name = held.shown();
            let place = *places.entry(name).or_insert(groups.len());
            match groups.get_mut(place) {
                // A backend may list one model in several spellings.
                Some(group) if group.on.last().is_some_and(|(last, _)| std::ptr::eq(*last, backend)) => {}
                Some(group) => group.on.push((backend, held)),
                None => groups.push(Group { name, on: vec![(backend, held)] }),
            }
        }
    }
    groups
}

/// Those that fit, and what is wrong with the question: a fault leaves nothing out.
fn choose<'a>(groups: Vec<Group<'a>>, fleet: &[Holdings], asked: &AskModels) -> (Vec<Group<'a>>, Vec<FieldError>) {
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: String| faults.push(FieldError::new(field, message));
    let search = asked.search.trim().to_lowercase();
    if search.chars().count() > MAX_SEARCH {
        fault("search", format!("must be at most {MAX_SEARCH} characters"));
    }
    let backend = asked.backend.trim();
    if !backend.is_empty() && !fleet.iter().any(|one| one.id.as_str() == backend) {
        fault("backend", "is not a backend of this fleet any more".into());
    }
    let show = asked.show.trim();
    for (field, word, words) in [("show", show, SHOWS), ("sort", asked.sort.trim(), SORTS)] {
        if !words.iter().any(|(known, _)| *known == word) {
            let known: Vec<&str> = words.iter().map(|(known, _)| *known).filter(|known| !known.is_empty()).collect();
            fault(field, format!("must be {}, or nothing", known.join(", ")));
        }
    }
    let page = asked.page.trim();
    if !page.is_empty() && !page.parse::<usize>().is_ok_and(|page| page > 0) {
        fault("page", "must be a number from 1 on".into());
    }
    let fits = |group: &Group<'_>| {
        (search.is_empty() || group.name.to_lowercase().contains(&search))
            && (backend.is_empty() || group.on.iter().any(|(one, _)| one.id.as_str() == backend))
            && match show {
                "warm" => group.warm(None) > 0,
                "drift" => group.differs(),
                "one" => group.on.len() == 1,
                _ => true,
            }
    };
    let fitting = if faults.is_empty() { groups.into_iter().filter(fits).collect() } else { groups };
    (fitting, faults)
}

/// Alike ones by their names.
fn sort(groups: &mut [Group<'_>], by: &str, only: Option<&BackendId>) {
    match by {
        "size" => groups.sort_by_cached_key(|group| (Reverse(group.size()), group.name)),
        "backends" => groups.sort_by_cached_key(|group| (Reverse(group.on.len() as u64), group.name)),
        "warm" => groups.sort_by_cached_key(|group| (Reverse(group.warm(only)), group.name)),
        _ => groups.sort_unstable_by_key(|group| group.name),
    }
}

impl<'a> Group<'a> {
    /// The name means one thing here and another there.
    fn differs(&self) -> bool {
        let mut digests = self.on.iter().filter_map(|(_, held)| held.digest());
        let first = digests.next();
        digests.any(|other| Some(other) != first)
    }

    /// Backends that have it loaded, or whether `only` has.
    fn warm(&self, only: Option<&BackendId>) -> u64 {
        let counts = |one: &Holdings| only.is_none_or(|only| one.id == *only);
        self.on.iter().filter(|(one, held)| counts(one) && held.in_memory().is_some()).count() as u64
    }

    /// Of the largest.
    fn size(&self) -> u64 {
        self.on.iter().map(|(_, held)| held.size()).max().unwrap_or_default()
    }

    /// With `most` backends by name, or with `only` that one.
    fn row(&self, now: i64, most: usize, only: Option<&BackendId>) -> ModelRow {
        let mut on: Vec<_> = self.on.iter().filter(|(one, _)| only.is_none_or(|only| one.id == *only)).collect();
        on.sort_by_key(|(backend, held)| (held.in_memory().is_none(), is_off(backend.state), backend.name.as_str()));
        // Of several that differ the one that is shown first tells what it is.
        let told = on.iter().find(|(_, held)| held.size() > 0).or(on.first());
        ModelRow {
            name: self.name.to_owned(),
            facts: told.map(|(_, held)| words::facts(*held)).unwrap_or_default(),
            capabilities: self.capabilities(),
            versions: self.versions(most),
            more: on.len().saturating_sub(most) as u64,
            on: on.into_iter().take(most).map(|(backend, held)| holder(backend, *held, now)).collect(),
        }
    }

    /// Those that any of them tells, in the order they are told.
    fn capabilities(&self) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for capability in self.on.iter().flat_map(|(_, held)| held.capabilities()) {
            if !known.iter().any(|other| other == capability) {
                known.push(capability.to_owned());
            }
        }
        known.truncate(NAMED * 2);
        known
    }

    fn versions(&self, most: usize) -> Vec<Version> {
        let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
        for (backend, held) in &self.on {
            let Some(digest) = held.digest() else { continue };
            match found.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, on)) => on.push(&backend.name),
                None => found.push((digest, vec![&backend.name])),
            }
        }
        found.sort_by_key(|(digest, on)| (Reverse(on.len()), *digest));
        let version = |(digest, mut on): (&str, Vec<&str>)| {
            on.sort_unstable();
            Version {
                digest: words::digest(digest),
                more: on.len().saturating_sub(most) as u64,
                on: on.into_iter().take(most).map(str::to_owned).collect(),
            }
        };
        found.into_iter().take(most).map(version).collect()
    }
}

/// Nothing is sent there now.
fn is_off(state: BackendState) -> bool {
    matches!(state, BackendState::Down | BackendState::Disabled)
}

fn holder(backend: &Holdings, held: Held<'_>, now: i64) -> Holder {
    Holder {
        id: backend.id.clone(),
        name: backend.name.clone(),
        state: backend.state,
        foreign: backend.foreign,
        remote: held.remote(),
        warm: held.in_memory().map(|loaded| words::warm(loaded, now)),
        digest: held.digest().map(words::digest).unwrap_or_default(),
        size: words::size(held.size()),
    }
}
