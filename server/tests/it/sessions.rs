//! What ends a session, seen through its cookie: time, signing out, a reset password; and what of it is stored.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::header;
use store::{
    Store, StoreConfig,
    row::{Op, SessionRow},
};

use crate::{
    admin::{Admin, NAME, PASSWORD, create, home_with_admin, post},
    harness::Home,
};

const MINUTE: Duration = Duration::from_secs(60);
const IDLE: Duration = MINUTE.saturating_mul(30);
const ABSOLUTE: Duration = MINUTE.saturating_mul(12 * 60);

/// Changes all sessions of a stopped server.
async fn rewrite(home: &Home, change: impl Fn(&mut SessionRow)) {
    let address = format!("surrealkv://{}", home.data().join("db").display());
    let store = Store::open(&StoreConfig { address }).await.unwrap();
    let state = store.load().await.unwrap();
    assert!(!state.sessions.is_empty());
    let changed = state.sessions.into_iter().map(|mut row| {
        change(&mut row);
        Op::PutSession(row)
    });
    store.commit(state.revision, changed.collect()).await.unwrap();
    store.close().await.unwrap();
}

fn ago(time: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from((now - time).as_millis()).unwrap()
}

/// A session whose row was changed while the server was stopped is good, or leads to the sign-in page.
async fn is_good(home: &Home, admin: &Admin) -> bool {
    let server = home.start();
    let page = admin.get(&server, "/admin/users").send().await.unwrap();
    let good = page.status() == 200;
    if !good {
        assert_eq!(page.status(), 303);
        assert_eq!(page.headers()[header::LOCATION], "/admin/login?next=/admin/users");
        assert_eq!(admin.status(&server, "/admin/fn/users/list").await, 401);
        assert_eq!(admin.status(&server, "/admin/live").await, 401);
        // And the way back: signing in on that page leads to where one was.
        let login = post(&server, "session/login", &[("name", NAME), ("password", PASSWORD)])
            .header(header::ACCEPT, "text/html")
            .header(header::REFERER, server.url("/admin/login?next=/admin/users"));
        let back = login.send().await.unwrap();
        assert_eq!(
            (back.status().as_u16(), &back.headers()[header::LOCATION]),
            (303, &"/admin/users".parse().unwrap())
        );
    }
    server.stop();
    good
}

/// T16, T22.
#[tokio::test]
async fn a_session_ends_after_thirty_idle_minutes_and_its_page_leads_to_signing_in_and_back() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    server.stop();
    rewrite(&home, |row| row.last_seen_at = ago(IDLE - MINUTE)).await;
    assert!(is_good(&home, &admin).await, "a minute before");
    rewrite(&home, |row| row.last_seen_at = ago(IDLE)).await;
    assert!(!is_good(&home, &admin).await);
}

/// T16, T22.
#[tokio::test]
async fn a_session_ends_twelve_hours_after_signing_in_however_much_it_is_used() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    server.stop();
    rewrite(&home, |row| row.created_at = ago(ABSOLUTE - MINUTE)).await;
    assert!(is_good(&home, &admin).await, "a minute before");
    rewrite(&home, |row| row.created_at = ago(ABSOLUTE)).await;
    assert!(!is_good(&home, &admin).await);
}

/// T22.
#[tokio::test]
async fn signing_out_or_a_reset_password_ends_a_session_at_once_and_its_stream() {
    let home = home_with_admin();
    let server = home.start();
    let (one, other) = (Admin::sign_in(&server).await, Admin::sign_in(&server).await);
    assert_ne!(one.cookie, other.cookie);
    one.call(&server, "session/logout", &[]).await;
    assert_eq!(one.status(&server, "/admin/users").await, 303);
    assert_eq!(other.status(&server, "/admin/users").await, 200, "only the one that signed out");

    let mut stream = other.get(&server, "/admin/live").send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let reset = home.run_with("another fine phrase\n", &["admin", "reset-password", NAME, "--password-stdin"]);
    assert_eq!(reset.code, Some(0), "{reset:?}");
    assert_eq!(other.status(&server, "/admin/users").await, 303);
    while stream.chunk().await.unwrap().is_some() {}

    let fresh = Admin::sign_in_with(&server, "another fine phrase").await;
    assert_eq!(fresh.status(&server, "/admin/users").await, 200);
    let old = post(&server, "session/login", &[("name", NAME), ("password", PASSWORD)]).send().await.unwrap();
    assert_eq!(old.status(), 401);
    server.stop();
}

/// T22.
#[tokio::test]
async fn a_value_that_was_there_before_signing_in_is_never_a_session() {
    let home = home_with_admin();
    let server = home.start();
    let planted = Admin { cookie: format!("op_session={}", "a".repeat(43)) };
    let login = planted.post(&server, "session/login", &[("name", NAME), ("password", PASSWORD)]);
    let answer = login.send().await.unwrap();
    let fresh = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(!fresh.contains(planted.token()), "{fresh}");
    assert_eq!(planted.status(&server, "/admin/users").await, 303);
    server.stop();
}

/// T31: the id of another's session is nobody's business, whatever the role.
#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else_by_its_id() {
    let home = home_with_admin();
    let server = home.start();
    let owner = Admin::sign_in(&server).await;
    let own = async |admin: &Admin| {
        let account = admin.get(&server, "/admin/fn/account/get").send().await.unwrap();
        let account: serde_json::Value = account.json().await.unwrap();
        account["sessions"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let ids: Vec<String> = own(&owner).await;
    assert_eq!(ids.len(), 1);
    for role in ["viewer", "operator", "owner"] {
        create(&home, role, "another fine phrase", role);
        let other = Admin::sign_in_as(&server, role, "another fine phrase").await;
        let answer = other.post(&server, "account/session-end", &[("id", &ids[0])]).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{role}");
        let answer = other.post(&server, "account/session-end", &[("id", "0123456789abcdef")]).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{role}: one that there is not gets the same answer");
        assert_eq!(owner.status(&server, "/admin/users").await, 200, "{role}");
        assert!(!own(&other).await.contains(&ids[0]), "{role}");
        let ended = other.post(&server, "account/session-end", &[("id", &own(&other).await[0])]).send().await.unwrap();
        assert_eq!(ended.status(), 200, "{role}: the own one");
        assert_eq!(other.status(&server, "/admin/users").await, 303, "{role}");
    }
    server.stop();
}

/// T14, T22.
#[tokio::test]
async fn the_data_folder_holds_no_session_that_could_be_used() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    admin.call(&server, "users/add", &[("name", "somebody to be found")]).await;
    let holds = |text: &str| files(&home.data()).iter().any(|bytes| contains(bytes, text.as_bytes()));
    for state in ["running", "stopped"] {
        assert!(holds("somebody to be found"), "{state}: what is stored can be seen by this test");
        assert!(!holds(admin.token()), "{state}");
        assert!(!holds(PASSWORD), "{state}");
        if state == "running" {
            server.signal(rustix::process::Signal::TERM);
            crate::harness::until("the server ends", || server.is_closed().then_some(()));
        }
    }
}

/// The bytes of every file below a folder.
pub fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(fs::read(entry.path()).unwrap());
        }
    }
    found
}

pub fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
