//! What is asked of the list of users, as typed in the page's form or an address, and a page of it.

use serde::{Deserialize, Serialize};

use crate::{error::FieldError, id::UserId, key::without_secret};

/// Users on one page.
pub const PAGE: usize = 50;
/// Characters of a search.
pub const MAX_SEARCH: usize = 100;

/// Asks for a page of the list. Everything as typed; empty means: all, the newest first, the first page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskUsers {
    /// Part of a name, a label or a note of the user or one of its keys, or what the id of a key begins with.
    pub search: String,
    /// A word of [`Show`].
    pub show: String,
    /// A word of [`Sort`].
    pub sort: String,
    /// Counted from 1.
    pub page: String,
}

/// Which users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    All,
    Active,
    Disabled,
    /// Those with a key that expires soon.
    Expiring,
    /// Those of whose keys none was ever used.
    Unused,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Newest,
    Oldest,
    Name,
    /// The last used first.
    Used,
    /// The longest unused first, never used ones before all.
    Idle,
    /// The most first.
    Requests,
}

/// Words in addresses, and for people.
pub const SHOWS: [(&str, &str); 5] = [
    ("", "All users"),
    ("active", "Enabled"),
    ("disabled", "Disabled"),
    ("expiring", "With keys that expire soon"),
    ("unused", "Never used"),
];
pub const SORTS: [(&str, &str); 6] = [
    ("", "Newest first"),
    ("oldest", "Oldest first"),
    ("name", "By name"),
    ("used", "Last used first"),
    ("idle", "Longest unused first"),
    ("requests", "Most requests first"),
];

/// An [`AskUsers`] as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsersQuery {
    pub search: String,
    pub show: Show,
    pub sort: Sort,
    /// Counted from 1.
    pub page: usize,
}

impl AskUsers {
    /// The fields, as addresses and faults call them.
    pub const FIELDS: [&str; 4] = ["search", "show", "sort", "page"];

    fn all(&self) -> [(&'static str, &String); 4] {
        [("search", &self.search), ("show", &self.show), ("sort", &self.sort), ("page", &self.page)]
    }

    /// Names and values of what is given, as an address carries them: without the secret of a key.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all()
            .into_iter()
            .map(|(name, value)| (name, without_secret(value).trim()))
            .filter(|(_, value)| !value.is_empty())
    }

    /// Not everybody is asked for.
    pub fn is_narrow(&self) -> bool {
        self.pairs().any(|(name, _)| matches!(name, "search" | "show"))
    }

    pub fn query(&self) -> Result<UsersQuery, Vec<FieldError>> {
        let mut faults = Vec::new();
        let search = without_secret(&self.search).trim();
        if search.chars().count() > MAX_SEARCH {
            faults.push(FieldError::new("search", format!("must be at most {MAX_SEARCH} characters")));
        }
        let show = match self.show.trim() {
            "" => Show::All,
            "active" => Show::Active,
            "disabled" => Show::Disabled,
            "expiring" => Show::Expiring,
            "unused" => Show::Unused,
            _ => {
                faults.push(FieldError::new("show", "choose one of those that are offered"));
                Show::All
            }
        };
        let sort = match self.sort.trim() {
            "" => Sort::Newest,
            "oldest" => Sort::Oldest,
            "name" => Sort::Name,
            "used" => Sort::Used,
            "idle" => Sort::Idle,
            "requests" => Sort::Requests,
            _ => {
                faults.push(FieldError::new("sort", "choose one of those that are offered"));
                Sort::Newest
            }
        };
        let page = match self.page.trim() {
            "" => 1,
            text => text.parse::<usize>().ok().filter(|&page| page > 0).unwrap_or_else(|| {
                faults.push(FieldError::new("page", "must be a whole number from 1"));
                1
            }),
        };
        if faults.is_empty() { Ok(UsersQuery { search: search.to_owned(), show, sort, page }) } else { Err(faults) }
    }
}

/// A user as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLine {
    pub id: UserId,
    pub name: String,
    pub label: String,
    pub enabled: bool,
    /// Keys that are not revoked.
    pub keys: u64,
    /// Of these, those that expire soon.
    pub expiring: u64,
    /// Unix milliseconds of the last accounted request over all its keys.
    pub last_used_at: Option<u64>,
    /// Where that came from.
    pub last_address: Option<String>,
    pub requests: u64,
}

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsersPage {
    pub users: Vec<UserLine>,
    /// How many fit.
    pub matching: u64,
    /// How many there are.
    pub all: u64,
    /// Counted from 1; the last one where a later one was asked for.
    pub page: u64,
    pub pages: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offered_word_is_understood_and_no_other() {
        for (show, _) in SHOWS {
            assert!(AskUsers { show: show.into(), ..Default::default() }.query().is_ok(), "{show}");
        }
        for (sort, _) in SORTS {
            assert!(AskUsers { sort: sort.into(), ..Default::default() }.query().is_ok(), "{sort}");
        }
        let bad = AskUsers { search: "é".repeat(101), show: "x".into(), sort: "y".into(), page: "0".into() };
        let faults: Vec<_> = bad.query().unwrap_err().into_iter().map(|fault| fault.field).collect();
        assert_eq!(faults, AskUsers::FIELDS);
        for page in ["-1", "1.5", "x", "99999999999999999999999"] {
            assert!(AskUsers { page: page.into(), ..Default::default() }.query().is_err(), "{page}");
        }
        let good = AskUsers { search: " é ".into(), page: " 7 ".into(), ..Default::default() }.query().unwrap();
        assert_eq!((good.search.as_str(), good.page), ("é", 7));
    }

    #[test]
    fn an_address_carries_what_is_given() {
        let asked = AskUsers { search: "a b".into(), page: "2".into(), ..Default::default() };
        assert_eq!(asked.pairs().collect::<Vec<_>>(), [("search", "a b"), ("page", "2")]);
        let key = AskUsers { search: format!("op_0123456789ab_{}", "s".repeat(49)), ..Default::default() };
        assert_eq!(key.pairs().collect::<Vec<_>>(), [("search", "op_0123456789ab")]);
        assert_eq!(key.query().unwrap().search, "op_0123456789ab");
        assert!(asked.is_narrow() && !AskUsers { page: "2".into(), ..Default::default() }.is_narrow());
    }
}
