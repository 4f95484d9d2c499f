//! Test equipment: a scriptable Ollama that behaves, misbehaves and remembers everything. Shared by the tests of all
//! crates, and by browser and client tests as the process `fake-ollama`. Product code must not depend on this crate, and
//! this crate must not depend on product code: it is the independent witness of what reached a backend.

#![allow(clippy::expect_used, clippy::panic, reason = "test equipment fails loudly")]

mod answer;
pub mod certificates;
mod connection;
mod control;
mod fake;
mod gate;
mod record;
mod redis;
mod script;
mod serve;
pub mod timing;

/// `full` repetitions where the environment says `CI`, `quick` ones elsewhere.
pub fn rounds(quick: usize, full: usize) -> usize {
    if std::env::var_os("CI").is_some() { full } else { quick }
}

pub use fake::{Builder, FakeOllama};
pub use record::{Ended, RecordedConnection, RecordedRequest, Records};
pub use redis::{Door, RedisServer};
pub use script::{Fault, Model, Script};
