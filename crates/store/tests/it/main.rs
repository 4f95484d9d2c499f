//! The store through its public face, on real folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests fail loudly")]

mod audit;
mod configuration;
mod damage;
mod dump;
mod durability;
mod full_disk;
mod policies;
mod queries;
mod rollups;
mod schema;
mod search;
mod support;
mod sync;
mod usage;
