//! Users, the owners of keys, as pages and command line see them.

use serde::{Deserialize, Serialize};

use crate::{
    id::UserId,
    key::{KeyStanding, KeyView},
    policy::{Policy, PolicyInput},
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
    pub requests: u64,
    /// What all its keys together are held to.
    #[serde(default)]
    pub policy: Policy,
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

/// Names one user: read it, or remove it with all its keys (its usage is kept).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRef {
    pub id: UserId,
}
