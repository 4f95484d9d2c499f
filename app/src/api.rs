//! The server functions, one file a noun. Each reads who asks, calls one use case of `control` and answers; rules and
//! validation belong to `control`. Reads are GET, everything that changes something is POST.

pub mod account;
pub mod administrators;
pub mod audit;
pub mod backends;
pub mod help;
pub mod keys;
pub mod live;
pub mod network;
pub mod session;
pub mod settings;
pub mod setup;
pub mod upgrade;
pub mod users;

use std::fmt;

use serde::{Deserialize, Serialize};

/// An input that holds a secret. The generated argument structs must implement `Debug`; this one prints nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private<T>(pub T);

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(private)")
    }
}
