//! The store on a real SurrealDB server. `cargo xtask remote` builds the server and runs this; `cargo test` alone leaves
//! it out (`test = false`), because there is no server in the packages of any system.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

// What holds in a folder must hold on a server.
#[path = "../it/configuration.rs"]
mod configuration;
mod connection;
mod refusals;
mod server;
mod sharing;
mod support;
#[path = "../it/usage.rs"]
mod usage;
