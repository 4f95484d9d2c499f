//! Many users and keys: found, ordered and switched together; what is written down about them; keys that take the place of
//! others; where keys were used from.

use std::{collections::BTreeSet, net::IpAddr};

use domain::{
    endpoint::Endpoint,
    id::KeyId,
    key::{KeyStatus, RotateKey, SetKeyStatus},
    policy::{Policy, PolicyInput, SetPolicy},
    remarks::{Remarks, SetRemarks},
    usage::UsageRecord,
    user::{AskUsers, MOST_SWITCHED, PAGE, SetUsersEnabled, UserRef, UsersPage},
};
use store::row::{KeyRow, UserRow};

use super::*;
use crate::state::State;

const DAY: u64 = 86_400_000;
const NAMES: [&str; 5] = ["Ada Lovelace", "Ольга Петрова", "山田 太郎", "Ünal İnce", "محمد"];

fn user_row(n: usize) -> UserRow {
    UserRow {
        id: UserId::new(&format!("u{n:011}")).unwrap(),
        name: format!("{} {n}", NAMES[n % NAMES.len()]),
        enabled: !n.is_multiple_of(10),
        created_at: 1_000 + n as u64,
        removed_at: (n == 1_999).then_some(5),
        policy: Policy::default(),
        remarks: Remarks {
            label: format!("team {}", n % 7),
            note: if n == 77 { "Buchhaltung, 3. Stock".into() } else { "n".repeat(900) },
        },
    }
}

fn key_row(n: usize, expires_at: Option<u64>) -> KeyRow {
    KeyRow {
        id: KeyId::new(&format!("k{n:011}")).unwrap(),
        user: user_row(n % 2_000).id,
        name: if n == 4_321 { "Ключ от сервера".into() } else { format!("key {n}") },
        status: if n.is_multiple_of(3) { KeyStatus::Revoked } else { KeyStatus::Active },
        hash: None,
        last_four: "abcd".into(),
        limit: None,
        policy: Policy { expires_at, ..Policy::default() },
        created_at: 1,
        remarks: Remarks { label: String::new(), note: "x".repeat(500) },
        replaced_by: None,
    }
}

/// 2,000 users, one of them removed, with 10,000 keys: in memory alone, as reading needs no more.
async fn crowded() -> (Bench, Actor) {
    let bench = bench().await;
    let actor = bench.admin().await;
    let now = Now::read().wall;
    let mut rows = bench.control.state().rows.clone();
    rows.users = (0..2_000).map(user_row).collect();
    rows.keys = (0..10_000).map(|n| key_row(n, (n == 502).then_some(now + 3 * DAY))).collect();
    bench.control.0.install(State { rows });
    (bench, actor)
}

fn page(bench: &Bench, actor: &Actor, search: &str, show: &str, sort: &str, page: &str) -> UsersPage {
    let asked = AskUsers { search: search.into(), show: show.into(), sort: sort.into(), page: page.into() };
    bench.control.users_page(actor, &asked).unwrap()
}

fn names(page: &UsersPage) -> Vec<&str> {
    page.users.iter().map(|user| user.name.as_str()).collect()
}

#[tokio::test]
async fn of_two_thousand_users_with_ten_thousand_keys_an_answer_carries_a_page() {
    let (bench, actor) = crowded().await;
    let mut seen = BTreeSet::new();
    for number in 1..=40 {
        let page = page(&bench, &actor, "", "", "", &number.to_string());
        assert_eq!((page.all, page.matching, page.page, page.pages), (1_999, 1_999, number, 40));
        assert_eq!(page.users.len(), if number == 40 { 49 } else { PAGE });
        assert!(serde_json::to_string(&page).unwrap().len() < 20_000, "no notes, no keys");
        seen.extend(page.users.into_iter().map(|user| user.id));
    }
    assert_eq!(seen.len(), 1_999, "every user once");
    let last = page(&bench, &actor, "", "", "", "99");
    assert_eq!((last.page, last.users.len()), (40, 49), "a page after the last is the last");
    assert_eq!(
        page(&bench, &actor, "no such user", "", "", "3"),
        UsersPage { all: 1_999, page: 1, pages: 1, ..Default::default() }
    );
}

