//! What people know as the users, keys, models and backends of records, also those that are gone.

use std::collections::HashMap;

use domain::{
    endpoint::Endpoint,
    key::KeyStatus,
    usage::report::{GroupBy, NO_MODEL, Named},
};
use store::row::AdminRow;

use crate::{playground, state::State};

/// Names by id, and whether it is gone. A backend that is gone leaves no name.
pub(super) struct Names<'s> {
    users: HashMap<&'s str, (&'s str, bool)>,
    keys: HashMap<&'s str, (&'s str, bool)>,
    backends: HashMap<&'s str, (&'s str, bool)>,
    admins: &'s [AdminRow],
}

impl<'s> Names<'s> {
    pub(super) fn of(state: &'s State) -> Self {
        let rows = &state.rows;
        let users = rows.users.iter().map(|row| (row.id.as_str(), (row.name.as_str(), row.removed_at.is_some())));
        let keys = rows.keys.iter().map(|row| (row.id.as_str(), (row.name.as_str(), row.status == KeyStatus::Revoked)));
        let backends = rows.backends.iter().map(|row| (row.id.as_str(), (row.name.as_str(), false)));
        Self { users: users.collect(), keys: keys.collect(), backends: backends.collect(), admins: &rows.admins }
    }

    pub(super) fn user(&self, id: &str) -> Named {
        self.playground(id).unwrap_or_else(|| named(&self.users, id))
    }

    pub(super) fn key(&self, id: &str) -> Named {
        self.playground(id).unwrap_or_else(|| named(&self.keys, id))
    }

    /// An administrator, who is key and user at once.
    fn playground(&self, id: &str) -> Option<Named> {
        let admin = self.admins.iter().find(|row| row.id.as_str() == id)?;
        Some(itself(id, &playground::name_of(admin)))
    }

    pub(super) fn backend(&self, id: &str) -> Named {
        named(&self.backends, id)
    }

    /// Of a group as reports call it.
    pub(super) fn group(&self, by: GroupBy, id: &str) -> Named {
        match by {
            GroupBy::User => self.user(id),
            GroupBy::Key => self.key(id),
            GroupBy::Backend if id.is_empty() => itself("", "none"),
            GroupBy::Backend => self.backend(id),
            GroupBy::Model => model(id),
            GroupBy::Endpoint => itself(id, id),
        }
    }
}

pub(super) fn model(name: &str) -> Named {
    if name == NO_MODEL { itself(NO_MODEL, "none") } else { itself(name, name) }
}

/// How groups are called before they are named.
pub(super) fn id_of<'a>(by: GroupBy, sum: &store::row::UsageSum<'a>) -> &'a str {
    match by {
        GroupBy::User => sum.user,
        GroupBy::Key => sum.key,
        GroupBy::Model => sum.model.unwrap_or(NO_MODEL),
        GroupBy::Backend => sum.backend.unwrap_or_default(),
        GroupBy::Endpoint => Endpoint::path(sum.endpoint),
    }
}

fn named(names: &HashMap<&str, (&str, bool)>, id: &str) -> Named {
    match names.get(id) {
        Some((name, removed)) => Named { id: id.to_owned(), name: (*name).to_owned(), removed: *removed },
        None => Named { id: id.to_owned(), name: id.to_owned(), removed: true },
    }
}

fn itself(id: &str, name: &str) -> Named {
    Named { id: id.to_owned(), name: name.to_owned(), removed: false }
}
