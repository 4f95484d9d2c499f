//! The vocabulary that both halves of the program share: ids, keys, model names, limits, usage, live status, and the
//! inputs and views of the admin pages. Compiled for the server and for WASM, so nothing here may do I/O, read a clock
//! or know a framework.

pub mod address;
pub mod admin;
pub mod alias;
pub mod audit;
pub mod auto;
pub mod backend;
pub mod balance;
pub mod dashboard;
pub mod endpoint;
pub mod error;
pub mod find;
pub mod host;
pub mod id;
pub mod key;
pub mod limit;
pub mod live;
pub mod look;
pub mod model;
pub mod models;
pub mod network;
pub mod playground;
pub mod policy;
pub mod pull;
pub mod remarks;
pub mod settings;
pub mod setup;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod upgrade;
pub mod usage;
pub mod user;
pub mod words;