#[tokio::test]
async fn a_search_finds_names_of_any_script_and_what_is_written_down() {
    let (bench, actor) = crowded().await;
    let found = |search: &str| page(&bench, &actor, search, "", "name", "");
    assert_eq!(found("ПЕТРОВА").matching, 400);
    assert_eq!(found("山田").matching, 400);
    assert_eq!(found("ünal").matching, 400);
    assert_eq!(found("محمد").matching, 399, "the removed one is not found");
    assert_eq!(names(&found("lovelace 1995")), ["Ada Lovelace 1995"]);
    assert_eq!(names(&found("buchHALTUNG")), ["山田 太郎 77"], "in a note");
    assert_eq!(names(&found("ключ ОТ")), ["Ольга Петрова 321"], "the name of a key");
    assert_eq!(found("TEAM 3").matching, 286);
    assert_eq!(names(&found("op_k00000004322")), ["山田 太郎 322"], "the beginning of a key's id");
    assert_eq!(names(&found("k00000004322")), ["山田 太郎 322"], "its id alone");
    assert!(names(&found("k0000000")).is_empty(), "a few letters begin the ids of many by chance");
    let whole = format!("op_k00000004322_{}", "s".repeat(49));
    assert_eq!(names(&found(&whole)), ["山田 太郎 322"], "a whole key, of which only the public part is looked at");
    assert_eq!(names(&found("k00000004323")), ["Ünal İnce 323"], "revoked or not");
    assert_eq!(found("key 9").matching, page(&bench, &actor, " KEY  9 ", "", "", "").matching);
}

