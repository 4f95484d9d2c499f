//! The audit log of a whole control plane: everything that is done has its row, and so has what is refused.

use std::{collections::BTreeSet, fs, path::Path};

use domain::{
    admin::{
        AddAdmin, AdminRef, ChangePassword, ConfirmPassword, GiveCode, Role, SessionRef, SetAdminEnabled,
        SetAdminPassword, SetAdminRole,
    },
    alias::{AliasRef, SaveAlias},
    audit::{AuditEntry, AuditOutcome, ReadAudit},
    auto::SaveAuto,
    backend::{BackendRef, EditBackend, ProbeAddress, SetBackendDraining, SetBackendEnabled},
    key::{KeyStatus, RotateKey, SetKeyLimit, SetKeyStatus},
    look::SaveLogo,
    models::act::{Boxes, CopyModel, DeleteModel, Keep, KeepModel, box_of},
    network::SaveNetwork,
    pull::{KeepCopies, PullRef, StartPull},
    settings::{ResetSetting, SaveSettings},
    tls::{MakePair, SavePair},
    upgrade::UpgradeAnswer,
    user::{SetUserEnabled, SetUsersEnabled, UserRef},
};

use super::*;
use crate::{audit::actions, command::Command, totp};

const OTHER: &str = "another fine phrase";

/// What is asked for without a change that could be told: looks at addresses for the set-up page, its "go on", and requests
/// from the Playground, which are in the log of requests.
const NO_ROW: [&str; 3] = ["addresses tried", "backends kept", "playground used"];
/// Rotations, backups and what an upgrade does by itself have tests of their own, which look for the row.
const ELSEWHERE: [&str; 7] = [
    "backup made",
    "fleet upgrade went on",
    "model pull ended",
    "new secret prepared",
    "old secrets forgotten",
    "revoked keys stay revoked",
    "secrets rotated",
];

async fn log(bench: &Bench) -> Vec<AuditEntry> {
    let mut input = ReadAudit::default();
    let mut rows = Vec::new();
    loop {
        let page = bench.control.read_audit(&input, 500).await.unwrap();
        rows.extend(page.entries);
        let Some(next) = page.next else { break };
        input.after = next;
    }
    rows
}

/// The words of every `By` in the program.
fn words() -> BTreeSet<String> {
    fn collect(folder: &Path, words: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "tests" {
                collect(&path, words);
            } else if name.ends_with(".rs") && !name.starts_with("tests") {
                let source = fs::read_to_string(&path).unwrap();
                let program = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
                for mark in ["operates(", "owns(", "owns_now(", "own_account(", "By::of(", "By::gateway(", "note_done("]
                {
                    for rest in program.split(mark).skip(1) {
                        // The words are the one text among the arguments.
                        let arguments = rest.split(')').next().unwrap();
                        words.extend(arguments.split('"').nth(1).map(str::to_owned));
                    }
                }
            }
        }
    }
    let mut words = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut words);
    words
}

/// The newest row of these words, its changes as `kind name: field: before -> after`.
fn told(log: &[AuditEntry], action: &str) -> (AuditEntry, Vec<String>) {
    let row = log.iter().find(|row| row.action == action).unwrap_or_else(|| panic!("no row {action:?}")).clone();
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let fields = row.changes.iter().flat_map(|change| {
        change.fields.iter().map(move |field| {
            let (before, after) = (shown(&field.before), shown(&field.after));
            format!("{} {}: {}: {before} -> {after}", change.kind, change.name, field.field)
        })
    });
    let fields = fields.collect();
    (row, fields)
}

#[track_caller]
fn assert_told(log: &[AuditEntry], action: &str, expected: &[&str]) {
    let (row, fields) = told(log, action);
    for expected in expected {
        assert!(fields.iter().any(|field| field == expected), "{action}: {expected} is not among {fields:#?}");
    }
    assert_eq!((row.outcome, row.count, row.reason), (AuditOutcome::Done, 1, None), "{action}");
}

