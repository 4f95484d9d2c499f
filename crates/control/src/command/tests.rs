//! The command line's commands as JSON and against a whole control plane.

use super::*;
use crate::tests::{bench, bench_of};

/// Every command once.
fn all() -> Vec<Command> {
    let text = || "x".to_owned();
    vec![
        Command::AdminCreate { name: text(), password: text(), role: Some(Role::Viewer) },
        Command::AdminList,
        Command::AdminSetRole { name: text(), role: Role::Operator },
        Command::AdminSetEnabled { name: text(), enabled: false },
        Command::AdminRemove { name: text() },
        Command::AdminResetTotp { name: text() },
        Command::AdminResetPassword { name: text(), password: text() },
        Command::AliasList,
        Command::AliasSet { name: text(), targets: vec![text()], note: None },
        Command::AliasRemove { name: text() },
        Command::AutoShow,
        Command::AutoSet { on: Some(true), models: Some(vec![text()]) },
        Command::BackendAdd {
            name: text(),
            url: text(),
            token: Some(text()),
            share: ShareEdit::default(),
            timeouts: TimeoutsEdit::default(),
        },
        Command::BackendEdit {
            backend: text(),
            name: None,
            url: Some(text()),
            token: None,
            forget_token: true,
            share: ShareEdit { parallel: Some("auto".into()), ..ShareEdit::default() },
            timeouts: TimeoutsEdit { stall_timeout_s: Some("9".into()), ..TimeoutsEdit::default() },
        },
        Command::BackendSetDraining { backend: text(), draining: true },
        Command::BackendList,
        Command::BackendSetEnabled { backend: text(), enabled: false },
        Command::BackendRemove { backend: text() },
        Command::ModelPull { model: text(), backends: vec![text()], all: false, update: false },
        Command::ModelPulls,
        Command::ModelCancel { id: text() },
        Command::ModelKeep { model: text(), copies: 2, backends: Vec::new() },
        Command::ModelKept,
        Command::UserAdd { name: text(), policy: PolicyEdit::default() },
        Command::UserPolicy { user: text(), clear: true, edit: PolicyEdit::default() },
        Command::KeyPolicy {
            key: text(),
            clear: false,
            edit: PolicyEdit { models: Some(text()), ..PolicyEdit::default() },
        },
        Command::UserList,
        Command::UserSetEnabled { user: text(), enabled: true },
        Command::UserRemove { user: text() },
        Command::KeyCreate {
            user: text(),
            name: text(),
            requests: Some(5),
            minutes: Some(1),
            policy: PolicyEdit::default(),
        },
        Command::KeyList { user: None },
        Command::UserRemarks { user: text(), edit: RemarksEdit { label: Some(text()), note: None } },
        Command::KeyRemarks { key: text(), edit: RemarksEdit::default() },
        Command::KeyRotate { key: text(), overlap: text(), expires_at: Some(text()) },
        Command::KeySetEnabled { key: text(), enabled: true },
        Command::KeyRevoke { key: text() },
        Command::KeyLimit { key: text(), requests: None, minutes: None },
    ]
}

#[test]
fn commands_survive_the_socket() {
    for command in all() {
        let there = serde_json::to_string(&command).unwrap();
        let back: Command = serde_json::from_str(&there).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), there);
    }
    assert!(serde_json::from_str::<Command>(r#"{"command":"user_add","name":"x","admin":true}"#).is_err());
}

#[tokio::test]
async fn replies_survive_the_socket() {
    let bench = bench().await;
    let run = async |command| bench.control.execute(command).await.unwrap();
    run(Command::UserAdd { name: "ada".into(), policy: PolicyEdit::default() }).await;
    let created = run(Command::KeyCreate {
        user: "ada".into(),
        name: "laptop".into(),
        requests: None,
        minutes: None,
        policy: PolicyEdit::default(),
    })
    .await;
    let replies = [Reply::Done, run(Command::UserList).await, run(Command::KeyList { user: None }).await, created];
    for reply in replies {
        let there = serde_json::to_string(&reply).unwrap();
        let back: Reply = serde_json::from_str(&there).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), there);
    }
}

#[tokio::test]
async fn a_name_that_looks_like_an_id_takes_nothing_from_it() {
    let bench = bench().await;
    let users = async |command| match bench.control.execute(command).await.unwrap() {
        Reply::Users(users) => users,
        _ => Vec::new(),
    };
    bench.control.execute(Command::UserAdd { name: "ada".into(), policy: PolicyEdit::default() }).await.unwrap();
    let id = users(Command::UserList).await[0].id.to_string();
    bench.control.execute(Command::UserAdd { name: id.clone(), policy: PolicyEdit::default() }).await.unwrap();
    bench.control.execute(Command::UserSetEnabled { user: id, enabled: false }).await.unwrap();
    let enabled: Vec<_> =
        users(Command::UserList).await.into_iter().map(|user| (user.name == "ada", user.enabled)).collect();
    assert!(enabled.contains(&(true, false)) && enabled.contains(&(false, true)), "{enabled:?}");
}

