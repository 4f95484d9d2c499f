//! The gateway from outside: a real listener in front, scriptable backends behind. One file by behaviour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod catalogue;
mod disconnect;
mod ending;
mod errors;
mod failures;
mod fleet;
mod framing;
mod golden;
mod hops;
mod keys;
mod limits;
mod rig;
mod smuggling;
mod streaming;
mod usage;