/// Does everything an administrator can do.
async fn do_everything(bench: &Bench) {
    let control = &bench.control;
    let root = bench.admin().await;
    let root = &root;
    // The fleet.
    let user = bench.user(root, "ada").await;
    let key = bench.key(root, &user, "laptop").await.view.id;
    let limit = SetKeyLimit { id: key.clone(), requests: "60".into(), minutes: "1".into() };
    control.set_key_limit(root, limit).await.unwrap();
    let policy = |id: &str| -> serde_json::Value { serde_json::json!({ "id": id, "concurrent": "3" }) };
    control.set_key_policy(root, serde_json::from_value(policy(key.as_str())).unwrap()).await.unwrap();
    control.set_user_policy(root, serde_json::from_value(policy(user.as_str())).unwrap()).await.unwrap();
    let seen = domain::remarks::Remarks::default().version();
    let remarks = |id: &str| serde_json::json!({ "id": id, "label": "team a", "note": "b", "seen": seen });
    control.set_key_remarks(root, serde_json::from_value(remarks(key.as_str())).unwrap()).await.unwrap();
    control.set_user_remarks(root, serde_json::from_value(remarks(user.as_str())).unwrap()).await.unwrap();
    let rotate = RotateKey { id: key.clone(), overlap: "7d".into(), until: String::new(), expires_at: None };
    control.rotate_key(root, rotate).await.unwrap();
    control.set_key_status(root, SetKeyStatus { id: key.clone(), status: KeyStatus::Disabled }).await.unwrap();
    let users = [(SetUsersEnabled::box_of(&user), true)].into();
    control.set_users_enabled(root, SetUsersEnabled { users, enabled: false }).await.unwrap();
    control.set_user_enabled(root, SetUserEnabled { id: user.clone(), enabled: true }).await.unwrap();
    control.set_user_enabled(root, SetUserEnabled { id: user.clone(), enabled: false }).await.unwrap();
    control.remove_user(root, UserRef { id: user }).await.unwrap();
    let added = control.add_backend(root, add("gpu", "http://127.0.0.1:1", "canary-token")).await.unwrap();
    let backend = added.id.clone();
    let edit = EditBackend {
        name: "gpu 1".into(),
        token: "canary-other".into(),
        parallel: "4".into(),
        weight: "3".into(),
        ..EditBackend::of(&added)
    };
    control.edit_backend(root, edit).await.unwrap();
    control.set_backend_draining(root, SetBackendDraining { id: backend.clone(), draining: true }).await.unwrap();
    control.start_upgrade(root, upgrade::start(&[&backend], true)).await.unwrap();
    control.answer_upgrade(root, upgrade::say(UpgradeAnswer::StopRejoin)).await.unwrap();
    control.test_backend(root, BackendRef { id: backend.clone() }).await.unwrap();
    // Models on their way.
    let boxes = || Boxes::from([(box_of(&backend), true)]);
    let pull = StartPull { model: "qwen3".into(), backends: boxes(), ..StartPull::default() };
    let id = control.start_pull(root, pull).await.unwrap()[0].id.clone();
    control.cancel_pull(root, PullRef { id }).await.unwrap();
    control.clear_ended_pulls(root).unwrap();
    let keep = KeepCopies { model: "qwen3".into(), copies: "2".into(), backends: Boxes::new() };
    control.keep_copies(root, keep).await.unwrap();
    control
        .probe_address(root, ProbeAddress { url: "http://127.0.0.1:1".into(), token: "canary-token".into() })
        .await
        .unwrap();
    // Nobody answers there, and the log has that too.
    let model = || "llama3:latest".to_owned();
    let keep = KeepModel { model: model(), act: Keep::Load, backends: boxes(), everywhere: false };
    control.keep_model(root, keep).await.unwrap();
    let copy = CopyModel { model: model(), destination: "mine".into(), backends: boxes(), everywhere: false };
    control.copy_model(root, copy).await.unwrap();
    let delete = DeleteModel { model: model(), retyped: model(), backends: boxes(), everywhere: false };
    control.delete_model(root, delete).await.unwrap();
    control.set_backend_enabled(root, SetBackendEnabled { id: backend.clone(), enabled: false }).await.unwrap();
    control.remove_backend(root, BackendRef { id: backend }).await.unwrap();
    // Names for models.
    let alias = |targets: &str, version: &str| SaveAlias {
        name: "fast".into(),
        targets: targets.into(),
        note: String::new(),
        version: version.into(),
    };
    let fast = control.add_alias(root, alias("a", "")).await.unwrap();
    control.edit_alias(root, alias("b", &fast.version)).await.unwrap();
    control.remove_alias(root, AliasRef { name: "fast".into(), version: String::new() }).await.unwrap();
    let models = [("r0".to_owned(), "phi4".to_owned())].into();
    let purposes = [("r0".to_owned(), [("code".to_owned(), true)].into())].into();
    control.save_auto(root, SaveAuto { on: true, models, purposes, ..SaveAuto::default() }).await.unwrap();
    // Settings and doors.
    let settings = SaveSettings {
        requests: "60".into(),
        minutes: "5".into(),
        balance: "weighted".into(),
        queue_max: "10".into(),
        queue_seconds: "30".into(),
        redis_url: "redis://me:canary-redis@127.0.0.1:1/0".into(),
        ..SaveSettings::default()
    };
    control.save_settings(root, settings.clone()).await.unwrap();
    let reset = ResetSetting { name: "queue_seconds".into(), ..ResetSetting::default() };
    control.reset_setting(root, reset).await.unwrap();
    control.test_redis(root, settings).await.unwrap();
    let network = SaveNetwork { denied_ips: "10.0.0.0/8".into(), ..SaveNetwork::default() };
    control.save_network(root, &client("127.0.0.1"), network).await.unwrap();
    control.make_pair(root, MakePair { names: "nas.lan".into() }).await.unwrap();
    let pair = crate::tls::tests_pair("b.lan");
    control.save_pair(root, SavePair { certificate: pair.0, private_key: pair.1 }).await.unwrap();
    control.remove_pair(root).await.unwrap();
    control.save_logo(root, SaveLogo { logo: crate::look::tests_logo() }).await.unwrap();
    control.remove_logo(root).await.unwrap();
    control.execute(Command::SettingsReset { all: true }).await.ok().unwrap();
    // Administrators.
    let input = AddAdmin { name: "second".into(), password: OTHER.into(), role: Role::Viewer };
    let second = control.add_administrator(root, input).await.unwrap().id;
    let session = control.login(guess("second", OTHER), &client("10.0.0.2")).await.unwrap().actor;
    let id = control.administrators(root).iter().find(|admin| admin.id == second).unwrap().sessions[0].id.clone();
    control.end_session_of_any(root, SessionRef { id }).await.unwrap();
    drop(session);
    control.login(guess("second", OTHER), &client("10.0.0.2")).await.unwrap();
    control.end_sessions(root, AdminRef { id: second.clone() }).await.unwrap();
    let role = SetAdminRole { id: second.clone(), role: Role::Owner };
    control.set_administrator_role(root, role).await.unwrap();
    let again = control.login(guess("second", OTHER), &client("10.0.0.2")).await.unwrap().actor;
    let setup = control.start_second_factor(&again, "gateway").unwrap();
    let secret: String = setup.secret.split_whitespace().collect();
    let code = GiveCode { code: totp::tests_code(&secret, Now::read().wall) };
    control.confirm_second_factor(&again, code).await.unwrap();
    control.reset_second_factor(root, AdminRef { id: second.clone() }).await.unwrap();
    let enabled = SetAdminEnabled { id: second.clone(), enabled: false };
    control.set_administrator_enabled(root, enabled).await.unwrap();
    let password = SetAdminPassword { id: second.clone(), password: "a third fine phrase".into() };
    control.set_administrator_password(root, password).await.unwrap();
    control.remove_administrator(root, AdminRef { id: second }).await.unwrap();
    // The own account.
    let other = async |address: &str| control.login(guess("root", PASSWORD), &client(address)).await;
    other("10.0.0.3").await.unwrap();
    let own = control.account(root).unwrap().sessions;
    let id = own.iter().find(|session| !session.current).unwrap().id.clone();
    control.end_own_session(root, SessionRef { id }).await.unwrap();
    other("10.0.0.3").await.unwrap();
    control.end_other_sessions(root).await.unwrap();
    control.start_second_factor(root, "gateway").unwrap();
    control.cancel_second_factor(root);
    let setup = control.start_second_factor(root, "gateway").unwrap();
    let secret: String = setup.secret.split_whitespace().collect();
    let code = GiveCode { code: totp::tests_code(&secret, Now::read().wall) };
    control.confirm_second_factor(root, code).await.unwrap();
    control.stop_second_factor(root).await.unwrap();
    control.confirm_password(root, ConfirmPassword { password: PASSWORD.into() }).await.unwrap();
    let change = ChangePassword { current: PASSWORD.into(), password: OTHER.into() };
    control.change_password(root, change).await.unwrap();
    control.export_audit(root, &ReadAudit::default()).await.unwrap();
    control.logout(root).await.unwrap();
}

