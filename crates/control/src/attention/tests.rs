//! Each item as it is made, and gone again once its reason is.

use domain::{
    backend::{BackendState, BackendView, BreakerState, BreakerView, LastError},
    id::BackendId,
    upgrade::UpgradeStep,
};

use super::*;

const NOW: u64 = 1_795_331_100_000;
const DAY: u64 = 86_400_000;

fn backend(number: u8, change: impl FnOnce(&mut BackendView)) -> BackendView {
    let id = BackendId::new(&format!("bbbbbbbbbb{number:02}")).unwrap();
    let mut view = BackendView::new(id, format!("gpu-{number}"), format!("http://gpu-{number}"));
    (view.state, view.models) = (BackendState::Up, vec!["llama3:latest".into()]);
    change(&mut view);
    view
}

fn down(view: &mut BackendView) {
    view.state = BackendState::Down;
    view.last_error = Some(LastError { at: 0, message: "connection refused".into() });
}

fn calm(live: &LiveStatus) -> Facts<'_> {
    Facts { live, longest_wait_ms: 0, reached: Vec::new(), drift: Vec::new(), room: None, certificate_end: None }
}

fn live(change: impl FnOnce(&mut LiveStatus)) -> LiveStatus {
    let mut live = LiveStatus { at: NOW, backends: vec![backend(1, |_| ()), backend(2, |_| ())], ..Default::default() };
    change(&mut live);
    live
}

/// What is told of `live`, each with `!` where it is urgent.
fn texts(live: &LiveStatus) -> Vec<String> {
    told(&calm(live))
}

fn told(facts: &Facts<'_>) -> Vec<String> {
    let told = attention(facts);
    let mut keys: Vec<_> = told.iter().map(|item| &item.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), told.len(), "each has a key of its own: {told:?}");
    assert!(told.iter().all(|item| item.link.starts_with("/admin/") && !item.action.is_empty()), "{told:?}");
    told.into_iter().map(|item| format!("{}{}", if item.urgent { "! " } else { "" }, item.text)).collect()
}

#[test]
fn where_all_is_well_nothing_is_told() {
    assert_eq!(texts(&live(|_| ())), [""; 0]);
    assert_eq!(texts(&LiveStatus::default()), [""; 0], "a fleet that is still to come, too");
}

#[test]
fn a_backend_that_is_down_is_told_with_what_nobody_else_has() {
    let one = live(|live| down(&mut live.backends[0]));
    assert_eq!(texts(&one), ["! gpu-1 does not answer: connection refused."]);
    let both = live(|live| live.backends.iter_mut().for_each(down));
    assert_eq!(
        texts(&both),
        [
            "! gpu-1 does not answer: connection refused. Calls for llama3:latest get 503.",
            "! gpu-2 does not answer: connection refused. Calls for llama3:latest get 503.",
        ]
    );
    let off = live(|live| (live.backends[0].enabled, live.backends[0].state) = (false, BackendState::Disabled));
    assert_eq!(texts(&off), [""; 0], "one that is switched off is so on purpose");
}

#[test]
fn what_a_breaker_keeps_out_is_told_the_whole_backend_before_its_models() {
    let breaker =
        |model: Option<&str>| BreakerView { model: model.map(str::to_owned), state: BreakerState::Open, until: 0 };
    let of_model = live(|live| live.backends[1].breakers = vec![breaker(Some("llama3:latest"))]);
    assert_eq!(texts(&of_model), ["llama3:latest on gpu-2 gets no requests for now, because it failed too often."]);
    let whole = live(|live| {
        live.backends[1].breakers = vec![breaker(None), breaker(Some("llama3:latest"))];
        live.backends[1].last_error = Some(LastError { at: 0, message: "answered 500.".into() });
    });
    assert_eq!(
        texts(&whole),
        ["! gpu-2 gets no requests for now, because it failed too often, at last: answered 500."]
    );
    let gone = live(|live| {
        live.backends[1].breakers = vec![breaker(None)];
        down(&mut live.backends[1]);
    });
    assert_eq!(texts(&gone), ["! gpu-2 does not answer: connection refused."], "told once");
}

