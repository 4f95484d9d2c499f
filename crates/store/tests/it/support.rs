//! Rows and folders the tests share.

use domain::{
    admin::Role,
    backend::Timeouts,
    id::{AdminId, BackendId, KeyId, UserId},
};
use store::{
    Store, StoreConfig,
    row::{AdminRow, AliasRow, BackendRow, KeyRow, SessionRow, UserRow},
};

pub fn folder_config(folder: &std::path::Path) -> StoreConfig {
    StoreConfig { address: format!("surrealkv://{}", folder.join("db").display()) }
}

pub async fn fresh() -> Store {
    Store::open(&StoreConfig { address: "mem://".to_owned() }).await.unwrap()
}

/// Twelve characters out of a number.
pub fn id(n: u64) -> String {
    format!("{n:012}")
}

pub fn admin(n: u64) -> AdminRow {
    AdminRow {
        id: AdminId::new(&id(n)).unwrap(),
        name: format!("admin{n}"),
        password_hash: "$argon2id$x".to_owned(),
        role: Role::Owner,
        enabled: true,
        totp: None,
        signed_in_at: None,
        created_at: 1_000 + n,
    }
}

pub fn session(n: u8) -> SessionRow {
    SessionRow {
        token_hash: [n; 32],
        admin: admin(1).id,
        created_at: 5,
        last_seen_at: 6,
        address: "127.0.0.1".to_owned(),
        user_agent: "agent".to_owned(),
    }
}

pub fn backend(n: u64) -> BackendRow {
    BackendRow {
        id: BackendId::new(&id(n)).unwrap(),
        name: format!("backend{n}"),
        url: format!("http://127.0.0.1:{n}"),
        enabled: true,
        sealed_token: Some(vec![0, 255, n as u8]),
        parallel: Some(n as u32),
        weight: 2,
        priority: 3,
        draining: true,
        timeouts: Timeouts { stall_timeout_s: Some(n as u32 + 1), ..Timeouts::default() },
        created_at: 1_000 + n,
    }
}

pub fn user(n: u64) -> UserRow {
    UserRow {
        id: UserId::new(&id(n)).unwrap(),
        name: format!("user{n}"),
        enabled: true,
        created_at: 1_000 + n,
        removed_at: None,
        policy: Default::default(),
        remarks: Default::default(),
    }
}

pub fn alias(name: &str) -> AliasRow {
    let targets = vec!["llama3.2:3b".to_owned(), "Qwen/Qwen3-8B'; DROP".to_owned()];
    AliasRow { name: name.to_owned(), targets, note: "for $quick work".to_owned(), changes: 3, created_at: 1_001 }
}

pub fn key(n: u64) -> KeyRow {
    KeyRow {
        id: KeyId::new(&id(n)).unwrap(),
        user: user(1).id,
        name: format!("key{n}"),
        status: domain::key::KeyStatus::Active,
        hash: Some([n as u8; 32]),
        last_four: "abcd".to_owned(),
        limit: None,
        policy: Default::default(),
        created_at: 1_000 + n,
        remarks: Default::default(),
        replaced_by: None,
    }
}

/// Waits until an engine that the test itself opened on this folder has closed: it does so behind our back, and its lock
/// says when it has.
pub fn until_closed(folder: &std::path::Path) {
    let lock = folder.join("db/LOCK");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let file = std::fs::OpenOptions::new().write(true).open(&lock).unwrap();
        if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the engine does not close");
        std::thread::yield_now();
    }
}