#[tokio::test]
async fn a_backup_that_the_command_line_was_refused_has_its_row() {
    let bench = bench().await;
    let (out, _taken) = tokio::sync::mpsc::channel(1);
    let short = zeroize::Zeroizing::new("short".to_owned());
    assert!(bench.control.backup_by_command(short, false, out).await.is_err());
    let (row, _) = told(&log(&bench).await, "backup made");
    assert_eq!((row.outcome, row.actor.name.as_str()), (AuditOutcome::Refused, "command line"));
    assert!(row.reason.is_some_and(|reason| reason.contains("passphrase")));
}

#[tokio::test]
async fn everything_that_can_be_done_has_its_row_with_what_was_before_and_after() {
    let bench = bench().await;
    do_everything(&bench).await;
    let log = log(&bench).await;
    let done: BTreeSet<String> = log.iter().map(|row| row.action.clone()).collect();
    let expected = words();
    let expected: BTreeSet<&str> =
        expected.iter().map(String::as_str).filter(|words| !NO_ROW.contains(words)).collect();
    let walked: BTreeSet<&str> =
        done.iter().map(String::as_str).chain(ELSEWHERE).chain(["environment taken over"]).collect();
    let missing: Vec<_> = expected.difference(&walked).collect();
    assert!(missing.is_empty(), "no test does these and looks for their rows: {missing:?}");
    assert!(expected.len() > 30, "the words were not found in the source: {expected:?}");
    assert!(log.iter().all(|row| row.outcome == AuditOutcome::Done), "{log:#?}");

    let session = "session root: address: - -> 127.0.0.1";
    assert_told(&log, "first administrator created", &["administrator root: role: - -> owner", session]);
    assert_told(&log, "user added", &["user ada: name: - -> ada", "user ada: enabled: - -> yes"]);
    assert_told(&log, "key created", &["key laptop: user: - -> ada", "key laptop: secret: - -> (set)"]);
    assert_told(&log, "key limit changed", &["key laptop: limit: - -> 60 requests in 1 minute"]);
    assert_told(&log, "key policy changed", &["key laptop: requests at once: - -> 3"]);
    assert_told(&log, "user policy changed", &["user ada: requests at once: - -> 3"]);
    assert_told(&log, "key status changed", &["key laptop: status: active -> disabled"]);
    assert_told(&log, "user switched", &["user ada: enabled: yes -> no"]);
    assert_told(&log, "user removed", &["key laptop: status: disabled -> revoked", "user ada: removed: - -> yes"]);
    assert_told(&log, "alias added", &["alias fast: models: - -> a"]);
    assert_told(&log, "alias changed", &["alias fast: models: a -> b"]);
    assert_told(&log, "alias removed", &["alias fast: models: b -> -"]);
    let auto = ["alias auto: switched on: - -> yes", "alias auto: models: - -> phi4 for code"];
    assert_told(&log, "auto changed", &auto);
    assert_told(&log, "backend added", &["backend gpu: token: - -> (set)"]);
    assert_told(
        &log,
        "backend changed",
        &[
            "backend gpu 1: name: gpu -> gpu 1",
            "backend gpu 1: token: (set) -> (changed)",
            "backend gpu 1: requests at once: - -> 4",
            "backend gpu 1: weight: - -> 3",
        ],
    );
    assert_told(&log, "backend drained or taken back", &["backend gpu 1: draining: - -> yes"]);
    assert_told(&log, "fleet upgrade begun", &["upgrade fleet: state: - -> running"]);
    assert_told(&log, "fleet upgrade answered", &["upgrade fleet: state: running -> stopped"]);
    assert_told(&log, "model pull begun", &["pulls queue: qwen3 on gpu 1: - -> queued"]);
    assert_told(&log, "model pull cancelled", &["pulls queue: qwen3 on gpu 1: queued -> cancelled"]);
    assert_told(&log, "model kept available", &["models kept available: qwen3: - -> 2 backends"]);
    assert_told(&log, "backend switched", &["backend gpu 1: enabled: yes -> no"]);
    let model = "model llama3:latest on gpu 1";
    let came = format!("{model}: came of it: - -> failed: it does not list this model");
    for (action, asked) in [
        ("load or unload of a model sent", "load"),
        ("copy of a model sent", "copy to mine:latest"),
        ("deletion of a model sent", "delete"),
    ] {
        // The newest row tells what came of it, the one before what was asked for.
        assert_told(&log, action, &[&came]);
        let newest = log.iter().position(|row| row.action == action).unwrap();
        assert_told(&log[newest + 1..], action, &[&format!("{model}: asked for: - -> {asked}")]);
    }
    assert_told(&log, "backend removed", &["backend gpu 1: name: gpu 1 -> -"]);
    let redis = "setting Redis: value: - -> redis://127.0.0.1:1/0";
    let secret = "setting Redis password: value: - -> (set)";
    assert_told(
        &log,
        "settings saved",
        &[
            "setting default limit: value: - -> 60 requests in 5 minutes",
            "setting choosing a backend: value: - -> weighted",
            redis,
            secret,
        ],
    );
    assert_told(&log, "settings reset", &["setting default limit: value: 60 requests in 5 minutes -> -"]);
    assert_told(&log, "network settings saved", &["setting addresses denied to the API: value: - -> 10.0.0.0/8"]);
    assert_told(&log, "TLS certificate made", &["setting TLS key: value: - -> (set)"]);
    assert_told(&log, "TLS certificate saved", &["setting TLS key: value: (set) -> (changed)"]);
    assert_told(&log, "TLS certificate removed", &["setting TLS key: value: (set) -> -"]);
    let (row, fields) = told(&log, "TLS certificate saved");
    assert!(
        fields.iter().any(|field| field.contains("for nas.lan, valid until") && field.contains("for b.lan")),
        "{fields:?}"
    );
    assert_eq!(
        (row.actor.name.as_str(), row.actor.role, row.actor.address.as_deref()),
        ("root", Some(Role::Owner), Some("127.0.0.1"))
    );
    assert_told(&log, "administrator created", &["administrator second: role: - -> viewer"]);
    assert_told(&log, "administrator's role changed", &["administrator second: role: viewer -> owner"]);
    assert_told(&log, "administrator switched", &["administrator second: enabled: yes -> no"]);
    assert_told(&log, "password reset", &["administrator second: password: (set) -> (changed)"]);
    assert_told(&log, "second factor turned on", &["administrator root: second factor: - -> (set)"]);
    assert_told(&log, "second factor turned off for somebody", &["administrator second: second factor: (set) -> -"]);
    assert_told(&log, "administrator removed", &["administrator second: name: second -> -"]);
    assert_told(&log, "own session ended", &["session root: address: 10.0.0.3 -> -"]);
    assert_told(&log, "own password changed", &["administrator root: password: (set) -> (changed)"]);
    assert_told(&log, "signed in", &["session root: address: - -> 10.0.0.3"]);
    let (row, _) = told(&log, "signed in");
    assert!(row.actor.id.is_some() && row.actor.role == Some(Role::Owner), "{row:?}");
    assert_told(&log, "signed out", &["session root: address: 127.0.0.1 -> -"]);
    let (row, _) = told(&log, "settings reset");
    assert_eq!((row.actor.name.as_str(), row.actor.address), ("command line", None));
    for action in ["backend tried", "address tried", "Redis tried", "password given again", "audit log exported"] {
        assert_told(&log, action, &[]);
    }
    let json = serde_json::to_string(&log).unwrap();
    for secret in ["canary", PASSWORD, OTHER, "argon2", "BEGIN"] {
        assert!(!json.contains(secret), "{secret} is in the log");
    }
    // Whatever is set by a page is told in words: what nobody listed would be "(set)".
    for row in &log {
        for change in row.changes.iter().filter(|change| change.kind == "setting") {
            let secret = ["Redis password", "TLS key"].contains(&change.name.as_str());
            let hidden = change.fields.iter().any(|field| field.after.as_deref() == Some("(set)"));
            assert!(!hidden || secret, "{} is told as a secret", change.name);
        }
    }
}

