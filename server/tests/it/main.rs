//! The server from outside: the compiled binary, real sockets, real files. One binary for all, one file a behaviour.
//! What only a part promises is tested beside that part.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod admin;
mod admin_guard;
mod audit;
mod backend_tls;
mod backup;
mod bounds;
mod canaries;
mod commands;
mod cross_site;
mod crowded;
mod doors;
mod drain;
mod durability;
mod edge;
mod first_run;
mod full_disk;
mod guessing;
mod hammering;
mod harness;
mod live;
mod logs;
mod memory;
mod metrics;
mod page_weight;
mod playground;
mod policies;
mod pulls;
mod redis;
mod refusals;
mod requests;
mod restart;
mod roles;
mod round_trip;
mod scan;
mod second_factor;
mod secrets;
mod sessions;
mod shutdown;
mod smuggling;
mod start;
mod terminal;
mod tls;
mod undumpable;
mod unknown_fields;
mod upgrade;
mod usage;
mod walkarounds;
mod ways_in;
