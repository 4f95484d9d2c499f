//! What the command palette finds: places of the app, which the app names, and what is configured, by its name. A look at
//! what is in memory; every role may read all of it.

use domain::{
    find::{Find, Found, MAX_TEXT, MOST, MOST_OF_KIND},
    settings::guide::matches,
};
use url::form_urlencoded::byte_serialize;

use crate::{Actor, Control};

/// A place that is the same in every installation.
#[derive(Debug, Clone)]
pub struct Place {
    pub kind: &'static str,
    pub title: &'static str,
    /// What it is about; searched, too.
    pub detail: &'static str,
    pub href: String,
}

/// How well something fits: a title that begins with the text comes before one that has it, and that before the rest.
type Rank = u8;

/// What of one kind fits a text.
struct Kind<'a> {
    text: &'a str,
    found: Vec<(Rank, Found)>,
}

impl<'a> Kind<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    fn look(&mut self, kind: &str, title: &str, detail: &str, href: impl FnOnce() -> String) {
        if !matches(self.text, &[title, detail]) {
            return;
        }
        let (title_is, text) = (title.to_lowercase(), self.text.to_lowercase());
        let rank = if title_is.starts_with(&text) {
            0
        } else if matches(self.text, &[title]) {
            1
        } else {
            2
        };
        let found = Found { kind: kind.into(), title: title.into(), detail: detail.into(), href: href() };
        self.found.push((rank, found));
    }

    /// The best of them; equals stay in the order they were looked at.
    fn best(mut self) -> Vec<(Rank, Found)> {
        self.found.sort_by_key(|(rank, _)| *rank);
        self.found.truncate(MOST_OF_KIND);
        self.found
    }
}

fn query(page: &str, name: &str, value: &str) -> String {
    format!("{page}?{name}={}", byte_serialize(value.as_bytes()).collect::<String>())
}

impl Control {
    /// The best of `places`, which stand by their kinds, and of what is configured. An empty text finds the first kind.
    pub fn find_anything(&self, _actor: &Actor, input: &Find, places: &[Place]) -> Vec<Found> {
        let text = input.text.trim();
        if text.is_empty() {
            let pages = places.iter().take_while(|place| Some(place.kind) == places.first().map(|first| first.kind));
            return pages.take(MOST).map(Place::found).collect();
        }
        if text.chars().count() > MAX_TEXT {
            return Vec::new();
        }
        let mut all = Vec::new();
        let mut kinds: Vec<&str> = places.iter().map(|place| place.kind).collect();
        kinds.dedup();
        for kind in kinds {
            let mut fitting = Kind::new(text);
            for place in places.iter().filter(|place| place.kind == kind) {
                fitting.look(kind, place.title, place.detail, || place.href.clone());
            }
            all.extend(fitting.best());
        }
        let state = self.state();
        let mut users = Kind::new(text);
        for row in state.users() {
            users.look("User", &row.name, &row.remarks.label, || format!("/admin/users/{}", row.id));
        }
        all.extend(users.best());
        let mut backends = Kind::new(text);
        for row in &state.rows.backends {
            backends.look("Backend", &row.name, &row.url, || format!("/admin/backends/{}", row.id));
        }
        all.extend(backends.best());
        let mut aliases = Kind::new(text);
        for row in &state.rows.aliases {
            aliases.look("Alias", &row.name, "", || "/admin/aliases".to_owned());
        }
        if crate::auto::is_on(&state) {
            aliases.look("Alias", domain::auto::NAME, "", || "/admin/aliases".to_owned());
        }
        all.extend(aliases.best());
        let holdings = self.0.gateway.holdings();
        let mut names: Vec<&str> = holdings.iter().flat_map(|one| one.models().map(|model| model.shown())).collect();
        names.sort_unstable();
        names.dedup();
        let mut models = Kind::new(text);
        for name in names {
            models.look("Model", name, "", || query("/admin/models", "model", name));
        }
        all.extend(models.best());
        all.sort_by_key(|(rank, _)| *rank);
        all.truncate(MOST);
        all.into_iter().map(|(_, found)| found).collect()
    }
}

impl Place {
    fn found(&self) -> Found {
        let (title, detail) = (self.title.to_owned(), self.detail.to_owned());
        Found { kind: self.kind.to_owned(), title, detail, href: self.href.clone() }
    }
}
