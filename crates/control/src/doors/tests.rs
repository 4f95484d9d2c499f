//! Rules of the Network page.

use super::*;
use crate::tests::{bench, client};

const OWN: &str = "192.0.2.4";

fn state(settings: &[(&str, &str)]) -> State {
    let settings = settings.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned())).collect();
    State { rows: store::row::State { settings, ..Default::default() } }
}

fn save(state: &State, environment: &NetworkEnvironment, input: SaveNetwork) -> Result<State, AdminError> {
    plan(state, environment, &input, OWN.parse().unwrap()).map(|ops| state.after(ops, 0))
}

fn admits(state: &State, environment: &NetworkEnvironment, address: &str) -> (bool, bool) {
    let (doors, address) = (doors(state, environment), address.parse().unwrap());
    (doors.api.admits(address), doors.admin.admits(address))
}

#[test]
fn saved_lists_win_over_the_environments_and_none_is_an_empty_one() {
    let environment = NetworkEnvironment { denied_ips: Some("10.0.0.0/8".into()), ..Default::default() };
    assert_eq!(admits(&state(&[]), &environment, "10.0.0.1"), (false, true));
    let unchanged = SaveNetwork { denied_ips: "10.0.0.0/8".into(), ..Default::default() };
    assert!(save(&state(&[]), &environment, unchanged).unwrap().rows.settings.is_empty());
    let none = save(&state(&[]), &environment, SaveNetwork { denied_ips: " none ".into(), ..Default::default() });
    let none = none.unwrap();
    assert_eq!(admits(&none, &environment, "10.0.0.1"), (true, true));
    assert!(view(&none, &environment, OWN.parse().unwrap()).denied_ips.overrides_environment);
    let back = save(&none, &environment, SaveNetwork::default()).unwrap();
    assert_eq!(admits(&back, &environment, "10.0.0.1"), (false, true));
}

#[test]
fn the_lists_of_the_api_and_of_the_admin_pages_are_apart() {
    let state = state(&[("allowed_ips", "10.0.0.0/8"), ("admin_denied_ips", "10.0.0.1")]);
    assert_eq!(admits(&state, &NetworkEnvironment::default(), "10.0.0.1"), (true, false));
    assert_eq!(admits(&state, &NetworkEnvironment::default(), "11.0.0.1"), (false, true));
}

#[test]
fn all_faults_are_reported_beside_their_fields_and_nothing_is_planned() {
    let input = SaveNetwork {
        allowed_ips: "10.0.0.0/8\nnonsense".into(),
        denied_ips: "10.0.0.0/8".into(),
        admin_allowed_ips: "1.2.3".into(),
        cors_origins: "*".into(),
        backend_networks: "10.0.0.0/40".into(),
        ..Default::default()
    };
    let error = save(&state(&[]), &NetworkEnvironment::default(), input).err().unwrap();
    assert!(error.field("allowed_ips").unwrap().contains("line 2: \"nonsense\""), "{error}");
    for field in ["admin_allowed_ips", "cors_origins", "backend_networks"] {
        assert!(error.field(field).is_some(), "{field}");
    }
    assert!(error.field("denied_ips").is_none());
}

#[test]
fn locking_oneself_out_asks_first_and_names_the_address() {
    let inputs = [
        SaveNetwork { admin_allowed_ips: "10.0.0.0/8".into(), ..Default::default() },
        SaveNetwork { admin_denied_ips: "192.0.2.0/24".into(), ..Default::default() },
        SaveNetwork { admin_denied_ips: "*".into(), admin_allowed_ips: OWN.into(), ..Default::default() },
    ];
    for input in inputs {
        let error = save(&state(&[]), &NetworkEnvironment::default(), input.clone()).err().unwrap();
        assert!(error.field("confirm").unwrap().contains(OWN), "{error}");
        let saved = save(&state(&[]), &NetworkEnvironment::default(), SaveNetwork { confirm: "yes".into(), ..input });
        assert!(!admits(&saved.unwrap(), &NetworkEnvironment::default(), OWN).1);
    }
    let api_only = SaveNetwork { denied_ips: "*".into(), ..Default::default() };
    assert!(save(&state(&[]), &NetworkEnvironment::default(), api_only).is_ok());
}

#[test]
fn a_save_over_lists_that_changed_meanwhile_is_refused() {
    let (environment, own) = (NetworkEnvironment::default(), OWN.parse().unwrap());
    let shown = view(&state(&[]), &environment, own).version;
    let input = SaveNetwork { version: shown, denied_ips: "10.0.0.1".into(), ..Default::default() };
    assert!(save(&state(&[]), &environment, input.clone()).is_ok());
    let changed = state(&[("denied_ips", "10.0.0.2")]);
    assert!(matches!(save(&changed, &environment, input), Err(AdminError::Conflict { .. })));
}

#[test]
fn origins_are_exact() {
    let text = "https://App.example.com:443, http://localhost:3000\nchrome-extension://abcdefghijklmnop/";
    let checked = check_cors_origins(text).unwrap();
    assert_eq!(checked, "https://app.example.com\nhttp://localhost:3000\nchrome-extension://abcdefghijklmnop");
    for bad in ["*", "null", "https://*.example.com", "app.example.com", "https://x/path", "file://", "app://a/b"] {
        assert!(check_cors_origins(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_saved_list_is_in_force_when_the_save_is_answered_and_a_reset_takes_it_back() {
    let bench = bench().await;
    let (actor, client) = (bench.admin().await, client(OWN));
    let denied = "10.9.9.9".parse().unwrap();
    let input = SaveNetwork { denied_ips: "10.9.9.0/24".into(), ..Default::default() };
    let view = bench.control.save_network(&actor, &client, input).await.unwrap();
    assert_eq!((view.denied_ips.value.as_str(), view.your_address.as_str()), ("10.9.9.0/24", OWN));
    assert!(!bench.control.doors().api.admits(denied));
    bench.control.reset_settings(&actor, false).await.unwrap();
    assert!(bench.control.doors().api.admits(denied));
    assert!(bench.control.has_administrator());
}

#[test]
fn the_api_is_named_by_its_own_port_where_it_has_one() {
    let doors = InForce::default();
    assert_eq!(doors.api_address("http", "nas.lan:8081"), None);
    doors.api_port.set(8080).unwrap();
    for (host, address) in [
        ("nas.lan:8081", "http://nas.lan:8080"),
        ("nas.lan", "http://nas.lan:8080"),
        ("[::1]:8081", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:8080"),
    ] {
        assert_eq!(doors.api_address("http", host).as_deref(), Some(address));
    }
}
