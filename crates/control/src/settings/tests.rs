//! Rules of saving settings, without a store.

use super::*;

fn sealer() -> Sealer {
    Sealer::new(&[1; 32])
}

fn state(settings: &[(&str, &str)]) -> State {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    State { rows: store::row::State { settings, ..Default::default() } }
}

fn save(state: &State, environment: &EnvironmentSettings, input: SaveSettings) -> Vec<(String, Option<String>)> {
    let ops = plan(state, environment, &sealer(), &input).unwrap_or_else(|error| panic!("{error}"));
    ops.into_iter()
        .map(|op| match op {
            Op::PutSetting(name, value) => (name, Some(value)),
            Op::DeleteSetting(name) => (name, None),
            _ => panic!("only settings are written"),
        })
        .collect()
}

#[test]
fn saved_wins_over_environment_wins_over_default() {
    let environment = EnvironmentSettings { max_body_mb: Some(10), ..Default::default() };
    let default = view(&state(&[]), &EnvironmentSettings::default()).max_body_mb;
    assert_eq!((default.value, default.source), (64, Source::Default));
    let from_environment = view(&state(&[]), &environment).max_body_mb;
    assert_eq!((from_environment.value, from_environment.source), (10, Source::Environment));
    let saved = view(&state(&[("max_body_mb", "20")]), &environment).max_body_mb;
    assert_eq!((saved.value, saved.source, saved.overrides_environment), (20, Source::Saved, true));
}

#[test]
fn a_save_over_settings_that_changed_meanwhile_is_refused() {
    let environment = EnvironmentSettings::default();
    let shown = view(&state(&[]), &environment).version;
    let input = SaveSettings { max_body_mb: "32".into(), version: shown, ..Default::default() };
    assert_eq!(save(&state(&[]), &environment, input.clone()), [("max_body_mb".into(), Some("32".into()))]);
    let changed = state(&[("default_limit", "7/3")]);
    assert_ne!(view(&changed, &environment).version, input.version);
    assert!(matches!(plan(&changed, &environment, &sealer(), &input), Err(AdminError::Conflict { .. })));
}

