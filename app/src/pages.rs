//! One module a page. Pages call `api`, never `control`.

pub mod account;
pub mod administrators;
pub mod aliases;
pub mod audit;
pub mod backend;
pub mod backend_history;
pub mod backends;
pub mod confirm;
pub mod dashboard;
pub mod help;
pub mod layout;
pub mod lazy;
pub mod login;
pub mod models;
pub mod network;
pub mod not_found;
mod palette;
pub mod playground;
pub mod pulls;
mod redis_state;
pub mod request;
pub mod requests;
pub mod settings;
pub mod setup;
mod stream;
pub mod upgrade;
pub mod usage;
pub mod user;
pub mod users;

#[cfg(feature = "ssr")]
pub use palette::places;
