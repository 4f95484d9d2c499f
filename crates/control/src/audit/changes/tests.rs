use domain::{
    admin::Role,
    id::{BackendId, KeyId},
    key::KeyStatus,
    limit::RateLimit,
    network::Networks,
    policy::Policy,
};
use store::row::{BackendRow, KeyRow, SessionRow, TotpRow};

use super::*;

const CANARY: &str = "canary";

fn user() -> UserRow {
    UserRow {
        id: UserId::new("uuuuuuuuuuuu").unwrap(),
        name: "ada".into(),
        enabled: true,
        created_at: 1,
        removed_at: None,
        policy: Policy::default(),
        remarks: Default::default(),
    }
}

fn key() -> KeyRow {
    KeyRow {
        id: KeyId::new("kkkkkkkkkkkk").unwrap(),
        user: user().id,
        name: "laptop".into(),
        status: KeyStatus::Active,
        hash: Some([99; 32]),
        last_four: "wxyz".into(),
        limit: RateLimit::new(60, 1),
        policy: Policy::default(),
        created_at: 1,
        remarks: Default::default(),
        replaced_by: None,
    }
}

fn admin() -> AdminRow {
    AdminRow {
        id: AdminId::new("aaaaaaaaaaaa").unwrap(),
        name: "root".into(),
        password_hash: CANARY.into(),
        role: Role::Owner,
        enabled: true,
        totp: Some(TotpRow {
            sealed: CANARY.into(),
            last_step: 1,
            recovery: vec![*b"canarycanarycanarycanarycanary01"],
        }),
        signed_in_at: None,
        created_at: 1,
    }
}

fn session() -> SessionRow {
    SessionRow {
        token_hash: *b"canarycanarycanarycanarycanary02",
        admin: admin().id,
        created_at: 1,
        last_seen_at: 1,
        address: "10.0.0.1".into(),
        user_agent: "Firefox".into(),
    }
}

fn backend() -> BackendRow {
    BackendRow {
        id: BackendId::new("bbbbbbbbbbbb").unwrap(),
        name: "gpu".into(),
        url: "http://canary:canary@10.0.0.2:11434".into(),
        enabled: true,
        sealed_token: Some(CANARY.into()),
        parallel: None,
        weight: 1,
        priority: 0,
        draining: false,
        timeouts: Default::default(),
        created_at: 1,
    }
}

fn state(ops: &[Op]) -> State {
    State::default().after(ops.to_vec(), 1)
}

/// The one change, its fields as `name: before -> after`.
fn one(before: &[Op], op: Op) -> (String, Vec<String>) {
    let mut found = changes(&state(before), &[op]);
    let change = found.remove(0);
    assert!(found.is_empty());
    let shown = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let fields = change.fields.into_iter().map(|f| format!("{}: {} -> {}", f.field, shown(f.before), shown(f.after)));
    (format!("{} {}", change.kind, change.name), fields.collect())
}

#[test]
fn only_what_differs_is_told_and_with_its_value_before() {
    let put = |row: UserRow| Op::PutUser(row);
    assert_eq!(one(&[], put(user())), ("user ada".into(), vec!["name: - -> ada".into(), "enabled: - -> yes".into()]));
    let changed = UserRow {
        name: "eve".into(),
        enabled: false,
        policy: Policy {
            concurrent: Some(4),
            expires_at: Some(1_795_343_400_000),
            models: vec!["llama3.2".parse().unwrap(), "qwen*".parse().unwrap()],
            management: true,
            topology: true,
            networks: Networks::parse("10.0.0.0/8\n::1").unwrap(),
            ..Policy::default()
        },
        ..user()
    };
    let fields = [
        "name: ada -> eve",
        "enabled: yes -> no",
        "requests at once: - -> 4",
        "expires: - -> 2026-11-22 10:30 UTC",
        "models: - -> llama3.2:latest, qwen*",
        "may manage models: - -> yes",
        "may see which backend answers: - -> yes",
        "networks: - -> 10.0.0.0/8, ::1",
    ];
    assert_eq!(one(&[put(user())], put(changed)).1, fields);
    assert!(changes(&state(&[put(user())]), &[put(user())]).is_empty());
}

