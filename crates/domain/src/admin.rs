//! Administrators: what each role may do, and how pages and command line see the accounts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::AdminId;

/// What an administrator may do. Each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads every page and changes nothing but its own password and second factor.
    Viewer,
    /// Runs the fleet: backends, users, keys and their policies.
    Operator,
    /// Everything else too: settings, doors, certificates, administrators, backups.
    Owner,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Owner];

    /// The name in forms, in the store and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// A text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be viewer, operator or owner")]
pub struct UnknownRole;

/// An administrator in the list. What is `None` or empty only owners are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminView {
    pub id: AdminId,
    pub name: String,
    pub role: Role,
    pub enabled: bool,
    /// Whether signing in asks for a code.
    pub second_factor: Option<bool>,
    /// Unix milliseconds, as all times here.
    pub last_seen_at: Option<u64>,
    pub created_at: u64,
    /// Those that are open, the last used first.
    pub sessions: Vec<SessionView>,
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Names it; whoever knows it cannot use it.
    pub id: String,
    /// Where it was opened.
    pub address: String,
    /// What the browser said of itself, at most 200 characters.
    pub user_agent: String,
    pub created_at: u64,
    pub last_seen_at: u64,
    /// The one that asks.
    pub current: bool,
}

/// The asking administrator's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub name: String,
    pub role: Role,
    /// Signing in asks for a code.
    pub second_factor: bool,
    /// Recovery codes that are left.
    pub recovery_codes: usize,
    pub sessions: Vec<SessionView>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddAdmin {
    pub name: String,
    pub password: String,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminRef {
    pub id: AdminId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAdminRole {
    pub id: AdminId,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAdminEnabled {
    pub id: AdminId,
    pub enabled: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAdminPassword {
    pub id: AdminId,
    pub password: String,
}

/// Ends one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRef {
    pub id: String,
}

/// Changes the own password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The one of now.
    pub current: String,
    pub password: String,
}

/// Gives the own password again, before a dangerous change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmPassword {
    pub password: String,
}

/// A code of the authenticator app, or a recovery code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GiveCode {
    pub code: String,
}

/// What an authenticator app has to be told. Shown until the first code was given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorSetup {
    /// In base32, groups of four.
    pub secret: String,
    /// `otpauth://totp/…`.
    pub uri: String,
    /// The same as a picture: an SVG document.
    pub picture: String,
}

/// Recovery codes, shown once. Each opens the account once without the app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}
