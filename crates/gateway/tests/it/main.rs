//! The gateway from outside: a real listener in front, scriptable backends behind. One file by behaviour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod aliases;
mod auto;
mod balance;
mod budgets;
mod catalogue;
mod ceilings;
mod complaints;
mod compressed;
mod credentials;
mod disconnect;
mod ending;
mod errors;
mod failover;
mod failures;
mod fake_redis;
mod fleet;
mod golden;
mod hops;
mod hostile;
mod insider;
mod keep_alive;
mod keys;
mod limits;
mod manage;
mod outage;
mod panics;
mod policies;
mod queue;
mod recovery;
mod redis;
mod redis_run;
mod redis_tls;
mod rig;
mod smuggling;
mod streaming;
mod usage;
mod verdicts;
