//! The server from outside: the compiled binary, real sockets, real files. One binary for all, one file a behaviour.
//! What only a part promises is tested beside that part.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod admin_guard;
mod commands;
mod durability;
mod edge;
mod first_run;
mod full_disk;
mod harness;
mod live;
mod shutdown;
mod start;