#[test]
fn a_key_is_told_by_its_end_and_its_owner() {
    let created = one(&[Op::PutUser(user())], Op::PutKey(key()));
    assert_eq!(created.0, "key laptop");
    for field in ["user: - -> ada", "secret: - -> (set)", "ends in: - -> wxyz", "limit: - -> 60 requests in 1 minute"] {
        assert!(created.1.iter().any(|told| told == field), "{field}: {:?}", created.1);
    }
    let before = [Op::PutUser(user()), Op::PutKey(key())];
    let revoked = KeyRow { status: KeyStatus::Revoked, hash: None, ..key() };
    assert_eq!(one(&before, Op::PutKey(revoked)).1, ["status: active -> revoked", "secret: (set) -> -"]);
}

#[test]
fn what_is_in_use_is_no_change_and_what_ends_is() {
    let before = [Op::PutAdmin(admin()), Op::PutSession(session())];
    let touched = Op::PutSession(SessionRow { last_seen_at: 9, ..session() });
    let signed_in = Op::PutAdmin(AdminRow { signed_in_at: Some(9), ..admin() });
    let mark = Op::PutSetting("mark.sessions_changed".into(), "9".into());
    assert!(changes(&state(&before), &[touched, signed_in, mark, Op::DeleteSession([7; 32])]).is_empty());
    let ended = one(&before, Op::DeleteSession(session().token_hash));
    assert_eq!(ended, ("session root".into(), vec!["address: 10.0.0.1 -> -".into(), "browser: Firefox -> -".into()]));
}

#[test]
fn settings_are_told_as_people_know_them() {
    let put = |name: &str, text: &str| Op::PutSetting(name.into(), text.into());
    let limit = one(&[put("default_limit", "none")], put("default_limit", "60/5"));
    assert_eq!(limit, ("setting default limit".into(), vec!["value: no limit -> 60 requests in 5 minutes".to_owned()]));
    let lists = one(&[], put("network.denied_ips", "10.0.0.0/8\n::1"));
    assert_eq!(lists.1, ["value: - -> 10.0.0.0/8, ::1"]);
    let redis = one(&[put("redis_url", "redis://me@h:1/0")], Op::DeleteSetting("redis_url".into()));
    assert_eq!(redis.1, ["value: redis://h:1/0 -> -"]);
    assert!(changes(&State::default(), &[Op::DeleteSetting("default_limit".into())]).is_empty());
}

#[test]
fn nothing_secret_is_told_whatever_is_written() {
    let put = |name: &str, text: &str| Op::PutSetting(name.into(), text.into());
    let settings = |value: &str| {
        [
            "redis_password",
            "network.tls_key",
            "network.tls_certificate",
            "default_limit",
            "redis_url",
            "nobody.knows.it",
        ]
        .map(|name| put(name, value))
    };
    let mut written = vec![
        Op::PutAdmin(admin()),
        Op::PutSession(session()),
        Op::PutBackend(backend()),
        Op::PutKey(KeyRow { hash: Some(*b"canarycanarycanarycanarycanary03"), ..key() }),
        put("mark.secret_check", CANARY),
    ];
    written.extend(settings("canary one"));
    written.push(put("redis_url", "redis://canary:canary@h:1/0"));
    let mut again = vec![
        Op::PutAdmin(AdminRow { password_hash: "canary two".into(), totp: None, ..admin() }),
        Op::DeleteSession(session().token_hash),
        Op::PutBackend(BackendRow { sealed_token: Some("canary two".into()), url: "canary".into(), ..backend() }),
        Op::DeleteBackend(backend().id),
        Op::PutKey(KeyRow { hash: None, ..key() }),
    ];
    again.extend(settings("canary two"));
    again.push(Op::DeleteSetting("redis_password".into()));
    again.push(Op::DeleteAdmin(admin().id));
    let told = [changes(&State::default(), &written), changes(&state(&written), &again)];
    assert!(told[0].len() >= 10 && told[1].len() >= 10, "{} {}", told[0].len(), told[1].len());
    let json = serde_json::to_string(&told).unwrap();
    assert!(!json.contains("canary") && !json.contains("99,99"), "{json}");
    assert!(json.contains(r#"{"field":"token","before":"(set)","after":"(changed)"}"#), "{json}");
}

#[test]
fn one_row_is_bounded() {
    let keys = (0..1_500).map(|number| KeyRow { id: KeyId::new(&format!("{number:012}")).unwrap(), ..key() });
    let found = changes(&State::default(), &keys.map(Op::PutKey).collect::<Vec<_>>());
    assert_eq!((found.len(), found.last().unwrap().name.as_str()), (MOST + 1, "500 more rows"));
    let long = Op::PutSetting("public_url".into(), "x".repeat(LONGEST + 7));
    assert!(one(&[], long).1[0].ends_with("… and 7 more characters"));
}
