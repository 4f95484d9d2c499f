//! Policies from the form to the gateway, and what was used before.

use domain::{
    endpoint::Endpoint,
    id::KeyId,
    policy::{Classes, Policy, PolicyEdit, PolicyInput, SetPolicy, Standing, day_begins, day_of},
    settings::SaveSettings,
    usage::UsageRecord,
    user::UserRef,
};

use super::*;
use crate::command::{Command, Reply};

fn day(tokens: &str) -> PolicyInput {
    PolicyInput { tokens_per_day: tokens.into(), ..Default::default() }
}

fn standing(bench: &Bench, key: &KeyId) -> Standing {
    bench.gateway.standing(key).unwrap()
}

async fn set(bench: &Bench, actor: &Actor, key: &KeyId, input: PolicyInput) -> Result<Policy, AdminError> {
    bench.control.set_key_policy(actor, SetPolicy::new(key.clone(), input)).await.map(|view| view.policy)
}

/// Has `tokens` and `gpu_ms` written as used by a key at `at`.
pub(super) async fn use_up(bench: &Bench, user: &UserId, key: &KeyId, at: u64, tokens: u64, gpu_ms: u64) {
    let (sender, receiver) = tokio::sync::mpsc::channel(10);
    let record = UsageRecord {
        completion_tokens: Some(tokens),
        gpu_us: gpu_ms * 1_000,
        ..UsageRecord::new(at, at, user.clone(), key.clone(), Endpoint::Chat)
    };
    sender.send(record).await.unwrap();
    drop(sender);
    bench.control.run_usage_writer(receiver, CancellationToken::new()).await;
}

#[tokio::test]
async fn a_policy_is_stored_and_in_force_when_the_answer_comes() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    let input = PolicyInput { concurrent: "3".into(), models: "Llama3.2, qwen*".into(), ..day("1000") };
    let policy = set(&bench, &actor, &key, input).await.unwrap();
    let now = standing(&bench, &key);
    assert_eq!((now.key.concurrent.limit, now.key.tokens_day.limit), (Some(3), Some(1_000)));
    assert_eq!(bench.control.0.store.load().await.unwrap().keys[0].policy, policy);
    let input = SetPolicy::new(user.clone(), day("50"));
    let view = bench.control.set_user_policy(&actor, input).await.unwrap();
    assert_eq!((view.policy.tokens_per_day, standing(&bench, &key).user.tokens_day.limit), (Some(50), Some(50)));
    assert_eq!(bench.control.0.store.load().await.unwrap().users[0].policy, view.policy);
    let detail = bench.control.user(&actor, UserRef { id: user }).unwrap();
    assert_eq!((&detail.keys[0].policy, &detail.standings[0].id), (&policy, &key));
    assert_eq!(set(&bench, &actor, &key, PolicyInput::default()).await.unwrap(), Policy::default());
    assert_eq!(standing(&bench, &key).key.tokens_day.limit, None);
}

#[tokio::test]
async fn a_policy_with_a_fault_changes_nothing() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    let before = set(&bench, &actor, &key, day("7")).await.unwrap();
    let bad = PolicyInput { concurrent: "0".into(), networks: "10.0.0.300".into(), ..day("8") };
    let error = set(&bench, &actor, &key, bad.clone()).await.unwrap_err();
    assert!(
        error.field("concurrent").is_some() && error.field("networks").is_some() && error.field("models").is_none()
    );
    assert!(bench.control.set_user_policy(&actor, SetPolicy::new(user.clone(), bad)).await.is_err());
    let state = bench.control.0.store.load().await.unwrap();
    assert!(state.keys[0].policy == before && state.users[0].policy.is_default());
    bench.control.remove_user(&actor, UserRef { id: user.clone() }).await.unwrap();
    assert_eq!(set(&bench, &actor, &key, day("9")).await.unwrap_err().status(), 409, "revoked is for good");
    let gone = bench.control.set_user_policy(&actor, SetPolicy::new(user, day("9"))).await;
    assert_eq!(gone.unwrap_err().status(), 404);
}