#[test]
fn a_drained_backend_is_told_until_it_is_taken_back() {
    let drained = |in_flight| {
        live(|live| {
            let backend = &mut live.backends[0];
            (backend.draining, backend.state, backend.in_flight) = (true, BackendState::Draining, in_flight);
        })
    };
    assert_eq!(texts(&drained(0)), ["gpu-1 is drained: it gets nothing new until it is taken back."]);
    assert_eq!(texts(&drained(2)), ["gpu-1 is draining, 2 requests left: it gets nothing new until it is taken back."]);
}

fn run(state: UpgradeState, phase: UpgradePhase, change: impl FnOnce(&mut UpgradeStep)) -> LiveStatus {
    live(|live| {
        let backend = &mut live.backends[0];
        (backend.draining, backend.state) = (phase.is_away(), BackendState::Down);
        let mut step = UpgradeStep::new(backend.id.clone(), backend.name.clone(), backend.url.clone(), NOW);
        step.phase = phase;
        change(&mut step);
        live.upgrade = Some(UpgradeView {
            id: "run".into(),
            state,
            by: "root".into(),
            started_at: NOW,
            ended_at: None,
            version: None,
            steps: vec![step],
            change: 1,
            events: Vec::new(),
        });
    })
}

#[test]
fn an_upgrade_is_told_where_it_waits_for_somebody_and_what_it_keeps_away_is_not() {
    use UpgradePhase::{Draining, HandedOver, Waiting, Warming};
    use UpgradeState::{Paused, Running};
    let handed_over = "gpu-1 is drained for you to upgrade; the rolling upgrade goes on afterwards.";
    let cases = [
        (run(Running, HandedOver, |_| ()), Some(handed_over)),
        (run(Running, HandedOver, |step| step.commanded = true), None),
        (run(Running, Draining, |_| ()), None),
        (run(Running, Warming, |_| ()), None),
        (run(Paused, Draining, |_| ()), Some("The rolling upgrade is paused before gpu-1 goes on.")),
        (
            run(Paused, HandedOver, |step| step.problem = Some("it runs the same version".into())),
            Some("The rolling upgrade is paused at gpu-1: it runs the same version."),
        ),
    ];
    for (live, expected) in cases {
        assert_eq!(texts(&live), expected.into_iter().collect::<Vec<_>>());
    }
    let waits = run(Running, Waiting, |step| step.waits = Some("gpu-2 is down".into()));
    assert_eq!(texts(&waits).last().unwrap(), "The rolling upgrade waits at gpu-1: gpu-2 is down.");
    let ended = LiveStatus { backends: live(|_| ()).backends, ..run(UpgradeState::Finished, Waiting, |_| ()) };
    assert_eq!(texts(&ended), [""; 0]);
}

#[test]
fn a_queue_is_told_once_somebody_waits_long() {
    let waiting = |waiting| live(|live| live.waiting = waiting);
    let told = |live: &LiveStatus, longest_wait_ms| told(&Facts { longest_wait_ms, ..calm(live) });
    assert_eq!(told(&waiting(1_200), 34_000), ["1,200 requests wait for a slot, the longest for 34 seconds."]);
    assert_eq!(told(&waiting(1), WAITED_MS), ["1 request waits for a slot, the longest for 5 seconds."]);
    assert_eq!(told(&waiting(1), WAITED_MS - 1), [""; 0]);
    assert_eq!(told(&waiting(0), WAITED_MS), [""; 0]);
}

#[test]
fn a_redis_that_is_lost_is_told() {
    let with = |redis| live(|live| live.redis = redis);
    let lost = with(RedisStatus::Failed { detail: "connection refused".into(), since: 0 });
    let expected = "! Redis is not reachable: connection refused. This gateway counts limits and lock-outs alone.";
    assert_eq!(texts(&lost), [expected]);
    for well in [RedisStatus::Connecting, RedisStatus::InUse { version: "8.6.3".into(), latency_ms: 1 }] {
        assert_eq!(texts(&with(well)), [""; 0]);
    }
}