#[test]
fn all_faults_are_reported_and_nothing_is_planned() {
    let input = SaveSettings {
        requests: "5".into(),
        redis_url: "http://x".into(),
        replicas: "0".into(),
        catalogue_interval_s: "0".into(),
        connect_timeout_s: "61".into(),
        first_byte_timeout_s: "x".into(),
        stall_timeout_s: "86401".into(),
        max_body_mb: (MAX_BODY_MB + 1).to_string(),
        public_url: "nonsense".into(),
        ..Default::default()
    };
    let Err(AdminError::Invalid { fields }) = plan(&state(&[]), &Default::default(), &sealer(), &input) else {
        panic!()
    };
    let names: Vec<&str> = fields.iter().map(|fault| fault.field.as_str()).collect();
    let wanted = [
        "minutes",
        "redis_url",
        "replicas",
        "catalogue_interval_s",
        "connect_timeout_s",
        "first_byte_timeout_s",
        "stall_timeout_s",
        "max_body_mb",
        "public_url",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn zero_requests_saves_no_limit_over_a_limit_of_the_environment() {
    let limit = RateLimit::new(5, 1);
    let environment = EnvironmentSettings { default_limit: Some(limit), ..Default::default() };
    let ops = save(&state(&[]), &environment, SaveSettings { requests: "0".into(), ..Default::default() });
    assert_eq!(ops, [("default_limit".to_owned(), Some("none".to_owned()))]);
    let now = view(&state(&[("default_limit", "none")]), &environment).default_limit;
    assert_eq!((now.value, now.source), (None, Source::Saved));
}

#[test]
fn an_empty_field_goes_back_to_the_environment() {
    let environment = EnvironmentSettings { default_limit: Some(RateLimit::new(5, 1)), ..Default::default() };
    let saved = state(&[("default_limit", "9/2"), ("connect_timeout_s", "9")]);
    let ops = save(&saved, &environment, SaveSettings::default());
    assert_eq!(ops, [("default_limit".to_owned(), None), ("connect_timeout_s".to_owned(), None)]);
}

#[test]
fn choosing_what_counts_anyway_saves_no_strategy() {
    let environment = EnvironmentSettings { balance: Some(Balance::Weighted), ..Default::default() };
    let choose = |saved: &State, environment: &EnvironmentSettings, balance: &str| {
        save(saved, environment, SaveSettings { balance: balance.into(), ..Default::default() })
    };
    assert_eq!(choose(&state(&[]), &environment, "weighted"), []);
    let saved = state(&[("balance", "round-robin")]);
    let shown = view(&saved, &environment).balance;
    assert_eq!((shown.value, shown.source, shown.overrides_environment), (Balance::RoundRobin, Source::Saved, true));
    assert_eq!(choose(&saved, &environment, "round-robin"), [], "what is shown, sent back");
    for back in ["weighted", ""] {
        assert_eq!(choose(&saved, &environment, back), [("balance".to_owned(), None)], "{back:?}");
    }
    let put = [("balance".to_owned(), Some("warm-first".to_owned()))];
    assert_eq!(choose(&saved, &environment, "Warm-First"), put, "the default hides the environment");
    assert_eq!(choose(&saved, &Default::default(), "warm-first"), [("balance".to_owned(), None)]);
    assert_eq!(view(&state(&[("balance", "of another version")]), &environment).balance.value, Balance::Weighted);
}

#[test]
fn sending_back_what_is_shown_saves_nothing() {
    let environment = EnvironmentSettings {
        default_limit: Some(RateLimit::new(5, 1)),
        redis_url: Some("redis://:geheim@cache:6379/1".into()),
        max_body_mb: None,
        public_url: Some("https://gate.example.com".into()),
        ..Default::default()
    };
    let shown = view(&state(&[]), &environment);
    let input = SaveSettings {
        requests: "5".into(),
        minutes: "1".into(),
        redis_url: shown.redis_url.value,
        replicas: "1".into(),
        catalogue_interval_s: "30".into(),
        connect_timeout_s: "3".into(),
        first_byte_timeout_s: "600".into(),
        stall_timeout_s: "300".into(),
        balance: "warm-first".into(),
        queue_max: "1000".into(),
        queue_seconds: "60".into(),
        usage_days: "30".into(),
        rollup_days: "730".into(),
        max_body_mb: "64".into(),
        public_url: shown.public_url.value,
        version: shown.version,
        ..Default::default()
    };
    assert_eq!(save(&state(&[]), &environment, input), []);
}

#[test]
fn a_redis_password_is_sealed_kept_for_its_address_and_never_shown() {
    let none = EnvironmentSettings::default();
    let input = |url: &str| SaveSettings { redis_url: url.into(), ..Default::default() };
    let ops = save(&state(&[]), &none, input("redis://op:geheim@cache:6380/2"));
    assert!(!format!("{ops:?}").contains("geheim"));
    let rows: Vec<(&str, &str)> = ops.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap())).collect();
    let saved = state(&rows);
    let shown = view(&saved, &none);
    assert_eq!((shown.redis_url.value.as_str(), shown.redis_has_password), ("redis://op@cache:6380/2", true));
    let address = redis_address(&saved, &none, &sealer()).unwrap();
    assert_eq!(address.password.unwrap().as_str(), "geheim");

    assert_eq!(save(&saved, &none, input(&shown.redis_url.value)), [], "the shown address keeps the password");
    let moved = save(&saved, &none, input("redis://op@elsewhere:6380/2"));
    assert_eq!(moved.last(), Some(&("redis_password".to_owned(), None)), "another address does not get it");
    let cleared = save(&saved, &none, SaveSettings::default());
    assert_eq!(cleared, [("redis_url".to_owned(), None), ("redis_password".to_owned(), None)]);
}

