//! The binary on a real SurrealDB server. `cargo xtask remote` builds the server and runs this; `cargo test` alone leaves
//! it out (`test = false`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[allow(dead_code, reason = "the whole harness of the other tests")]
#[path = "../it/admin.rs"]
mod admin;
mod backup;
#[allow(dead_code, reason = "the whole harness of the other tests")]
#[path = "../it/harness.rs"]
mod harness;
mod outage;
#[allow(dead_code, reason = "each package uses a part")]
#[path = "../../../crates/store/tests/remote/server.rs"]
mod server;
mod sharing;
mod start;
mod support;