#[tokio::test]
async fn the_command_line_changes_what_it_names_and_clears_when_told() {
    let bench = bench().await;
    let run = async |command| bench.control.execute(command).await.unwrap();
    let edit = PolicyEdit { tokens_per_day: Some("9".into()), ..Default::default() };
    run(Command::UserAdd { name: "ada".into(), policy: edit.clone() }).await;
    let create = Command::KeyCreate {
        user: "ada".into(),
        name: "laptop".into(),
        requests: None,
        minutes: None,
        policy: PolicyEdit { concurrent: Some("2".into()), ..Default::default() },
    };
    let Reply::CreatedKey(created) = run(create).await else { panic!() };
    assert_eq!(created.view.policy.concurrent, Some(2));
    let key = async |clear, edit: PolicyEdit| {
        let command = Command::KeyPolicy { key: created.view.id.to_string(), clear, edit };
        let Reply::Keys(keys) = run(command).await else { panic!() };
        keys[0].policy.clone()
    };
    let both = Policy { concurrent: Some(2), tokens_per_day: Some(9), ..Default::default() };
    assert_eq!(key(false, edit.clone()).await, both);
    assert_eq!(key(false, PolicyEdit::default()).await, both, "nothing named, nothing changed");
    assert_eq!(key(true, edit).await, Policy { concurrent: None, ..both });
    assert!(key(false, PolicyEdit { tokens_per_day: Some(String::new()), ..Default::default() }).await.is_default());
    let Reply::Users(users) =
        run(Command::UserPolicy { user: "ADA".into(), clear: true, edit: PolicyEdit::default() }).await
    else {
        panic!()
    };
    assert!(users[0].policy.is_default());
}

#[tokio::test]
async fn a_restart_keeps_what_was_used_today_and_this_month() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let mut bench = bench_of(&folder, &address).await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    set(&bench, &actor, &key, day("100")).await.unwrap();
    bench.control.set_user_policy(&actor, SetPolicy::new(user.clone(), day("200"))).await.unwrap();
    bench.usage = None;
    let now = Now::read().wall;
    use_up(&bench, &user, &key, now, 40, 2_500).await;
    let yesterday = day_begins(day_of(now)) - 1;
    use_up(&bench, &user, &key, yesterday, 7, 1_000).await;
    bench.control.close().await.unwrap();

    let bench = bench_of(&folder, &address).await;
    let seen = standing(&bench, &key);
    assert_eq!((seen.key.tokens_day.used, seen.user.tokens_day.used), (40, 40));
    assert_eq!(seen.key.gpu_seconds_day.used, 3, "rounded up");
    let same_month = domain::policy::month_of(yesterday) == domain::policy::month_of(now);
    assert_eq!(seen.key.tokens_month.used, if same_month { 47 } else { 40 });
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn who_gets_a_budget_has_used_what_was_used_before() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let (one, two) = (bench.key(&actor, &user, "one").await.view.id, bench.key(&actor, &user, "two").await.view.id);
    let now = Now::read().wall;
    use_up(&bench, &user, &one, now, 30, 0).await;
    use_up(&bench, &user, &two, now, 12, 0).await;
    assert_eq!(standing(&bench, &one).key.tokens_day.used, 0, "nobody asked yet");
    set(&bench, &actor, &one, day("100")).await.unwrap();
    assert_eq!(standing(&bench, &one).key.tokens_day.used, 30);
    use_up(&bench, &user, &two, now + 1, 5, 0).await;
    bench.control.set_user_policy(&actor, SetPolicy::new(user, day("100"))).await.unwrap();
    let seen = standing(&bench, &two);
    assert_eq!((seen.key.tokens_day.used, seen.user.tokens_day.used), (17, 47));
}

#[tokio::test]
async fn what_keys_reach_by_default_is_a_setting() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let classes = || bench.gateway.snapshot().settings.classes;
    assert_eq!(classes(), Classes::default());
    let input = |catalogue: &str, management: &str| SaveSettings {
        class_catalogue: catalogue.into(),
        class_management: management.into(),
        ..Default::default()
    };
    let view = bench.control.save_settings(&actor, input("no", "yes")).await.unwrap();
    assert!(!view.class_catalogue.value && view.class_management.value && view.class_inference.value);
    assert_eq!(classes(), Classes { inference: true, catalogue: false, management: true });
    let error = bench.control.save_settings(&actor, input("perhaps", "no")).await.err().unwrap();
    assert!(error.field("class_catalogue").is_some());
    assert!(classes().management, "nothing half-saved");
    bench.control.save_settings(&actor, input("yes", "")).await.unwrap();
    assert_eq!(classes(), Classes::default());
}