#[tokio::test]
async fn users_are_filtered_and_ordered() {
    let (bench, actor) = crowded().await;
    let key = |n: usize| key_row(n, None).id;
    let from = |n: usize, at: u64| UsageRecord {
        address: Some([10, 0, 0, n as u8].into()),
        ..UsageRecord::new(at, at, user_row(n).id, key(n), Endpoint::Chat)
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(10);
    for record in [from(7, 50), from(8, 90), from(8, 60), from(11, 70)] {
        sender.send(record).await.unwrap();
    }
    drop(sender);
    bench.control.run_usage_writer(receiver, CancellationToken::new()).await;
    let of = |show: &str, sort: &str| page(&bench, &actor, "", show, sort, "");
    assert_eq!((of("active", "").matching, of("disabled", "").matching), (1_799, 200));
    assert_eq!(of("unused", "").matching, 1_996);
    let expiring = of("expiring", "");
    assert_eq!((names(&expiring), expiring.users[0].expiring), (vec!["山田 太郎 502"], 1));
    assert_eq!(names(&of("", ""))[..2], ["Ünal İnce 1998", "山田 太郎 1997"]);
    assert_eq!(names(&of("", "oldest"))[..2], ["Ada Lovelace 0", "Ольга Петрова 1"]);
    assert_eq!(names(&of("", "name"))[..2], ["Ada Lovelace 0", "Ada Lovelace 10"]);
    let used = of("", "used");
    assert_eq!(names(&used)[..4], ["Ünal İnce 8", "Ольга Петрова 11", "山田 太郎 7", "Ünal İnce 1998"]);
    let first = &used.users[0];
    assert_eq!((first.requests, first.last_used_at, first.last_address.as_deref()), (2, Some(90), Some("10.0.0.8")));
    assert_eq!(names(&of("", "requests"))[0], "Ünal İnce 8");
    let idle = page(&bench, &actor, "", "", "idle", "40");
    assert_eq!(names(&idle)[46..], ["山田 太郎 7", "Ольга Петрова 11", "Ünal İnce 8"]);
}

async fn two_admins(bench: &Bench) -> (Actor, UserId, KeyId) {
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    (actor, user, key)
}

fn remarks<Id>(id: Id, label: &str, note: &str, seen: &str) -> SetRemarks<Id> {
    SetRemarks { id, label: label.into(), note: note.into(), seen: seen.into() }
}

#[tokio::test]
async fn of_two_who_write_at_once_the_second_is_told_and_overwrites_nothing_unseen() {
    let bench = bench().await;
    let (actor, user, key) = two_admins(&bench).await;
    let seen = Remarks::default().version();
    let first = bench.control.set_user_remarks(&actor, remarks(user.clone(), "team a", "", &seen)).await.unwrap();
    assert_eq!(first.remarks.label, "team a");
    let second = |seen: String| {
        let input = remarks(user.clone(), "team b", "of the second", &seen);
        bench.control.set_user_remarks(&actor, input)
    };
    let refused = second(seen.clone()).await.unwrap_err();
    assert!(refused.field("label").unwrap().contains("“team a”"), "{refused}");
    let stored = || async { bench.control.0.store.load().await.unwrap().users[0].remarks.clone() };
    assert_eq!(stored().await.label, "team a");
    assert_eq!(refused.field("seen"), Some(first.remarks.version.as_str()));
    assert!(second(first.remarks.version.clone()).await.is_ok(), "once it was told");
    assert_eq!(stored().await, Remarks { label: "team b".into(), note: "of the second".into() });
    let of_key = bench.control.set_key_remarks(&actor, remarks(key.clone(), "", "a note", &seen)).await.unwrap();
    assert_eq!(of_key.remarks.note, "a note");
    assert!(bench.control.set_key_remarks(&actor, remarks(key, "x", "", &seen)).await.is_err());
}

fn rotate(id: &KeyId, overlap: &str) -> RotateKey {
    RotateKey { id: id.clone(), overlap: overlap.into(), until: String::new(), expires_at: None }
}

#[tokio::test]
async fn a_rotated_key_works_on_for_its_overlap_and_the_new_one_is_as_it_was() {
    let bench = bench().await;
    let (actor, user, old) = two_admins(&bench).await;
    let control = &bench.control;
    let policy = PolicyInput { concurrent: "3".into(), expires_at: "30d".into(), ..Default::default() };
    let before = control.set_key_policy(&actor, SetPolicy::new(old.clone(), policy)).await.unwrap();
    let seen = Remarks::default().version();
    control.set_key_remarks(&actor, remarks(old.clone(), "rack 3", "", &seen)).await.unwrap();
    let now = Now::read().wall;
    let made = control.rotate_key(&actor, rotate(&old, "24h")).await.unwrap();
    let new = &made.view;
    assert_eq!((new.name.as_str(), &new.policy, new.remarks.label.as_str()), ("laptop", &before.policy, "rack 3"));
    let snapshot = bench.gateway.snapshot();
    assert_eq!(snapshot.keys[&new.id].hash, Some(control.0.secrets.hash_key(&made.token)));
    assert!(snapshot.keys[&old].hash.is_some(), "it works on");
    let rows = control.0.store.load().await.unwrap().keys;
    let ended = rows.iter().find(|row| row.id == old).unwrap();
    let end = ended.policy.expires_at.unwrap();
    assert!((now + DAY - 1_000..=now + DAY + 60_000).contains(&end), "{end}");
    assert_eq!(ended.replaced_by.as_ref(), Some(&new.id));
    let detail = control.user(&actor, UserRef { id: user.clone() }).unwrap();
    let notice = |id: &KeyId| detail.keys.iter().find(|key| key.id == *id).unwrap().notice.clone();
    assert!(notice(&old).unwrap().starts_with(&format!("replaced by op_{} and works until 2", new.id)));
    assert_eq!(notice(&new.id), None, "its end is a month away");
    assert_eq!(control.rotate_key(&actor, rotate(&old, "1h")).await.err().unwrap().status(), 409, "once");
    assert!(bench.try_key(&actor, &user, "laptop", "", "").await.is_err(), "the new one has the name");
    // Of a successor that was revoked the place is free again.
    let revoke = |id: &KeyId| SetKeyStatus { id: id.clone(), status: KeyStatus::Revoked };
    control.set_key_status(&actor, revoke(&new.id)).await.unwrap();
    let view = control.user(&actor, UserRef { id: user.clone() }).unwrap().keys.into_iter().find(|key| key.id == old);
    assert_eq!(view.unwrap().replaced_by, None);
    let later = PolicyInput { concurrent: "3".into(), expires_at: "30d".into(), ..Default::default() };
    control.set_key_policy(&actor, SetPolicy::new(old.clone(), later)).await.unwrap();
    let again = control.rotate_key(&actor, rotate(&old, "24h")).await.unwrap().view;
    assert_eq!((again.name.as_str(), again.remarks.label.as_str()), ("laptop", "rack 3"));
    assert_eq!(control.rotate_key(&actor, rotate(&old, "1h")).await.err().unwrap().status(), 409, "once");
    // Revoking stays final, also of what replaces and what was replaced.
    for id in [&old, &new.id, &again.id] {
        let status = SetKeyStatus { id: id.clone(), status: KeyStatus::Revoked };
        control.set_key_status(&actor, status).await.unwrap();
        assert_eq!(control.rotate_key(&actor, rotate(id, "1h")).await.err().unwrap().status(), 409);
        assert_eq!(bench.gateway.snapshot().keys[id].hash, None);
    }
}

#[tokio::test]
async fn without_an_overlap_the_old_key_ends_at_once_and_an_earlier_end_stays() {
    let bench = bench().await;
    let (actor, user, old) = two_admins(&bench).await;
    let control = &bench.control;
    let made = control.rotate_key(&actor, rotate(&old, "none")).await.unwrap().view;
    // A form from before the rotation does not know of its end.
    for expires_at in ["", "30d"] {
        let stale = PolicyInput { concurrent: "5".into(), expires_at: expires_at.into(), ..Default::default() };
        let refused = control.set_key_policy(&actor, SetPolicy::new(old.clone(), stale)).await.err().unwrap();
        assert!(refused.field("expires_at").is_some_and(|fault| fault.contains("no later end")), "{refused}");
    }
    let view = |id: &KeyId| {
        let keys = control.user(&actor, UserRef { id: user.clone() }).unwrap().keys;
        keys.into_iter().find(|key| key.id == *id).unwrap()
    };
    assert!(view(&old).policy.expires_at.unwrap() <= Now::read().wall);
    assert!(view(&old).notice.unwrap().contains("; ended 2"));
    let policy = PolicyInput { expires_at: "2h".into(), ..Default::default() };
    let end = control.set_key_policy(&actor, SetPolicy::new(made.id.clone(), policy)).await.unwrap().policy.expires_at;
    assert!(view(&made.id).notice.unwrap().starts_with("expires within a day"));
    let input = RotateKey { expires_at: Some("90d".into()), ..rotate(&made.id, "7d") };
    let third = control.rotate_key(&actor, input).await.unwrap().view;
    assert_eq!(view(&made.id).policy.expires_at, end, "not later than it would have been");
    assert!(third.policy.expires_at.unwrap() > Now::read().wall + 89 * DAY);
    let bad = RotateKey { expires_at: Some("soon".into()), ..rotate(&third.id, "7d") };
    assert!(control.rotate_key(&actor, bad).await.err().unwrap().field("expires_at").is_some());
    assert_eq!(control.rotate_key(&actor, rotate(&old, "1h")).await.err().unwrap().status(), 409);
    let status = |status| SetKeyStatus { id: third.id.clone(), status };
    control.set_key_status(&actor, status(KeyStatus::Disabled)).await.unwrap();
    assert_eq!(control.rotate_key(&actor, rotate(&third.id, "1h")).await.err().unwrap().status(), 409);
}

#[tokio::test]
async fn keys_that_expire_soon_are_spoken_of_once_a_day() {
    let bench = bench().await;
    let (actor, _, key) = two_admins(&bench).await;
    let now = Now::read();
    assert_eq!((bench.control.keys_expiring(now.wall), bench.control.remind_of_expiry(now)), (0, 0));
    let policy = PolicyInput { expires_at: "13d".into(), ..Default::default() };
    bench.control.set_key_policy(&actor, SetPolicy::new(key, policy)).await.unwrap();
    let tomorrow = later(Duration::from_secs(86_400));
    let said = [now, now, tomorrow, tomorrow].map(|now| bench.control.remind_of_expiry(now));
    assert_eq!((bench.control.keys_expiring(now.wall), said), (1, [1, 0, 1, 0]));
    assert_eq!(bench.control.keys_expiring(now.wall + 14 * DAY), 0, "over");
}

#[tokio::test]
async fn chosen_users_are_switched_together_or_not_at_all() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "carol"] {
        ids.push(bench.user(&actor, name).await);
    }
    let key = bench.key(&actor, &ids[0], "laptop").await.view.id;
    let boxes = |ids: &[UserId]| ids.iter().map(|id| (SetUsersEnabled::box_of(id), true)).collect();
    let switch = |users, enabled| bench.control.set_users_enabled(&actor, SetUsersEnabled { users, enabled });
    let before = bench.control.state().rows.revision;
    let done = switch(boxes(&ids[..2]), false).await.unwrap();
    assert_eq!((done.told.as_str(), done.names.len()), ("disabled 2 users: ada, bob", 2));
    assert_eq!(bench.control.state().rows.revision, before + 1, "one transaction");
    assert!(!bench.gateway.snapshot().keys[&key].user_enabled);
    assert_eq!(switch(boxes(&ids), false).await.unwrap().told, "disabled 1 user: carol; 2 were disabled already");
    assert_eq!(switch(boxes(&[]), true).await.unwrap_err().field("users"), Some("choose at least one user"));
    let gone = [ids[0].clone(), UserId::new("zzzzzzzzzzzz").unwrap()];
    assert_eq!(switch(boxes(&gone), true).await.unwrap_err().status(), 404);
    assert!(bench.control.users(&actor).iter().all(|user| !user.enabled), "none of them");
    let many = (0..=MOST_SWITCHED).map(|n| (format!("u_{n:012}"), true)).collect();
    assert!(switch(many, true).await.unwrap_err().field("users").unwrap().contains("at most 200"));
    let log = bench.control.read_audit(&Default::default(), 10).await.unwrap().entries;
    let row = log.iter().rfind(|row| row.action == "users switched").unwrap();
    let told: Vec<_> = row.changes.iter().map(|change| (change.kind.as_str(), change.name.as_str())).collect();
    assert_eq!(told, [("user", "ada"), ("user", "bob")], "each by name");
}

#[tokio::test]
async fn where_a_key_was_used_from_last_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let first = bench_of(&folder, &address).await;
    let (actor, user, key) = two_admins(&first).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(10);
    for (at, address) in [(10, "10.0.0.1"), (30, "2001:db8::7"), (20, "10.0.0.2")] {
        let record = UsageRecord::new(at, at, user.clone(), key.clone(), Endpoint::Chat);
        let address: IpAddr = address.parse().unwrap();
        sender.send(UsageRecord { address: Some(address), ..record }).await.unwrap();
    }
    drop(sender);
    first.control.run_usage_writer(receiver, CancellationToken::new()).await;
    let last = |bench: &Bench| {
        let view = bench.control.user(&actor, UserRef { id: user.clone() }).unwrap();
        (view.user.last_address, view.keys[0].last_address.clone())
    };
    let expected = (Some("2001:db8::7".to_owned()), Some("2001:db8::7".to_owned()));
    assert_eq!(last(&first), expected);
    first.control.close().await.unwrap();
    assert_eq!(last(&bench_of(&folder, &address).await), expected);
}
