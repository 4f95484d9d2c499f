//! What the metrics say of given requests, that they are bounded whatever is asked, and that the documentation lists them.

use std::collections::BTreeSet;

use domain::{
    backend::{BackendState, BackendView, BreakerState, BreakerView},
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    settings::RedisStatus,
    usage::Outcome,
};

use super::*;

fn id(n: usize) -> BackendId {
    BackendId::new(&format!("{n:012}")).unwrap()
}

/// A streamed chat about "llama3" at the first backend: 100 ms to the first of 11 tokens, 20 ms for each of the others.
fn chat() -> UsageRecord {
    UsageRecord {
        model: Some("llama3".into()),
        backend: Some(id(1)),
        warm: Some(true),
        bytes_in: 50,
        bytes_out: 500,
        prompt_tokens: Some(7),
        completion_tokens: Some(11),
        queue_us: 40_000,
        gpu_us: 250_000,
        ttft_us: Some(100_000),
        total_us: 300_000,
        streamed: true,
        ..UsageRecord::new(
            1,
            1,
            UserId::new("uuuuuuuuuuuu").unwrap(),
            KeyId::new("kkkkkkkkkkkk").unwrap(),
            Endpoint::Chat,
        )
    }
}

fn sums(records: &[UsageRecord]) -> Sums {
    let mut sums = Sums::default();
    sums.absorb(records, 1, &|id| Some(format!("gpu-{}", id.as_str().trim_start_matches('0'))));
    sums
}

fn moment() -> Moment {
    let process = ProcessFacts {
        started_at: Some(1_700_000_000),
        cpu_seconds: Some(1.5),
        resident_bytes: Some(1),
        virtual_bytes: Some(2),
        open_files: Some(3),
        max_files: Some(4),
        connections: 5,
    };
    Moment {
        live: LiveStatus::default(),
        told: Vec::new(),
        writable: true,
        keys_expiring: 0,
        pulls: Default::default(),
        process,
    }
}