#[test]
fn a_whole_key_is_refused_and_not_repeated() {
    let whole = domain::key::assemble_key(&KeyId::new("0123456789ab").unwrap(), &"s".repeat(43));
    let message = key_id(&whole).unwrap_err().to_string();
    assert!(message.contains("not the whole key") && !message.contains("0123456789ab"), "{message}");
    assert_eq!(key_id("op_0123456789ab").unwrap().as_str(), "0123456789ab");
    assert_eq!(key_id(" 0123456789ab ").unwrap().as_str(), "0123456789ab");
    let short = key_id("op_sekret").unwrap_err().to_string();
    assert!(!short.contains("sekret"), "{short}");
}

#[tokio::test]
async fn a_fleet_can_be_set_up_from_the_command_line_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench_of(&folder, "mem://").await;
    let run = |command| bench.control.execute(command);
    let add = Command::BackendAdd {
        name: "gpu".into(),
        url: "http://127.0.0.1:9".into(),
        token: Some("geheim".into()),
        share: ShareEdit { weight: Some("2".into()), ..ShareEdit::default() },
        timeouts: TimeoutsEdit { stall_timeout_s: Some("9".into()), ..TimeoutsEdit::default() },
    };
    let Ok(Reply::Backends(added)) = run(add).await else { panic!() };
    assert!(added[0].has_token && added[0].enabled);
    let edit = |share| Command::BackendEdit {
        backend: "gpu".into(),
        name: Some("gpu 1".into()),
        url: None,
        token: None,
        forget_token: false,
        share,
        timeouts: TimeoutsEdit::default(),
    };
    let parallel = |parallel: &str| ShareEdit { parallel: Some(parallel.into()), ..ShareEdit::default() };
    assert!(run(edit(parallel("0"))).await.err().unwrap().field("parallel").is_some());
    let Ok(Reply::Backends(edited)) = run(edit(parallel("4"))).await else { panic!() };
    assert_eq!((edited[0].name.as_str(), edited[0].parallel, edited[0].weight), ("gpu 1", Some(4), 2));
    assert!(edited[0].has_token && edited[0].timeouts.stall_timeout_s == Some(9), "what is not named stays");
    for draining in [true, false] {
        let Ok(Reply::Backends(now)) = run(Command::BackendSetDraining { backend: "gpu 1".into(), draining }).await
        else {
            panic!()
        };
        assert_eq!(now[0].draining, draining);
    }
    assert!(run(Command::UserAdd { name: "ada".into(), policy: PolicyEdit::default() }).await.is_ok());
    let create = |requests, minutes| Command::KeyCreate {
        user: "ada".into(),
        name: "laptop".into(),
        requests,
        minutes,
        policy: PolicyEdit::default(),
    };
    assert_eq!(run(create(Some(5), None)).await.err().unwrap().status(), 400);
    let Ok(Reply::CreatedKey(key)) = run(create(Some(5), Some(1))).await else { panic!() };
    let name = format!("op_{}", key.view.id);
    assert!(run(Command::KeyLimit { key: name.clone(), requests: None, minutes: None }).await.is_ok());
    assert!(run(Command::KeySetEnabled { key: name.clone(), enabled: false }).await.is_ok());
    assert!(run(Command::KeyRevoke { key: name.clone() }).await.is_ok());
    assert_eq!(run(Command::KeySetEnabled { key: name, enabled: true }).await.err().unwrap().status(), 409);
    let Ok(Reply::Keys(keys)) = run(Command::KeyList { user: Some("ADA".into()) }).await else { panic!() };
    assert_eq!((keys.len(), keys[0].status), (1, KeyStatus::Revoked));
    assert!(run(Command::BackendSetEnabled { backend: "gpu 1".into(), enabled: false }).await.is_ok());
    assert!(run(Command::BackendRemove { backend: added[0].id.to_string() }).await.is_ok());
    assert_eq!(run(Command::BackendRemove { backend: "gpu".into() }).await.err().unwrap().status(), 404);
    assert!(run(Command::UserRemove { user: "ada".into() }).await.is_ok());
    let Ok(Reply::Users(users)) = run(Command::UserList).await else { panic!() };
    assert!(users.is_empty());
}
