//! Rules of origins and resets, without a store.

use std::collections::BTreeSet;

use super::*;
use domain::settings::guide::Setting;

fn state(settings: &[(&str, &str)]) -> State {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    State { rows: row::State { settings, ..Default::default() } }
}

fn origin_of(name: &str, state: &State, environment: &EnvironmentSettings) -> Origin {
    origins(state, environment).into_iter().find(|origin| origin.name == name).unwrap()
}

/// What is forgotten.
fn reset(name: &str, state: &State, environment: &EnvironmentSettings) -> Result<Vec<String>, AdminError> {
    let ops = plan(state, environment, &ResetSetting { name: name.into(), version: String::new() })?;
    let forgotten = |op| match op {
        Op::DeleteSetting(name) => name,
        _ => panic!("a reset only forgets"),
    };
    Ok(ops.into_iter().map(forgotten).collect())
}

#[test]
fn every_setting_says_where_it_comes_from_under_a_name_of_the_page() {
    let found = origins(&State::default(), &EnvironmentSettings::default());
    let names: BTreeSet<&str> = found.iter().map(|origin| origin.name.as_str()).collect();
    assert_eq!(names.len(), found.len());
    for origin in &found {
        assert!(Setting::named(&origin.name).is_some(), "{origin:?}");
        assert_eq!((origin.text.as_str(), &origin.reset), ("This is the default.", &None), "{origin:?}");
    }
}

#[test]
fn what_is_saved_says_what_a_reset_brings_back_and_a_reset_brings_it() {
    let environment =
        EnvironmentSettings { max_body_mb: Some(10), default_limit: Some(RateLimit::new(5, 1)), ..Default::default() };
    let saved = state(&[("max_body_mb", "20"), ("default_limit", "none"), ("stall_timeout_s", "9")]);
    let body = origin_of("max_body_mb", &saved, &environment);
    assert!(body.text.contains("overrides the environment, which says 10"), "{body:?}");
    assert_eq!(body.reset.as_deref(), Some("10"));
    assert_eq!(origin_of("requests", &saved, &environment).reset, Some(RateLimit::new(5, 1).unwrap().to_string()));
    let stall = origin_of("stall_timeout_s", &saved, &environment);
    assert_eq!((stall.text.as_str(), stall.reset.as_deref()), ("Saved here; the default is 300.", Some("300")));

    assert_eq!(reset("max_body_mb", &saved, &environment).unwrap(), ["max_body_mb"], "and nothing else");
    let after = view(&without(&saved, &["max_body_mb"]), &environment).max_body_mb;
    assert_eq!((after.value, after.source), (10, Source::Environment));
}

#[test]
fn what_the_environment_sets_says_so_and_cannot_be_reset() {
    let environment = EnvironmentSettings { max_body_mb: Some(10), ..Default::default() };
    let origin = origin_of("max_body_mb", &State::default(), &environment);
    assert!(origin.text.contains("Set by the environment") && origin.text.contains("default is 64"), "{origin:?}");
    assert_eq!(origin.reset, None);
    let fault = reset("max_body_mb", &State::default(), &environment).unwrap_err();
    assert!(fault.field("name").is_some_and(|text| text.contains("environment")), "{fault}");
    let fault = reset("queue_max", &State::default(), &environment).unwrap_err();
    assert!(fault.field("name").is_some_and(|text| text.contains("default already")), "{fault}");
    assert!(reset("network.denied_ips", &state(&[("network.denied_ips", "10.0.0.0/8")]), &environment).is_err());
}

#[test]
fn a_reset_of_redis_takes_its_password_along() {
    let saved = state(&[("redis_url", "redis://cache:6379/0"), ("redis_password", "sealed"), ("redis_ca", "pem")]);
    let forgotten = reset("redis_host", &saved, &EnvironmentSettings::default()).unwrap();
    assert_eq!(forgotten, ["redis_url", "redis_password"]);
}

#[test]
fn a_reset_never_leaves_bodies_that_their_memory_cannot_hold() {
    let environment = EnvironmentSettings::default();
    let saved = state(&[("max_body_mb", "2"), ("body_memory_mb", "4")]);
    let fault = reset("max_body_mb", &saved, &environment).unwrap_err();
    assert!(fault.field("name").is_some_and(|text| text.contains("change the other")), "{fault}");
    assert!(reset("body_memory_mb", &saved, &environment).is_ok());
}

#[test]
fn a_reset_of_settings_that_changed_meanwhile_is_refused() {
    let saved = state(&[("stall_timeout_s", "9")]);
    let input = ResetSetting { name: "stall_timeout_s".into(), version: "of another time".into() };
    assert!(matches!(plan(&saved, &EnvironmentSettings::default(), &input), Err(AdminError::Conflict { .. })));
}
