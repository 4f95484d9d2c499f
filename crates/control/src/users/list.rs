//! A page of the list of users: searched, filtered, sorted and cut here, so that no answer carries more than a page.

use std::{cmp::Reverse, collections::HashMap};

use domain::{
    error::AdminError,
    id::{KeyId, UserId},
    key::{KEY_PREFIX, KeyStatus},
    user::{AskUsers, PAGE, Show, Sort, UserLine, UsersPage},
};
use store::row::{KeyRow, UserRow};

use super::Sum;
use crate::{Actor, Control, clock::Now, expiry, name};

impl Control {
    pub fn users_page(&self, _actor: &Actor, asked: &AskUsers) -> Result<UsersPage, AdminError> {
        let query = asked.query().map_err(|fields| AdminError::Invalid { fields })?;
        let (state, now) = (self.state(), Now::read().wall);
        let part = Part::new(&query.search);
        let mut found: HashMap<&UserId, Line<'_>> = HashMap::new();
        let mut all = 0;
        for row in state.users() {
            all += 1;
            let fits = part.is_in(&row.name) || part.is_in(&row.remarks.label) || part.is_in(&row.remarks.note);
            found.insert(&row.id, Line { row, fits, sum: Sum::default(), expiring: 0 });
        }
        let totals = self.0.usage.totals();
        for key in &state.rows.keys {
            let Some(line) = found.get_mut(&key.user) else { continue };
            line.fits = line.fits || part.is_of(key);
            line.sum.add(key.status, totals.get(&key.id).copied().unwrap_or_default());
            line.expiring += u64::from(expiry::is_soon(key, Some(line.row), state.successor(key), now));
        }
        let mut lines: Vec<_> = found.into_values().filter(|line| line.fits && line.is_shown(query.show)).collect();
        sort(&mut lines, query.sort);
        let pages = lines.len().div_ceil(PAGE).max(1);
        let page = query.page.min(pages);
        let matching = lines.len() as u64;
        let users = lines.into_iter().skip((page - 1) * PAGE).take(PAGE).map(Line::view).collect();
        Ok(UsersPage { users, matching, all, page: page as u64, pages: pages as u64 })
    }
}

struct Line<'s> {
    row: &'s UserRow,
    /// The search found it.
    fits: bool,
    sum: Sum,
    expiring: u64,
}

impl Line<'_> {
    fn is_shown(&self, show: Show) -> bool {
        match show {
            Show::All => true,
            Show::Active => self.row.enabled,
            Show::Disabled => !self.row.enabled,
            Show::Expiring => self.expiring > 0,
            Show::Unused => self.sum.used.last_used_at.is_none(),
        }
    }

    fn view(self) -> UserLine {
        let Self { row, sum: Sum { keys, used }, expiring, .. } = self;
        UserLine {
            id: row.id.clone(),
            name: row.name.clone(),
            label: row.remarks.label.clone(),
            enabled: row.enabled,
            keys,
            expiring,
            last_used_at: used.last_used_at,
            last_address: used.last_address.map(|address| address.to_string()),
            requests: used.requests,
        }
    }
}

/// Among equals the newest comes first, and the id decides of two that were made at once, so that no page repeats a user.
fn sort(lines: &mut [Line<'_>], sort: Sort) {
    let newest = |line: &Line<'_>| (Reverse(line.row.created_at), line.row.id.clone());
    match sort {
        Sort::Newest => lines.sort_by_cached_key(newest),
        Sort::Oldest => lines.sort_by_cached_key(|line| (line.row.created_at, line.row.id.clone())),
        Sort::Name => lines.sort_by_cached_key(|line| (name::fold(&line.row.name), newest(line))),
        Sort::Used => lines.sort_by_cached_key(|line| (Reverse(line.sum.used.last_used_at), newest(line))),
        Sort::Idle => lines.sort_by_cached_key(|line| (line.sum.used.last_used_at, newest(line))),
        Sort::Requests => lines.sort_by_cached_key(|line| (Reverse(line.sum.used.requests), newest(line))),
    }
}

/// What is searched for, as names are compared.
struct Part {
    folded: String,
    /// The beginning of a key's id, where that is what was meant: a few letters begin some id of thousands by chance.
    id: Option<String>,
}

impl Part {
    fn new(search: &str) -> Self {
        let search = search.trim();
        let whole = || KeyId::new(search).is_ok().then_some(search);
        let id = search.strip_prefix(KEY_PREFIX).or_else(whole).filter(|id| !id.is_empty());
        Self { folded: name::fold(search), id: id.map(str::to_owned) }
    }

    fn is_in(&self, text: &str) -> bool {
        self.folded.is_empty() || !text.is_empty() && name::fold(text).contains(&self.folded)
    }

    fn is_of(&self, key: &KeyRow) -> bool {
        let texts = [&key.name, &key.remarks.label, &key.remarks.note];
        let by_id = self.id.as_ref().is_some_and(|id| key.id.as_str().starts_with(id));
        by_id || key.status != KeyStatus::Revoked && texts.into_iter().any(|text| self.is_in(text))
    }
}
