//! The first run.

use crate::by::By;
use domain::setup::{CreateFirstKey, SetupStep};
use testkit::FakeOllama;

use super::*;

async fn session(bench: &Bench) -> SetupSession {
    let token = bench.control.new_setup_token().unwrap();
    let cookie = bench.control.redeem_setup_token(&token).unwrap();
    bench.control.setup_session(&cookie).unwrap()
}

fn first(name: &str) -> CreateFirstAdmin {
    CreateFirstAdmin { name: name.into(), password: PASSWORD.into() }
}

#[tokio::test]
async fn the_link_works_once_and_not_after_an_administrator_exists() {
    let bench = bench().await;
    let token = bench.control.new_setup_token().unwrap();
    assert_eq!(bench.control.setup_step(None, None), SetupStep::NeedsLink);
    let cookie = bench.control.redeem_setup_token(&token).unwrap();
    assert_eq!(bench.control.redeem_setup_token(&token).err().unwrap().status(), 403);
    let setup = bench.control.setup_session(&cookie).unwrap();
    assert_eq!(bench.control.setup_step(Some(&setup), None), SetupStep::Admin);
    let unused = bench.control.new_setup_token().unwrap();
    bench.control.create_first_admin(&setup, first("root"), &client("127.0.0.1"), None).await.unwrap();
    assert!(bench.control.new_setup_token().is_none());
    assert!(bench.control.redeem_setup_token(&unused).is_err());
    assert!(bench.control.setup_session(&cookie).is_none());
    assert_eq!(bench.control.setup_step(None, None), SetupStep::Done);
}

#[tokio::test]
async fn of_two_first_administrators_one_wins() {
    let bench = bench().await;
    let setup = session(&bench).await;
    let here = client("127.0.0.1");
    let (one, two) = tokio::join!(
        bench.control.create_first_admin(&setup, first("one"), &here, None),
        bench.control.create_first_admin(&setup, first("two"), &here, None),
    );
    let conflicts = [one.err(), two.err()].into_iter().flatten().map(|error| error.status()).collect::<Vec<_>>();
    assert_eq!(conflicts, [409]);
    assert_eq!(bench.control.state().rows.admins.len(), 1);
}

#[tokio::test]
async fn the_origin_is_kept_unless_it_is_this_machine_only_or_one_is_configured() {
    let cases = [
        (None, Some("http://gate.lan:8080"), vec!["http://gate.lan:8080"]),
        (None, Some("http://127.0.0.1:8080"), vec![]),
        (None, Some("null"), vec![]),
        (Some("https://gate.example.com"), Some("http://gate.lan:8080"), vec!["https://gate.example.com"]),
    ];
    for (environment, origin, wanted) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.environment.public_url = environment.map(str::to_owned);
        let bench = open(config, "mem://").await.unwrap();
        let setup = session(&bench).await;
        bench.control.create_first_admin(&setup, first("root"), &client("127.0.0.1"), origin).await.unwrap();
        assert_eq!(bench.control.allowed_origins(), wanted, "{origin:?}");
    }
}

#[tokio::test]
async fn the_steps_follow_what_is_there_and_end_with_a_working_key() {
    let ollama = FakeOllama::builder().models(["nomic-embed-text:latest", "llama3.2:latest"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let step = || bench.control.setup_step(None, Some(&actor));
    assert_eq!(step(), SetupStep::Backend);
    let added = bench.control.add_backend(&actor, add("gpu", &ollama.base(), "")).await.unwrap();
    assert_eq!(added.state, domain::backend::BackendState::Up);
    assert_eq!(step(), SetupStep::Key);
    let input = CreateFirstKey { user: "ada".into(), key: "laptop".into() };
    let result = bench.control.create_first_key(&actor, input.clone()).await.unwrap();
    assert_eq!(result.model.as_deref(), Some("llama3.2:latest"), "one that chats, though another is listed first");
    assert_eq!(domain::key::parse_key(&result.key.token), Ok(result.key.view.id.as_str()));
    assert_eq!(step(), SetupStep::Done);

    let again = CreateFirstKey { key: "phone".into(), ..input.clone() };
    bench.control.create_first_key(&actor, again).await.unwrap();
    assert_eq!(bench.control.users(&actor).len(), 1, "the user is taken as it is");
    let taken = bench.control.create_first_key(&actor, input).await.err().unwrap();
    assert!(taken.field("key").is_some());
}

#[tokio::test]
async fn this_machine_the_environment_and_the_fleet_are_looked_at() {
    let ollama = FakeOllama::builder().models(["llama3.2:latest"]).start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.ollama_servers = vec![ollama.url()];
    let bench = open(config, "mem://").await.unwrap();
    let actor = bench.admin().await;
    let found = bench.control.find_backends(&actor).await.unwrap().reports;
    let urls: Vec<&str> = found.iter().map(|report| report.url.as_str()).collect();
    assert_eq!(urls, [ollama.base().trim_end_matches('/'), "http://127.0.0.1:11434"], "each once");
    assert!(found[0].result.is_ok(), "{:?}", found[0].result);
}

#[tokio::test]
async fn the_environment_creates_the_administrator_once() {
    let folder = tempfile::tempdir().unwrap();
    let with = |password: &str| ControlConfig { admin: Some(("boss".into(), password.into())), ..config(&folder) };
    let bad = open(with("password123"), "mem://").await.err().unwrap().to_string();
    assert!(bad.contains("ADMIN_PASSWORD") && !bad.contains("password123"), "{bad}");
    let bench = open(with(PASSWORD), "mem://").await.unwrap();
    assert!(bench.control.new_setup_token().is_none());
    assert!(bench.control.login(guess("boss", PASSWORD), &client("127.0.0.1")).await.is_ok());
}

#[tokio::test]
async fn backends_of_the_environment_are_offered_before_the_first_key() {
    let ollama = FakeOllama::builder().models(["llama3.2:latest"]).start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.ollama_servers = vec![ollama.url()];
    let bench = open(config, "mem://").await.unwrap();
    let setup = session(&bench).await;
    let here = client("127.0.0.1");
    let actor = bench.control.create_first_admin(&setup, first("root"), &here, None).await.unwrap().actor;
    let step = || bench.control.setup_step(None, Some(&actor));
    assert_eq!(step(), SetupStep::Backend);
    bench.control.keep_backends(&actor).unwrap();
    assert_eq!(step(), SetupStep::Key);
}

#[tokio::test]
async fn a_backend_whose_token_cannot_be_opened_does_not_hide_the_others() {
    let ollama = FakeOllama::builder().models(["llama3.2:latest"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    bench.control.add_backend(&actor, add("broken", "http://127.0.0.1:1", "geheim")).await.unwrap();
    bench.control.add_backend(&actor, add("gpu", &ollama.base(), "")).await.unwrap();
    let spoil = |state: &crate::state::State| {
        let row = state.rows.backends.iter().find(|row| row.name == "broken").unwrap();
        let row = store::row::BackendRow { sealed_token: Some(vec![1; 40]), ..row.clone() };
        Ok((vec![store::row::Op::PutBackend(row)], ()))
    };
    bench.control.mutate(By::nobody("a token spoilt"), spoil).await.unwrap();
    let found = bench.control.find_backends(&actor).await.unwrap().reports;
    let urls: Vec<&str> = found.iter().map(|report| report.url.as_str()).collect();
    assert_eq!(urls, [ollama.base().trim_end_matches('/'), "http://127.0.0.1:11434"]);
}