#[test]
fn what_is_refused_is_called_what_it_is_called_when_it_is_done() {
    let words = words();
    // These are told without a change in the store.
    let without = ["backend tried", "address tried", "Redis tried", "password given again", "audit log exported"];
    let others = ["second factor given up", "second factor begun"];
    for (call, action) in actions::CALLS {
        let known = words.contains(*action) || without.contains(action) || others.contains(action);
        assert!(known, "{call}: no use case says {action:?}");
    }
}

#[tokio::test]
async fn what_the_environment_sets_up_is_the_gateways_doing() {
    let folder = tempfile::tempdir().unwrap();
    let admin = Some(("root".to_owned(), PASSWORD.to_owned()));
    let servers = vec!["http://127.0.0.1:1".parse().unwrap()];
    let bench = open(ControlConfig { admin, ollama_servers: servers, ..config(&folder) }, "mem://").await.unwrap();
    let log = log(&bench).await;
    let expected = ["administrator root: role: - -> owner", "backend 127.0.0.1: enabled: - -> yes"];
    assert_told(&log, "environment taken over", &expected);
    assert_eq!(log[0].actor.name, "gateway");
}

#[tokio::test]
async fn refused_sign_ins_name_accounts_and_never_what_was_typed() {
    let bench = bench().await;
    bench.admin().await;
    for name in ["root", "ROOT", "my secret phrase"] {
        assert!(bench.control.login(guess(name, "wrong guess"), &client("10.0.0.1")).await.is_err());
    }
    for _ in 0..9 {
        assert!(bench.control.login(guess("root", "wrong guess"), &client("10.0.0.9")).await.is_err());
    }
    let log: Vec<AuditEntry> =
        log(&bench).await.into_iter().filter(|row| row.outcome == AuditOutcome::Refused).collect();
    let rows: BTreeSet<(&str, Option<&str>, Option<&str>)> =
        log.iter().map(|row| (row.actor.name.as_str(), row.actor.address.as_deref(), row.reason.as_deref())).collect();
    let wrong = Some("wrong name or password");
    assert!(rows.contains(&("root", Some("10.0.0.1"), wrong)), "{rows:?}");
    assert!(rows.contains(&("unknown account", Some("10.0.0.1"), wrong)), "{rows:?}");
    assert!(rows.contains(&("root", Some("10.0.0.9"), Some("too many attempts"))), "{rows:?}");
    assert!(log.iter().all(|row| row.action == "signed in" && row.actor.id.is_none()), "{log:#?}");
    assert!(!serde_json::to_string(&log).unwrap().contains("phrase"));
}

