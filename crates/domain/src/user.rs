//! Users, the owners of keys, as pages and command line see them.

mod list;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::list::{AskUsers, MAX_SEARCH, PAGE, SHOWS, SORTS, Show, Sort, UserLine, UsersPage, UsersQuery};
use crate::{
    id::UserId,
    key::{KeyStanding, KeyView},
    policy::{Policy, PolicyInput, PolicyView},
    remarks::RemarksView,
};

/// A user with its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    pub id: UserId,
    pub name: String,
    pub enabled: bool,
    /// Unix milliseconds.
    pub created_at: u64,
    /// Keys that are not revoked.
    pub keys: u64,
    /// Unix milliseconds of the last accounted request over all its keys.
    pub last_used_at: Option<u64>,
    /// Where that came from, as far as is known.
    #[serde(default)]
    pub last_address: Option<String>,
    pub requests: u64,
    /// What all its keys together are held to.
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", serde(skip))]
    pub policy: Policy,
    /// The same on the user's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<PolicyView>,
    #[serde(default)]
    pub remarks: RemarksView,
}

/// A user with all its keys, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDetail {
    pub user: UserView,
    pub keys: Vec<KeyView>,
    /// Of the keys that are not revoked.
    #[serde(default)]
    pub standings: Vec<KeyStanding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    pub name: String,
    /// Not part of the form.
    #[serde(default, skip_serializing_if = "PolicyInput::is_empty")]
    pub policy: PolicyInput,
}

/// Disabling a user refuses all its keys until it is enabled again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUserEnabled {
    pub id: UserId,
    pub enabled: bool,
}

/// Users switched at once at most: more than a page of the list has.
pub const MOST_SWITCHED: usize = 200;

const BOX: &str = "u_";

/// Disables or enables all chosen users at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUsersEnabled {
    /// Boxes of the users, as [`SetUsersEnabled::box_of`] names them; one that is not ticked is not sent.
    #[serde(default)]
    pub users: BTreeMap<String, bool>,
    pub enabled: bool,
}

impl SetUsersEnabled {
    /// How the names of all boxes begin in a form, within `input[…]`.
    pub const BOXES: &str = "users][";

    /// The name of a user's box. In forms a name that begins with a digit, as ids may, would be a place in a list.
    pub fn box_of(id: &UserId) -> String {
        format!("{BOX}{id}")
    }

    /// Ids of the users that are ticked, as they came.
    pub fn ticked(&self) -> impl Iterator<Item = &str> {
        let ticked = self.users.iter().filter(|(_, ticked)| **ticked);
        ticked.map(|(name, _)| name.strip_prefix(BOX).unwrap_or(name))
    }
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsersSwitched {
    /// Those that were switched, by name.
    pub names: Vec<String>,
    /// Says how many and whom, without full stop.
    pub told: String,
}

/// Names one user: read it, or remove it with all its keys (its usage is kept).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRef {
    pub id: UserId,
}