#[test]
fn single_fields_are_an_address_too_and_keep_the_password_only_for_the_same_place() {
    let none = EnvironmentSettings::default();
    let fields = |host: &str, password: &str| SaveSettings {
        redis_host: host.into(),
        redis_user: "op".into(),
        redis_password: password.into(),
        ..Default::default()
    };
    let ops = save(&state(&[]), &none, fields("cache", "geheim"));
    assert!(!format!("{ops:?}").contains("geheim"));
    let rows: Vec<(&str, &str)> = ops.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap())).collect();
    let saved = state(&rows);
    let address = redis_address(&saved, &none, &sealer()).unwrap();
    assert_eq!((address.url.as_str(), address.password.unwrap().as_str()), ("redis://op@cache:6379/0", "geheim"));

    assert_eq!(save(&saved, &none, fields("cache", "")), [], "the same place keeps the password");
    let forgotten = SaveSettings { redis_forget_password: "on".into(), ..fields("cache", "") };
    assert_eq!(save(&saved, &none, forgotten), [("redis_password".to_owned(), None)]);
    for moved in [fields("other", ""), SaveSettings { redis_tls: "on".into(), ..fields("cache", "") }] {
        let ops = save(&saved, &none, moved);
        assert_eq!(ops.last(), Some(&("redis_password".to_owned(), None)), "another place does not get it");
    }
    let whole = SaveSettings { redis_url: "redis://elsewhere:1/0".into(), ..fields("cache", "") };
    assert_eq!(save(&saved, &none, whole)[0], ("redis_url".into(), Some("redis://elsewhere:1/0".into())));
    let both = SaveSettings { redis_url: "redis://elsewhere:1/0".into(), ..fields("third", "") };
    let Err(AdminError::Invalid { fields: faults }) = plan(&saved, &none, &sealer(), &both) else { panic!() };
    assert_eq!(faults[0].field, "redis_url");
    let password = SaveSettings { redis_password: "geheim".into(), ..Default::default() };
    let Err(AdminError::Invalid { fields: faults }) = plan(&saved, &none, &sealer(), &password) else { panic!() };
    assert_eq!(faults[0].field, "redis_host");
}

#[test]
fn the_environments_redis_address_shown_in_fields_is_not_saved_by_sending_it_back() {
    let redis_url = Some("redis://:geheim@cache".to_owned());
    let environment = EnvironmentSettings { redis_url, replicas: Some(3), ..Default::default() };
    let input = SaveSettings {
        redis_host: "cache".into(),
        redis_port: "6379".into(),
        redis_database: "0".into(),
        replicas: "3".into(),
        ..Default::default()
    };
    assert_eq!(save(&state(&[]), &environment, input), []);
    assert_eq!(view(&state(&[]), &environment).replicas.value, 3);
}

#[test]
fn the_environments_redis_password_is_never_in_a_debug_text() {
    let redis_url = Some("redis://:geheim@127.0.0.1".to_owned());
    let text = format!("{:?}", EnvironmentSettings { redis_url, ..Default::default() });
    assert!(text.contains("redis_url") && !text.contains("geheim"), "{text}");
}

#[test]
fn all_bodies_together_hold_two_of_the_largest_and_follow_it_unless_told() {
    let environment = EnvironmentSettings::default();
    let memory = |settings: &[(&str, &str)]| view(&state(settings), &environment).body_memory_mb.value;
    assert_eq!((memory(&[]), memory(&[("max_body_mb", "500")])), (512, 1_000));
    let input = |largest: &str, memory: &str| SaveSettings {
        max_body_mb: largest.into(),
        body_memory_mb: memory.into(),
        ..Default::default()
    };
    let save = |largest: &str, memory: &str| plan(&state(&[]), &environment, &sealer(), &input(largest, memory));
    let fault = save("100", "199").err().unwrap();
    assert!(fault.field("body_memory_mb").is_some_and(|text| text.contains("at least 200")), "{fault}");
    assert!(save("100", "200").is_ok() && save("500", "").is_ok());
    assert!(save("500", "512").is_ok(), "the default that the page showed is no wish");
}