#[tokio::test]
async fn what_the_command_line_is_refused_has_a_row_too() {
    let bench = bench().await;
    let refused = Command::BackendRemove { backend: "canary".into() };
    assert!(bench.control.execute(refused).await.is_err());
    let add = |name: &str| Command::UserAdd { name: name.into(), policy: Default::default() };
    bench.control.execute(add("ada")).await.ok().unwrap();
    assert!(bench.control.execute(add("ADA")).await.is_err());
    assert!(bench.control.execute(Command::KeyList { user: Some("canary".into()) }).await.is_err());
    let log = log(&bench).await;
    let refused: BTreeSet<(&str, &str)> = log
        .iter()
        .filter(|row| row.outcome == AuditOutcome::Refused)
        .map(|row| (row.action.as_str(), row.reason.as_deref().unwrap_or_default()))
        .collect();
    let expected = [("backend removed", "backend not found"), ("user added", "a value was not accepted: name")];
    assert_eq!(refused, BTreeSet::from(expected));
    assert!(!serde_json::to_string(&log).unwrap().contains("canary"));
}

#[tokio::test]
async fn refusals_are_written_by_housekeeping_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let first = bench_of(&folder, &address).await;
    first.control.note_stranger("10.0.0.1".parse().unwrap(), "/admin/fn/users/add", "not signed in");
    let stored = async |bench: &Bench| bench.control.0.store.audit(&Default::default()).await.unwrap().entries.len();
    let before = stored(&first).await;
    first.control.write_refusals(Now::read(), false).await;
    assert_eq!(stored(&first).await, before + 1);
    first.control.note_stranger("10.0.0.1".parse().unwrap(), "/admin/fn/users/add", "not signed in");
    first.control.write_refusals(Now::read(), false).await;
    let second_of_the_minute = stored(&first).await;
    first.control.close().await.unwrap();
    let second = bench_of(&folder, &address).await;
    let log = log(&second).await;
    let refused = log.iter().filter(|row| row.outcome == AuditOutcome::Refused);
    assert_eq!(refused.map(|row| row.count).sum::<u64>(), 2, "the end writes what waits for the end of its minute");
    assert!(second_of_the_minute <= before + 2);
}

/// T30.
#[tokio::test]
async fn a_search_is_bounded_and_its_faults_are_beside_their_fields() {
    let bench = bench().await;
    let root = bench.admin().await;
    let input = |text: &str| ReadAudit { text: text.into(), ..Default::default() };
    for text in ["%".repeat(64), "(a+)+$".repeat(10), "'; DROP TABLE audit; --".into(), "\\".repeat(64)] {
        assert_eq!(bench.control.audit(&root, &input(&text)).await.unwrap().entries, [], "{text}");
    }
    let long = bench.control.audit(&root, &input(&"x".repeat(1 << 20))).await.err().unwrap();
    assert!(long.field("text").is_some());
    assert_eq!(bench.control.audit(&root, &input("FIRST admin")).await.unwrap().entries.len(), 1);
}
