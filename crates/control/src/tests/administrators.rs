//! Roles, administrators, the own account, and giving the password again.

use std::time::Duration;

use domain::{
    admin::{
        AddAdmin, AdminRef, ChangePassword, ConfirmPassword, GiveCode, Role, SessionRef, SetAdminEnabled,
        SetAdminPassword, SetAdminRole,
    },
    network::SaveNetwork,
    settings::SaveSettings,
};

use super::*;
use crate::{command::Command, totp};

const OTHER: &str = "another fine phrase";

/// A second administrator, and its session.
async fn second(bench: &Bench, root: &Actor, role: Role) -> NewSession {
    let input = AddAdmin { name: "second".into(), password: OTHER.into(), role };
    bench.control.add_administrator(root, input).await.unwrap();
    bench.control.login(guess("second", OTHER), &client("10.0.0.2")).await.unwrap()
}

fn confirm(password: &str) -> ConfirmPassword {
    ConfirmPassword { password: password.into() }
}

/// As if the password had been given long ago.
fn forget_password(bench: &Bench, actor: &Actor) {
    let sessions = &bench.control.0.sessions;
    let rows = bench.control.state().rows.sessions.clone();
    sessions.follow(&[], Now::read());
    sessions.follow(&rows, Now::read());
    assert!(!sessions.is_fresh(&actor.token_hash, Now::read()));
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_nothing_more() {
    let bench = bench().await;
    let root = bench.admin().await;
    let viewer = second(&bench, &root, Role::Viewer).await.actor;
    let add_user = |name: &str| AddUser { name: name.into(), policy: Default::default() };
    let forbidden = |result: Result<(), AdminError>| assert!(matches!(result, Err(AdminError::Forbidden { .. })));
    forbidden(bench.control.add_user(&viewer, add_user("u")).await.map(drop));
    forbidden(bench.control.find_backends(&viewer).await.map(drop));
    forbidden(bench.control.test_redis(&viewer, SaveSettings::default()).await.map(drop));
    assert_eq!(bench.control.users(&viewer).len(), 0, "reading is for everybody");

    let id = viewer.view().id.clone();
    let promote = SetAdminRole { id: id.clone(), role: Role::Operator };
    bench.control.set_administrator_role(&root, promote).await.unwrap();
    assert!(!bench.control.is_live(&viewer), "another role is another session");
    let operator = bench.control.login(guess("second", OTHER), &client("10.0.0.2")).await.unwrap().actor;
    assert_eq!(operator.view().role, Role::Operator);
    bench.control.add_user(&operator, add_user("u")).await.unwrap();
    forbidden(bench.control.test_redis(&operator, SaveSettings::default()).await.map(drop));
    forbidden(bench.control.save_settings(&operator, SaveSettings::default()).await.map(drop));
    forbidden(bench.control.remove_pair(&operator).await);
    let more = AddAdmin { name: "third".into(), password: OTHER.into(), role: Role::Viewer };
    forbidden(bench.control.add_administrator(&operator, more).await.map(drop));
    let own = SetAdminRole { id, role: Role::Owner };
    forbidden(bench.control.set_administrator_role(&operator, own).await.map(drop));
}

#[tokio::test]
async fn the_last_owner_stays_and_nobody_changes_what_they_may_do_themselves() {
    let bench = bench().await;
    let root = bench.admin().await;
    let id = root.view().id.clone();
    let status = |result: Result<(), AdminError>| result.err().map(|error| error.status());
    let control = &bench.control;
    let other = second(&bench, &root, Role::Operator).await.actor;
    assert_eq!(status(control.remove_administrator(&root, AdminRef { id: id.clone() }).await), Some(409));
    let role = SetAdminRole { id: id.clone(), role: Role::Viewer };
    assert_eq!(status(control.set_administrator_role(&root, role).await.map(drop)), Some(409));
    let off = SetAdminEnabled { id: id.clone(), enabled: false };
    assert_eq!(status(control.set_administrator_enabled(&root, off).await.map(drop)), Some(409));
    // The command line is nobody's account, but the last owner is the last owner.
    for command in [
        Command::AdminRemove { name: "root".into() },
        Command::AdminSetEnabled { name: "root".into(), enabled: false },
        Command::AdminSetRole { name: "root".into(), role: Role::Operator },
    ] {
        assert_eq!(status(control.execute(command).await.map(drop)), Some(409));
    }
    let second = other.view().id.clone();
    control.set_administrator_role(&root, SetAdminRole { id: second.clone(), role: Role::Owner }).await.unwrap();
    control.execute(Command::AdminSetEnabled { name: "root".into(), enabled: false }).await.ok().unwrap();
    assert!(!control.is_live(&root));
    assert!(control.login(guess("root", PASSWORD), &client("10.0.0.1")).await.is_err(), "disabled");
    assert_eq!(status(control.execute(Command::AdminRemove { name: "second".into() }).await.map(drop)), Some(409));
    control.execute(Command::AdminSetEnabled { name: "root".into(), enabled: true }).await.ok().unwrap();
    control.execute(Command::AdminRemove { name: "second".into() }).await.ok().unwrap();
    assert!(control.state().admin(&second).is_none());
    assert_eq!(status(control.execute(Command::AdminRemove { name: "second".into() }).await.map(drop)), Some(404));
}

#[tokio::test]
async fn only_owners_are_told_of_sessions_and_anybody_may_read_names_and_roles() {
    let bench = bench().await;
    let root = bench.admin().await;
    let viewer = second(&bench, &root, Role::Viewer).await.actor;
    let told = bench.control.administrators(&root);
    assert_eq!(told.iter().map(|admin| admin.sessions.len()).collect::<Vec<_>>(), [1, 1]);
    assert!(told.iter().all(|admin| admin.second_factor == Some(false)));
    assert_eq!(told[1].sessions[0].address, "10.0.0.2");
    let read = bench.control.administrators(&viewer);
    assert_eq!(
        read.iter().map(|admin| (admin.name.as_str(), admin.role)).collect::<Vec<_>>(),
        [("root", Role::Owner), ("second", Role::Viewer)]
    );
    assert!(read.iter().all(|admin| admin.sessions.is_empty() && admin.last_seen_at.is_none()));

    let foreign = SessionRef { id: told[0].sessions[0].id.clone() };
    let refused = bench.control.end_own_session(&viewer, foreign).await.err().map(|error| error.status());
    assert_eq!(refused, Some(404), "somebody else's session is nobody's");
    let id = told[1].sessions[0].id.clone();
    bench.control.end_session_of_any(&root, SessionRef { id }).await.unwrap();
    assert!(!bench.control.is_live(&viewer) && bench.control.is_live(&root));
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions_and_asks_for_the_old_one() {
    let bench = bench().await;
    let root = bench.admin().await;
    let other = bench.control.login(guess("root", PASSWORD), &client("10.0.0.2")).await.unwrap();
    let change = |current: &str, password: &str| ChangePassword { current: current.into(), password: password.into() };
    let weak = bench.control.change_password(&root, change(PASSWORD, "password123")).await.err().unwrap();
    assert!(weak.field("password").is_some());
    for _ in 0..5 {
        let wrong = bench.control.change_password(&root, change("wrong", OTHER)).await.err().unwrap();
        assert!(wrong.field("current").is_some());
    }
    let locked = bench.control.change_password(&root, change(PASSWORD, OTHER)).await.err().unwrap();
    assert!(locked.field("current").is_some(), "five tries");
    // The lock ends with its time; here it is forgotten.
    bench.control.0.attempts.prune(Now::read().instant + Duration::from_secs(301));
    bench.control.change_password(&root, change(PASSWORD, OTHER)).await.unwrap();
    assert!(bench.control.is_live(&root) && !bench.control.is_live(&other.actor));
    assert!(bench.control.login(guess("root", OTHER), &client("10.0.0.3")).await.is_ok());
}

#[tokio::test]
async fn dangerous_changes_ask_for_the_password_and_leave_no_trace_without() {
    let bench = bench().await;
    let root = bench.admin().await;
    let control = &bench.control;
    let save = SaveSettings { public_url: "https://gw.example".into(), ..SaveSettings::default() };
    forget_password(&bench, &root);
    let revision = control.state().rows.revision;
    let add = || AddAdmin { name: "second".into(), password: OTHER.into(), role: Role::Viewer };
    let network = SaveNetwork { denied_ips: "192.0.2.1".into(), ..SaveNetwork::default() };
    let asked = [
        control.add_administrator(&root, add()).await.map(drop),
        control.save_settings(&root, save.clone()).await.map(drop),
        control.save_network(&root, &client("127.0.0.1"), network).await.map(drop),
        control.remove_pair(&root).await,
        control.start_second_factor(&root, "gw").map(drop),
        control.stop_second_factor(&root).await,
    ];
    assert!(asked.iter().all(|result| *result == Err(AdminError::NeedsPassword)), "{asked:?}");
    assert_eq!(control.state().rows.revision, revision);
    let harmless = SaveSettings { stall_timeout_s: "77".into(), ..SaveSettings::default() };
    control.save_settings(&root, harmless).await.unwrap();

    assert!(control.confirm_password(&root, confirm("wrong")).await.err().unwrap().field("password").is_some());
    assert_eq!(control.add_administrator(&root, add()).await.map(drop), Err(AdminError::NeedsPassword));
    control.confirm_password(&root, confirm(PASSWORD)).await.unwrap();
    control.add_administrator(&root, add()).await.unwrap();
    control.save_settings(&root, save).await.unwrap();
}

#[tokio::test]
async fn somebody_elses_guesses_do_not_keep_a_signed_in_owner_from_confirming() {
    let bench = bench().await;
    let root = bench.admin().await;
    for host in 1..=5 {
        assert!(bench.control.login(guess("root", "guess"), &client(&format!("10.0.0.{host}"))).await.is_err());
    }
    bench.control.confirm_password(&root, confirm(PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn a_reset_password_of_somebody_else_ends_their_sessions() {
    let bench = bench().await;
    let root = bench.admin().await;
    let viewer = second(&bench, &root, Role::Viewer).await.actor;
    let id = viewer.view().id.clone();
    let reset = |id, password: &str| SetAdminPassword { id, password: password.into() };
    let weak = bench.control.set_administrator_password(&root, reset(id.clone(), "short")).await.err().unwrap();
    assert!(weak.field("password").is_some() && bench.control.is_live(&viewer));
    bench.control.set_administrator_password(&root, reset(id, "a third fine phrase")).await.unwrap();
    assert!(!bench.control.is_live(&viewer));
    assert!(bench.control.login(guess("second", "a third fine phrase"), &client("10.0.0.2")).await.is_ok());
}

/// The code for a moment `steps` after now, and the shown secret without its blanks.
fn code(secret: &str, steps: i64) -> GiveCode {
    let now = Now::read().wall.saturating_add_signed(steps * 30_000);
    let secret: String = secret.split_whitespace().collect();
    GiveCode { code: totp::tests_code(&secret, now) }
}

#[tokio::test]
async fn a_second_factor_counts_from_its_first_code_and_each_code_once() {
    let bench = bench().await;
    let root = bench.admin().await;
    let control = &bench.control;
    let setup = control.start_second_factor(&root, "gw").unwrap();
    let wrong = control.confirm_second_factor(&root, GiveCode { code: "000000".into() }).await.err().unwrap();
    assert!(wrong.field("code").is_some());
    assert!(control.login(guess("root", PASSWORD), &client("10.0.0.1")).await.is_ok(), "not confirmed, not asked");
    let used = code(&setup.secret, -1);
    let recovery = control.confirm_second_factor(&root, used.clone()).await.unwrap().codes;
    assert_eq!(recovery.len(), 8);
    assert!(control.second_factor_setup(&root, "gw").is_none());

    let here = client("10.0.0.1");
    let first = async || match control.sign_in(guess("root", PASSWORD), &here, None).await.unwrap() {
        SignedIn::NeedsCode { ticket } => ticket,
        SignedIn::In(_) => panic!("no code was asked for"),
    };
    let ticket = first().await;
    assert!(control.authenticate(&ticket, &here).is_none(), "a ticket is no session");
    assert!(control.sign_in_code(Some(&ticket), used, &here).await.is_err(), "used at the set-up");
    let fresh = code(&setup.secret, 1);
    let session = control.sign_in_code(Some(&ticket), fresh.clone(), &here).await.unwrap();
    assert!(control.authenticate(&session.token, &here).is_some());
    assert!(control.sign_in_code(Some(&ticket), fresh.clone(), &here).await.is_err(), "the ticket is used");
    let ticket = first().await;
    assert!(control.sign_in_code(Some(&ticket), fresh, &here).await.is_err(), "a code counts once");
    let crossed = || GiveCode { code: recovery[3].to_uppercase() };
    assert!(control.sign_in_code(Some(&ticket), crossed(), &here).await.is_ok());
    let ticket = first().await;
    assert!(control.sign_in_code(Some(&ticket), crossed(), &here).await.is_err(), "a recovery code counts once");
    assert_eq!(control.account(&root).unwrap().recovery_codes, 7);

    let rows = control.0.store.load().await.unwrap();
    let sealed = &rows.admins[0].totp.as_ref().unwrap().sealed;
    assert!(!sealed.windows(8).any(|part| setup.secret.replace(' ', "").as_bytes().starts_with(part)));
    control.stop_second_factor(&root).await.unwrap();
    assert!(control.login(guess("root", PASSWORD), &client("10.0.0.3")).await.is_ok());
}

#[tokio::test]
async fn wrong_codes_are_counted_like_wrong_passwords() {
    let bench = bench().await;
    let root = bench.admin().await;
    let control = &bench.control;
    let setup = control.start_second_factor(&root, "gw").unwrap();
    control.confirm_second_factor(&root, code(&setup.secret, 0)).await.unwrap();
    let here = client("10.0.0.1");
    let SignedIn::NeedsCode { ticket } = control.sign_in(guess("root", PASSWORD), &here, None).await.unwrap() else {
        panic!("no code was asked for")
    };
    let wrong = || GiveCode { code: "12345".into() };
    for number in 1..=5 {
        let refused = control.sign_in_code(Some(&ticket), wrong(), &here).await.err().unwrap();
        assert_eq!(refused.status(), 401, "{number}");
    }
    let right = code(&setup.secret, 1);
    assert!(control.sign_in_code(Some(&ticket), right, &here).await.is_err(), "five failures");
    assert!(control.sign_in(guess("root", PASSWORD), &client("10.0.0.9"), None).await.is_err(), "of the account");
    // A lost phone is an owner's or the command line's business.
    control.execute(Command::AdminResetTotp { name: "root".into() }).await.ok().unwrap();
    assert!(control.state().rows.admins[0].totp.is_none());
}

#[tokio::test]
async fn a_sign_in_without_its_first_step_or_after_a_reset_begins_again() {
    let bench = bench().await;
    let root = bench.admin().await;
    let control = &bench.control;
    let setup = control.start_second_factor(&root, "gw").unwrap();
    control.confirm_second_factor(&root, code(&setup.secret, 0)).await.unwrap();
    let here = client("10.0.0.1");
    for ticket in [None, Some(""), Some("made up")] {
        assert!(control.sign_in_code(ticket, code(&setup.secret, 1), &here).await.is_err());
    }
    let SignedIn::NeedsCode { ticket } = control.sign_in(guess("root", PASSWORD), &here, None).await.unwrap() else {
        panic!("no code was asked for")
    };
    let reset = Command::AdminResetPassword { name: "root".into(), password: OTHER.into() };
    control.execute(reset).await.ok().unwrap();
    assert!(control.sign_in_code(Some(&ticket), code(&setup.secret, 1), &here).await.is_err());
}

#[tokio::test]
async fn nobody_is_called_as_the_audit_log_calls_somebody_else() {
    let bench = bench().await;
    let root = bench.admin().await;
    let named = |name: &str| {
        let input = AddAdmin { name: name.into(), password: "a third fine phrase".into(), role: Role::Viewer };
        bench.control.add_administrator(&root, input)
    };
    // The last one has a Cyrillic letter in place of its second.
    for name in crate::audit::ACTORS.into_iter().chain(["Command Line", "gate-way", "r\u{43e}ot"]) {
        let refused = named(name).await.err().unwrap();
        assert!(matches!(&refused, AdminError::Invalid { fields } if fields[0].field == "name"), "{name}: {refused}");
        assert!(crate::check_admin(name, PASSWORD).is_err(), "{name}");
    }
    named("Ольга").await.unwrap();
}