fn text(sums: &mut Sums, now: &Moment) -> String {
    write(sums, now, MetricsFormat::Prometheus).unwrap()
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[track_caller]
fn assert_says(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
}

#[test]
fn requests_are_summed_by_what_became_of_them() {
    let refused = UsageRecord {
        model: None,
        backend: None,
        warm: None,
        queue_us: 0,
        status: 429,
        outcome: Outcome::Refused,
        ttft_us: None,
        streamed: false,
        prompt_tokens: None,
        completion_tokens: None,
        ..chat()
    };
    let broken = UsageRecord { outcome: Outcome::UpstreamFailed, retries: 2, warm: Some(false), ..chat() };
    let whole = UsageRecord { streamed: false, endpoint: Endpoint::OpenAiChat, ..chat() };
    let failed = UsageRecord { status: 500, streamed: false, ..chat() };
    let text = text(&mut sums(&[chat(), chat(), refused, broken, whole, failed]), &moment());
    for line in [
        r#"ollama_fortress_requests_total{endpoint="/api/chat",status="2xx",outcome="complete"} 2"#,
        r#"ollama_fortress_requests_total{endpoint="/api/chat",status="4xx",outcome="refused"} 1"#,
        r#"ollama_fortress_requests_total{endpoint="/v1/chat/completions",status="2xx",outcome="complete"} 1"#,
        r#"ollama_fortress_request_duration_seconds_count{endpoint="/api/chat"} 5"#,
        r#"ollama_fortress_model_requests_total{model="llama3",outcome="complete"} 4"#,
        r#"ollama_fortress_model_requests_total{model="llama3",outcome="shut_down"} 0"#,
        r#"ollama_fortress_tokens_total{model="llama3",kind="prompt"} 35"#,
        r#"ollama_fortress_tokens_total{model="llama3",kind="completion"} 55"#,
        r#"ollama_fortress_gpu_seconds_total{model="llama3"} 1.25"#,
        // A whole answer has no first token, and the tokens of a broken one have no mean.
        r#"ollama_fortress_time_to_first_token_seconds_count{model="llama3"} 3"#,
        r#"ollama_fortress_time_to_first_token_seconds_bucket{le="0.05",model="llama3"} 0"#,
        r#"ollama_fortress_time_to_first_token_seconds_bucket{le="0.1",model="llama3"} 3"#,
        r#"ollama_fortress_time_per_output_token_seconds_count{model="llama3"} 2"#,
        r#"ollama_fortress_time_per_output_token_seconds_sum{model="llama3"} 0.04"#,
        r#"ollama_fortress_backend_requests_total{backend="gpu-1",outcome="complete",warm="true"} 4"#,
        r#"ollama_fortress_backend_requests_total{backend="gpu-1",outcome="upstream_failed",warm="false"} 1"#,
        "ollama_fortress_queue_wait_seconds_count 5",
        r#"ollama_fortress_queue_wait_seconds_bucket{le="0.01"} 0"#,
        r#"ollama_fortress_queue_wait_seconds_bucket{le="0.05"} 5"#,
        "ollama_fortress_retries_total 2",
        "ollama_fortress_received_bytes_total 300",
        "ollama_fortress_sent_bytes_total 3000",
        r#"ollama_fortress_errors_total{source="upstream",code="broken_stream",status="200"} 1"#,
        r#"ollama_fortress_errors_total{source="upstream",code="backend_error",status="500"} 1"#,
    ] {
        assert_says(&text, line);
    }
}

#[test]
fn the_moment_is_told_by_backend_and_breaker() {
    let breaker = |model: Option<&str>, state| BreakerView { model: model.map(Into::into), state, until: 0 };
    let backend = |name: &str, state| BackendView {
        state,
        in_flight: 3,
        limit: Some(4),
        draining: state == BackendState::Draining,
        models: vec!["a".into(), "b".into(), "c".into()],
        certificate_end: (name == "gpu-1").then_some(1_800_000_000_000),
        ..BackendView::new(id(1), name.into(), String::new())
    };
    let broken = BackendView {
        breakers: vec![
            breaker(None, BreakerState::HalfOpen),
            breaker(Some("a"), BreakerState::Open),
            breaker(Some("b"), BreakerState::Open),
        ],
        ..backend("gpu \"2\"", BackendState::Down)
    };
    let told = vec![ErrorCount { code: "invalid_api_key", source: "client", status: 401, count: 9 }];
    let live = LiveStatus {
        backends: vec![backend("gpu-1", BackendState::Up), broken, backend("gpu-3", BackendState::Draining)],
        in_flight: 9,
        waiting: 2,
        usage_dropped: 6,
        redis: RedisStatus::Connecting,
        ..LiveStatus::default()
    };
    let pulls = ([1, 2], [3, 4, 5]);
    let text = text(&mut Sums::default(), &Moment { live, told, writable: false, pulls, ..moment() });
    for line in [
        r#"ollama_fortress_model_pulls{state="running"} 1"#,
        r#"ollama_fortress_model_pulls_ended_total{outcome="cancelled"} 5"#,
        "ollama_fortress_requests_in_flight 9",
        "ollama_fortress_queue_waiting 2",
        "ollama_fortress_usage_records_dropped_total 6",
        "ollama_fortress_connections 5",
        "ollama_fortress_database_writable 0",
        "ollama_fortress_redis_configured 1",
        "ollama_fortress_redis_connected 0",
        r#"ollama_fortress_backends{state="up"} 1"#,
        r#"ollama_fortress_backends{state="draining"} 1"#,
        r#"ollama_fortress_backends{state="down"} 1"#,
        r#"ollama_fortress_backends{state="disabled"} 0"#,
        r#"ollama_fortress_backend_up{backend="gpu-1"} 1"#,
        r#"ollama_fortress_backend_up{backend="gpu \"2\""} 0"#,
        r#"ollama_fortress_backend_up{backend="gpu-3"} 1"#,
        r#"ollama_fortress_backend_draining{backend="gpu-3"} 1"#,
        r#"ollama_fortress_backend_requests_in_flight{backend="gpu-1"} 3"#,
        r#"ollama_fortress_backend_requests_limit{backend="gpu-1"} 4"#,
        r#"ollama_fortress_backend_certificate_end_seconds{backend="gpu-1"} 1800000000"#,
        r#"ollama_fortress_breakers{backend="gpu-1",state="closed"} 4"#,
        r#"ollama_fortress_breakers{backend="gpu \"2\"",state="closed"} 1"#,
        r#"ollama_fortress_breakers{backend="gpu \"2\"",state="open"} 2"#,
        r#"ollama_fortress_breakers{backend="gpu \"2\"",state="half_open"} 1"#,
        r#"ollama_fortress_errors_total{source="client",code="invalid_api_key",status="401"} 9"#,
        "process_resident_memory_bytes 1",
        "process_open_fds 3",
        "process_start_time_seconds 1700000000",
        "process_cpu_seconds_total 1.5",
    ] {
        assert_says(&text, line);
    }
}

#[test]
fn however_many_names_there_are_the_number_of_series_is_bounded() {
    let endpoints = Endpoint::ALL.len();
    let all = |from: usize, to: usize| {
        (from..to).map(|n| UsageRecord {
            model: Some(format!("model-{n}")),
            backend: Some(id(n)),
            endpoint: Endpoint::ALL[n % endpoints],
            outcome: Outcome::from_code((n % 5) as u8).unwrap(),
            status: (n % 1_000) as u16,
            warm: Some(n % 2 == 0),
            ..chat()
        })
    };
    let backends = |to| (0..to).map(|n| BackendView::new(id(n), format!("gpu-{n}"), String::new())).collect();
    let mut sums = sums(&all(0, 30_000).collect::<Vec<_>>());
    let live = LiveStatus { backends: backends(1_000), ..LiveStatus::default() };
    let before = text(&mut sums, &Moment { live, ..moment() });
    assert_says(&before, r#"ollama_fortress_model_requests_total{model="other",outcome="complete"} 5960"#);
    sums.absorb(&all(30_000, 60_000).collect::<Vec<_>>(), 2, &|id| Some(format!("later-{}", id.as_str())));
    let live = LiveStatus { backends: backends(5_000), ..LiveStatus::default() };
    let after = text(&mut sums, &Moment { live, ..moment() });
    // The names are full; of what is there, few combinations are new.
    assert!(series(&after) < 15_000, "{}", series(&after));
    for name in ["model-200\"", "model-59999", "gpu-4999", "later-"] {
        assert!(!after.contains(name), "{name}");
    }
    assert!(after.contains("model-199\""));
}

#[test]
fn what_a_client_invents_is_in_no_label() {
    let invented = UsageRecord { model: Some("canary\"\n} 1".into()), unresolved: true, backend: None, ..chat() };
    let known = UsageRecord { model: Some("odd\"\n\\name".into()), backend: Some(id(7)), ..chat() };
    let mut sums = sums(&[invented, known]);
    let text = text(&mut sums, &moment());
    assert!(!text.contains("canary"), "{text}");
    assert_says(&text, r#"ollama_fortress_model_requests_total{model="odd\"\n\\name",outcome="complete"} 1"#);
    for private in ["kkkkkkkkkkkk", "uuuuuuuuuuuu", "000000000007"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[test]
fn false_numbers_of_a_backend_turn_no_sum_over() {
    let most =
        UsageRecord { completion_tokens: Some(u64::MAX), prompt_tokens: Some(u64::MAX), gpu_us: u64::MAX, ..chat() };
    let text = text(&mut sums(&[most.clone(), most]), &moment());
    assert_says(
        &text,
        &format!(r#"ollama_fortress_tokens_total{{model="llama3",kind="prompt"}} {}"#, 2 * u64::from(u32::MAX)),
    );
    assert_says(&text, r#"ollama_fortress_gpu_seconds_total{model="llama3"} 0.6"#);
}

#[test]
fn a_backend_with_a_new_name_is_counted_under_it_and_one_that_is_gone_under_other() {
    let mut sums = sums(&[chat()]);
    sums.absorb(&[chat()], 2, &|_| Some("renamed".into()));
    sums.absorb(&[chat(), chat()], 3, &|_| None);
    let text = text(&mut sums, &moment());
    for (name, count) in [("gpu-1", 1), ("renamed", 1), ("other", 2)] {
        let line = format!(
            r#"ollama_fortress_backend_requests_total{{backend="{name}",outcome="complete",warm="true"}} {count}"#
        );
        assert_says(&text, &line);
    }
}

/// Name, type, labels and meaning of everything in `text`.
fn described(text: &str) -> BTreeSet<[String; 4]> {
    let mut all = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else { continue };
        let (_, kind) = lines.next().unwrap().strip_prefix("# TYPE ").unwrap().split_once(' ').unwrap();
        let mut labels = BTreeSet::new();
        while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
            let set = sample.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            labels.extend(set.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned()));
        }
        labels.remove("le");
        let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
        all.insert([name.to_owned(), kind.to_owned(), labels, help.trim_end_matches('.').to_owned()]);
    }
    all
}

#[test]
fn the_documentation_lists_every_metric_and_no_other() {
    let new = BackendView::new(id(1), "gpu-1".into(), String::new());
    let backend = BackendView { limit: Some(1), certificate_end: Some(1), ..new };
    let told = vec![ErrorCount { code: "invalid_api_key", source: "client", status: 401, count: 1 }];
    let live = LiveStatus { backends: vec![backend], ..LiveStatus::default() };
    let found = described(&text(&mut sums(&[chat()]), &Moment { live, told, ..moment() }));
    let document = include_str!("../../../../docs/metrics.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let listed: BTreeSet<[String; 4]> = rows
        .map(|row| {
            let cells: Vec<String> = row.split(" | ").map(|cell| cell.replace('`', "").trim().to_owned()).collect();
            cells.try_into().unwrap()
        })
        .collect();
    let row = |[name, kind, labels, help]: &[String; 4]| {
        let labels: Vec<_> =
            labels.split(", ").filter(|label| !label.is_empty()).map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    };
    let table: Vec<String> = found.iter().map(row).collect();
    assert!(listed == found, "the table has to be\n{}", table.join("\n"));
}

#[test]
fn openmetrics_says_the_same_and_ends_as_it_must() {
    let mut sums = sums(&[chat()]);
    let open = write(&mut sums, &moment(), MetricsFormat::OpenMetrics).unwrap();
    let plain = text(&mut sums, &moment());
    assert!(open.ends_with("\n# EOF\n") && !plain.contains("# EOF") && !plain.contains("# UNIT"));
    assert_says(&open, "# TYPE ollama_fortress_tokens counter");
    assert_says(&plain, "# TYPE ollama_fortress_tokens_total counter");
    assert_says(&open, "# UNIT ollama_fortress_queue_wait_seconds seconds");
    let samples =
        |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(samples(&open), samples(&plain));
}
