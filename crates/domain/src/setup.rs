//! Signing in and the first run: who is signed in, and the inputs of the set-up page's steps.

use serde::{Deserialize, Serialize};

use crate::{admin::Role, backend::ProbeReport, id::AdminId, key::CreatedKey};

/// The administrator behind a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorView {
    pub id: AdminId,
    pub name: String,
    pub role: Role,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub name: String,
    pub password: String,
}

/// Step 1 of the set-up.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateFirstAdmin {
    pub name: String,
    pub password: String,
}

/// Step 3 of the set-up: the first user and its key in one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateFirstKey {
    pub user: String,
    pub key: String,
}

/// Where the set-up stands; decides which step the page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupStep {
    /// No administrator yet, and the visitor has not come by the set-up link.
    NeedsLink,
    /// No administrator yet; the visitor holds the set-up session.
    Admin,
    /// Signed in, no backend yet.
    Backend,
    /// Signed in, no user or key yet.
    Key,
    /// Everything is there.
    Done,
}

/// What the page shows for step 2: addresses looked at by the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundBackends {
    pub reports: Vec<ProbeReport>,
}

/// What the last step shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupResult {
    pub key: CreatedKey,
    /// A model the fleet really has, chat models first; `None` if it has none.
    pub model: Option<String>,
}
