//! Guessing the administrator's password over HTTP: many at once, by many addresses, and what a guesser can tell.

use std::{collections::BTreeSet, fs};

use futures_util::future::join_all;
use reqwest::RequestBuilder;

use crate::{
    admin::{Admin, NAME, PASSWORD, home_with_admin, post},
    harness::{Server, http},
};

/// Status, headers and body, without what differs from answer to answer by design.
async fn whole(request: RequestBuilder) -> (u16, BTreeSet<String>, String) {
    let answer = request.send().await.unwrap();
    let headers = answer.headers().iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    (answer.status().as_u16(), headers, answer.text().await.unwrap())
}

fn login(server: &Server, from: &str, name: &str, password: &str) -> RequestBuilder {
    post(server, "session/login", &[("name", name), ("password", password)]).header("x-forwarded-for", from)
}

#[tokio::test]
async fn among_two_hundred_guesses_at_once_the_right_one_is_refused_and_all_answers_are_the_same() {
    let home = home_with_admin();
    let server = home.start();
    let guesses = (0..200).map(|number| {
        let password = if number == 150 { PASSWORD.to_owned() } else { format!("wrong guess {number}") };
        // Whatever a stranger claims to come from: it is one address.
        whole(login(&server, &format!("10.0.{number}.1"), NAME, &password))
    });
    let mut answers = join_all(guesses).await;
    answers.push(whole(login(&server, "10.1.1.1", NAME, PASSWORD)).await);
    assert_eq!(answers[0].0, 401);
    for answer in &answers {
        assert_eq!(*answer, answers[0]);
    }
    server.stop();
}

#[tokio::test]
async fn wrong_unknown_and_locked_are_one_answer() {
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    let wrong = whole(login(&server, "10.0.0.1", NAME, "a wrong guess")).await;
    let unknown = whole(login(&server, "10.0.0.2", "nobody", "a wrong guess")).await;
    let absent = whole(login(&server, "10.0.0.3", "", "")).await;
    let endless = whole(login(&server, "10.0.0.4", &"x".repeat(20_000), "a wrong guess")).await;
    for host in 5..10 {
        whole(login(&server, &format!("10.0.0.{host}"), NAME, "a wrong guess")).await;
    }
    let locked = whole(login(&server, "10.0.1.1", NAME, PASSWORD)).await;
    assert_eq!(wrong.0, 401);
    for (what, answer) in [("unknown", unknown), ("empty", absent), ("endless", endless), ("locked", locked)] {
        assert_eq!(answer, wrong, "{what}");
    }
    server.stop();
}

#[tokio::test]
async fn a_crowd_that_signs_in_from_everywhere_cannot_take_the_memory() {
    /// What two hashes at a time need, and some for everything else.
    const ALLOWED_KIB: u64 = (2 * 64 + 50) * 1024;
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    Admin::sign_in(&server).await;
    let memory = |field: &str| {
        let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_matches(|letter: char| !letter.is_ascii_digit()).parse::<u64>().unwrap()
    };
    let before = memory("VmRSS:");
    let crowd = (0..500).map(|number| {
        let from = format!("10.{}.{}.1", number / 256, number % 256);
        whole(login(&server, &from, &format!("account {number}"), "a guess"))
    });
    let alive = async { http().get(server.url("/livez")).send().await.unwrap().status() };
    let (answers, alive) = tokio::join!(join_all(crowd), alive);
    assert_eq!(alive, 200);
    let of = |status: u16| answers.iter().filter(|answer| answer.0 == status).collect::<Vec<_>>();
    let (refused, busy) = (of(401), of(503));
    assert_eq!(refused.len() + busy.len(), answers.len());
    assert!(!refused.is_empty() && !busy.is_empty(), "{} refused, {} told to come back", refused.len(), busy.len());
    for answer in busy {
        assert!(answer.1.iter().any(|header| header.starts_with("retry-after: ")), "{answer:?}");
    }
    let grown = memory("VmHWM:").saturating_sub(before);
    assert!(grown < ALLOWED_KIB, "{grown} KiB more");
    Admin::sign_in(&server).await;
    server.stop();
}
