//! What the Playground page must know before anything is asked there, and how its routes say that a session is over.

use serde::{Deserialize, Serialize};

/// In place of an answer, where there is no session.
pub const SIGN_IN: &str = "sign in to go on";
/// In the middle of an answer, or while it is waited for.
pub const SESSION_ENDED: &str = "your session has ended, sign in again";

/// What there is to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaygroundFacts {
    /// Names of models as the fleet has them now, sorted.
    pub models: Vec<String>,
    /// Names that lead to models, sorted.
    pub aliases: Vec<String>,
    /// Bytes that a request may have.
    pub largest_body: u64,
    /// What to do where there is no model.
    pub next: String,
    /// Id of the account that asks.
    pub who: String,
}
