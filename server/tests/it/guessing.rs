//! Guessing the administrator's password over HTTP: many at once, by many addresses, and what a guesser can tell.

use std::{collections::BTreeSet, fs};

use futures_util::future::join_all;
use reqwest::{RequestBuilder, header};

use crate::{
    admin::{NAME, PASSWORD, cookie, form, home_with_admin, post},
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

/// T20.
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

/// T20, T23.
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

/// T21.
#[tokio::test]
async fn a_crowd_that_signs_in_from_everywhere_cannot_take_the_memory() {
    /// What two hashes at a time need, and some for everything else.
    const ALLOWED_KIB: u64 = (2 * 64 + 50) * 1024;
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    let first = post(&server, "session/login", &[("name", NAME), ("password", PASSWORD)]).send().await.unwrap();
    let device = cookie(&first, "op_device").unwrap();
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
    // Strangers may be locked out now; whoever has signed in from here before is not.
    let again = login(&server, "192.0.2.1", NAME, PASSWORD).header(header::COOKIE, device).send().await.unwrap();
    assert!(again.status().is_success(), "{}", again.status());
    server.stop();
}

/// T09.
#[tokio::test]
async fn ten_thousand_logins_that_claim_other_addresses_are_one_address_and_stay_locked() {
    let home = home_with_admin();
    let server = home.start();
    let client = http();
    let mut answers = std::collections::BTreeMap::<u16, usize>::new();
    for batch in 0..100 {
        let tries = (0..100).map(|number| {
            let forwarded = format!("10.{}.{batch}.{number}", number % 7);
            let (name, password) = if number % 2 == 0 { (NAME, "a guess") } else { (NAME, PASSWORD) };
            // The first five are wrong whatever comes.
            let password = if batch == 0 { "a guess" } else { password };
            client
                .post(server.url("/admin/fn/session/login"))
                .header("sec-fetch-site", "same-origin")
                .header("x-forwarded-for", forwarded.clone())
                .header("forwarded", format!("for={forwarded}"))
                .header("x-real-ip", forwarded)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form(&[("name", name), ("password", password)]))
                .send()
        });
        for answer in join_all(tries).await {
            *answers.entry(answer.unwrap().status().as_u16()).or_default() += 1;
        }
    }
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), [(401, 10_000)]);
    server.stop();
}

/// T20.
#[tokio::test]
async fn an_attack_from_elsewhere_locks_strangers_and_not_the_device_that_signed_in_even_after_a_restart() {
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    let first = login(&server, "192.0.2.1", NAME, PASSWORD).send().await.unwrap();
    let device = cookie(&first, "op_device").unwrap();
    server.stop();
    let server = home.start();
    for host in 1..=6 {
        whole(login(&server, &format!("10.0.0.{host}"), NAME, "a wrong guess")).await;
    }
    let stranger = whole(login(&server, "198.51.100.1", NAME, PASSWORD)).await;
    assert_eq!(stranger.0, 401);
    // From another address than the one it signed in from; and with a wrong password it is told the same as all.
    let known = |password: &str| login(&server, "198.51.100.2", NAME, password).header(header::COOKIE, &device);
    assert_eq!(whole(known("a wrong guess")).await, stranger);
    let answer = known(PASSWORD).send().await.unwrap();
    assert!(answer.status().is_success() && cookie(&answer, "op_session").is_some(), "{}", answer.status());
    let forged = login(&server, "198.51.100.3", NAME, PASSWORD).header(header::COOKIE, format!("{device}A"));
    assert_eq!(whole(forged).await, stranger);
    server.stop();
}