#[test]
fn who_is_at_a_limit_is_told_with_the_page_of_its_user() {
    let live = live(|_| ());
    let reached = vec![Reached {
        user: "uuuuuuuuuuuu".into(),
        id: "kkkkkkkkkkkk".into(),
        who: "Key laptop of ada".into(),
        limit: "20 requests in every 5 minutes".into(),
    }];
    let told = attention(&Facts { reached, ..calm(&live) });
    assert_eq!(told[0].text, "Key laptop of ada is at its limit of 20 requests in every 5 minutes: calls get 429.");
    assert_eq!(told[0].link, "/admin/users/uuuuuuuuuuuu");
}

#[test]
fn a_model_that_differs_is_told_with_who_has_which() {
    let live = live(|_| ());
    let digests = vec![
        ("0123456789abcdef".to_owned(), vec!["gpu-1".to_owned(), "gpu-3".to_owned()]),
        ("fedcba9876543210".to_owned(), vec!["gpu-2".to_owned()]),
    ];
    let drift = vec![Drift { model: "llama3:latest".into(), digests }];
    let expected = "llama3:latest is not the same everywhere: 0123456789ab on gpu-1, gpu-3, fedcba987654 on gpu-2. Pull \
                    it again where it is old.";
    assert_eq!(told(&Facts { drift, ..calm(&live) }), [expected]);
}

#[test]
fn a_disk_is_told_before_it_is_full_and_not_beside_a_store_that_cannot_be_written() {
    let well = live(|_| ());
    let told = |live: &LiveStatus, free, total| told(&Facts { room: Some(Room { free, total }), ..calm(live) });
    let (mib, gib) = (1 << 20, 1 << 30);
    let expected = "The disk of the data folder is nearly full: 900 MiB of 20 GiB are free. Once it is full, changes are \
                    refused and usage is not recorded.";
    assert_eq!(told(&well, 900 * mib, 20 * gib), [expected]);
    assert_eq!(told(&well, 9 * gib, 1_000 * gib).len(), 1);
    for (free, total) in [(2 * gib, 20 * gib), (11 * gib, 1_000 * gib)] {
        assert_eq!(told(&well, free, total), [""; 0]);
    }
    let full = live(|live| live.read_only = Some("the disk is full".into()));
    let expected = "! The store cannot be written: the disk is full. Requests are still answered; changes are refused and \
                    usage is not recorded.";
    assert_eq!(told(&full, 0, 20 * gib), [expected]);
}

#[test]
fn dropped_records_are_told() {
    let dropped = live(|live| live.usage_dropped = 3);
    let expected =
        "3 usage records dropped since the start: the store was too slow. What is shown of usage is too low.";
    assert_eq!(texts(&dropped), [expected]);
}

#[test]
fn certificates_are_told_before_they_end() {
    let of_backend = live(|live| {
        let backend = &mut live.backends[0];
        (backend.certificate_end, backend.certificate_ends_soon) = (Some(NOW), true);
    });
    let expected = "The certificate of gpu-1 ends at 2026-11-22 07:05 UTC, and it is refused from then on: renew it.";
    assert_eq!(texts(&of_backend), [expected]);
    let well = live(|live| live.backends[0].certificate_end = Some(NOW));
    let own = |end| told(&Facts { certificate_end: Some(end), ..calm(&well) });
    let expected = "The certificate of this gateway ends at 2026-12-05 07:05 UTC, and clients refuse it from then on.";
    assert_eq!(own(NOW + 13 * DAY), [expected]);
    assert_eq!(own(NOW), ["! The certificate of this gateway ended at 2026-11-22 07:05 UTC: clients refuse it."]);
    assert_eq!(own(NOW + 15 * DAY), [""; 0]);
}

#[test]
fn what_is_urgent_comes_first_and_a_hundred_of_a_kind_leave_room() {
    let many = live(|live| {
        live.usage_dropped = 1;
        live.backends = (0..99).map(|number| backend(number, down)).collect();
    });
    let told = texts(&many);
    assert_eq!(told.len(), ONE_BY_ONE + 2, "{told:?}");
    assert_eq!(told[ONE_BY_ONE], "! 94 more backends do not answer.");
    assert!(told[..=ONE_BY_ONE].iter().all(|text| text.starts_with('!')), "{told:?}");
}
