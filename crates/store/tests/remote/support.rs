//! Rows as in the tests on folders, and a database of its own for each test on one server that all share.

use std::sync::atomic::{AtomicU64, Ordering};

use store::{Store, StoreConfig};

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "what is fresh there is in memory")]
mod folders;
pub use folders::{admin, alias, backend, folder_config, key, session, user};

/// The shared server, with the credentials of its root user and without a path.
fn shared() -> String {
    std::env::var("SURREALDB_URL").expect("SURREALDB_URL is not set: run `cargo xtask remote`")
}

/// A database nobody else uses.
pub fn own_config() -> StoreConfig {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    StoreConfig { address: format!("{}/tests-{}/store_{number}", shared(), std::process::id()) }
}

pub async fn fresh() -> Store {
    Store::open(&own_config()).await.unwrap()
}
