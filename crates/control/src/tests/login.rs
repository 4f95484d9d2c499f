//! Signing in: the lock-out, sessions and what ends them.

use crate::by::By;
use std::time::Duration;

use futures_util::future::join_all;
use store::row::{AdminRow, Op};

use super::*;
use crate::command::Command;

#[tokio::test]
async fn the_right_password_opens_a_session_and_logout_ends_it() {
    let bench = bench().await;
    bench.admin().await;
    let session = bench.control.login(guess(" ROOT ", PASSWORD), &client("127.0.0.1")).await.unwrap();
    let actor = bench.control.authenticate(&session.token, &client("127.0.0.1")).unwrap();
    assert_eq!((actor.view().name.as_str(), actor.session()), ("root", session.actor.session()));
    assert!(bench.control.is_live(&actor));
    bench.control.logout(&actor).await.unwrap();
    assert!(bench.control.authenticate(&session.token, &client("127.0.0.1")).is_none());
    assert!(!bench.control.is_live(&actor));
    assert!(bench.control.authenticate("", &client("127.0.0.1")).is_none());
}

#[tokio::test]
async fn the_token_itself_is_not_stored() {
    let bench = bench().await;
    let session = bench.new_admin().await;
    let rows = bench.control.0.store.load().await.unwrap();
    assert_eq!(rows.sessions.len(), 1);
    assert_ne!(rows.sessions[0].token_hash.as_slice(), session.token.as_bytes());
    assert_eq!(rows.sessions[0].token_hash, session.actor.session());
}

#[tokio::test]
async fn two_hundred_guesses_at_once_cost_at_most_five_hashes() {
    let bench = bench().await;
    bench.admin().await;
    let before = bench.control.0.hasher.computed();
    let guesses = (0..200).map(|number| {
        let password = if number == 150 { PASSWORD.to_owned() } else { format!("wrong guess {number}") };
        let control = bench.control.clone();
        async move { control.login(guess("root", &password), &client("10.0.0.1")).await.map(|_| ()).unwrap_err() }
    });
    let answers = join_all(guesses).await;
    assert!(bench.control.0.hasher.computed() - before <= 5);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "all answers are the same, the right one's too");
    assert_eq!(answers[0].status(), 401);
}

#[tokio::test]
async fn unknown_accounts_get_the_same_answer_and_cost_a_hash() {
    let bench = bench().await;
    bench.admin().await;
    let before = bench.control.0.hasher.computed();
    let unknown = bench.control.login(guess("nobody", PASSWORD), &client("10.0.0.1")).await.err();
    let wrong = bench.control.login(guess("root", "wrong guess"), &client("10.0.0.2")).await.err();
    assert_eq!(unknown, wrong);
    assert_eq!(bench.control.0.hasher.computed() - before, 2);
}

#[tokio::test]
async fn success_clears_the_count() {
    let bench = bench().await;
    bench.admin().await;
    for _ in 0..2 {
        for _ in 0..4 {
            assert!(bench.control.login(guess("root", "wrong guess"), &client("10.0.0.1")).await.is_err());
        }
        assert!(bench.control.login(guess("root", PASSWORD), &client("10.0.0.1")).await.is_ok());
    }
}

#[tokio::test]
async fn a_sixth_session_ends_the_oldest() {
    let bench = bench().await;
    let first = bench.new_admin().await;
    for _ in 0..5 {
        // Sessions of the same millisecond have no order.
        let made = Now::read().wall;
        until(async || Now::read().wall > made).await;
        bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap();
    }
    assert!(bench.control.authenticate(&first.token, &client("127.0.0.1")).is_none());
    assert_eq!(bench.control.state().rows.sessions.len(), 5);
}

#[tokio::test]
async fn a_reset_password_ends_all_sessions_and_the_lock() {
    let bench = bench().await;
    let session = bench.new_admin().await;
    for host in 1..=5 {
        assert!(bench.control.login(guess("root", "wrong guess"), &client(&format!("10.0.0.{host}"))).await.is_err());
    }
    let reset = Command::AdminResetPassword { name: "root".into(), password: "another fine phrase".into() };
    bench.control.execute(reset).await.unwrap();
    assert!(bench.control.authenticate(&session.token, &client("127.0.0.1")).is_none());
    assert!(bench.control.login(guess("root", "another fine phrase"), &client("10.0.0.9")).await.is_ok());
    assert!(bench.control.login(guess("root", PASSWORD), &client("10.0.0.9")).await.is_err());
    let unknown = Command::AdminResetPassword { name: "nobody".into(), password: "another fine phrase".into() };
    assert_eq!(bench.control.execute(unknown).await.err().unwrap().status(), 404);
}

#[tokio::test]
async fn a_weak_hash_is_renewed_at_login() {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
    let bench = bench().await;
    bench.admin().await;
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap());
    let salt = SaltString::encode_b64(&[1; 16]).unwrap();
    let password_hash = weak.hash_password(PASSWORD.as_bytes(), &salt).unwrap().to_string();
    let put = |state: &state::State| {
        let row = AdminRow { password_hash: password_hash.clone(), ..state.rows.admins[0].clone() };
        Ok((vec![Op::PutAdmin(row)], ()))
    };
    bench.control.mutate(By::nobody("test"), put).await.unwrap();
    bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap();
    assert!(bench.control.state().rows.admins[0].password_hash.contains("m=65536,t=3,p=1"));
    assert!(bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.is_ok());
}

#[tokio::test]
async fn lapsed_sessions_lose_their_row() {
    let bench = bench().await;
    let session = bench.new_admin().await;
    bench.control.write_sessions(later(Duration::from_secs(31 * 60)), false).await;
    assert!(bench.control.authenticate(&session.token, &client("127.0.0.1")).is_none());
    assert!(bench.control.0.store.load().await.unwrap().sessions.is_empty());
}

#[tokio::test]
async fn weak_passwords_and_taken_names_are_refused_for_administrators() {
    let bench = bench().await;
    bench.admin().await;
    let create = |name: &str, password: &str| {
        bench.control.execute(Command::AdminCreate { name: name.into(), password: password.into(), role: None })
    };
    let weak = create("second", "password123").await.err().unwrap();
    assert!(weak.field("password").is_some());
    assert!(create("", "x").await.err().unwrap().field("name").is_some());
    assert_eq!(create("Root", PASSWORD).await.err().unwrap().status(), 409);
    assert!(create("second", PASSWORD).await.is_ok());
}
