//! `/metrics` of the running binary: what requests do to it, who may read it, and what is never in it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder, Response, header};
use testkit::{FakeOllama, Fault};

use crate::{
    admin::{Admin, create, home_with_admin},
    harness::{DEADLINE, Home, Server, home_with_key, http, until_listed},
};

const TOKEN: &str = "0123456789-metrics-canary";
const MODEL: &str = "llama3.2";

/// One scrape, read as strictly as the text format is written down.
#[derive(Debug)]
struct Scrape {
    text: String,
    /// By name and labels, as written.
    samples: BTreeMap<String, f64>,
}

fn is_name(name: &str, colon: bool) -> bool {
    let letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || colon && letter == ':';
    name.starts_with(letter) && name.chars().all(|next| letter(next) || next.is_ascii_digit())
}

/// Name and labels of a sample, and the rest of its line.
type Sample<'a> = (&'a str, Vec<(&'a str, String)>, &'a str);

fn sample(line: &str) -> Option<Sample<'_>> {
    let at = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(at);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            let (mut text, mut letters) = (String::new(), value.char_indices());
            let end = loop {
                match letters.next()? {
                    (_, '\\') => text.push(match letters.next()?.1 {
                        'n' => '\n',
                        letter @ ('\\' | '"') => letter,
                        _ => return None,
                    }),
                    (at, '"') => break at,
                    (_, letter) => text.push(letter),
                }
            };
            labels.push((label, text));
            rest = &value[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    Some((name, labels, rest.strip_prefix(' ')?))
}

impl Scrape {
    /// Panics at everything that a strict reader would not take.
    fn read(text: String) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut family, mut kind) = (String::new(), String::new());
        let mut help = None;
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, words) = rest.split_once(' ').unwrap();
                assert!(is_name(name, true) && !words.is_empty() && help.replace(name).is_none(), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, of) = rest.split_once(' ').unwrap();
                assert_eq!(help.take(), Some(name), "{line}");
                assert!(["counter", "gauge", "histogram"].contains(&of), "{line}");
                assert!(families.insert(name.to_owned()), "described twice: {line}");
                assert_eq!(of == "counter", name.ends_with("_total"), "{line}");
                (family, kind) = (name.to_owned(), of.to_owned());
            } else {
                let (name, labels, value) = sample(line).unwrap_or_else(|| panic!("not a sample: {line:?}"));
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
                assert!(value.is_finite() && (value >= 0.0), "{line}");
                let own = match kind.as_str() {
                    "histogram" => ["_bucket", "_sum", "_count"].iter().any(|end| name == format!("{family}{end}")),
                    _ => name == family,
                };
                assert!(own && labels.iter().all(|(label, _)| is_name(label, false)), "{line} in {family}");
                let distinct: BTreeSet<&str> = labels.iter().map(|(label, _)| *label).collect();
                assert_eq!(distinct.len(), labels.len(), "{line}");
                if let Some((_, bound)) = labels.iter().find(|(label, _)| *label == "le") {
                    let others: Vec<_> = labels.iter().filter(|(label, _)| *label != "le").collect();
                    let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                    buckets.entry(format!("{family}{others:?}")).or_default().push((bound, value));
                }
                let series = line.rsplit_once(' ').unwrap().0;
                assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
            }
        }
        for (series, buckets) in buckets {
            assert!(buckets.is_sorted(), "{series}: {buckets:?}");
            assert_eq!(buckets.last().map(|(bound, _)| *bound), Some(f64::INFINITY), "{series}");
        }
        Self { text, samples }
    }

    fn value(&self, series: &str) -> f64 {
        self.samples.get(series).copied().unwrap_or_default()
    }

    fn sum(&self, start: &str) -> f64 {
        self.samples.iter().filter(|(series, _)| series.starts_with(start)).map(|(_, value)| value).sum()
    }
}

fn ask(server: &Server) -> RequestBuilder {
    http().get(server.url("/metrics")).bearer_auth(TOKEN)
}

async fn scrape(server: &Server) -> Scrape {
    let answer = ask(server).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    Scrape::read(answer.text().await.unwrap())
}

/// Scrapes until all is as said.
async fn until_scraped(server: &Server, expected: &[(&str, f64)]) -> Scrape {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        let scrape = scrape(server).await;
        let missing: Vec<_> = expected.iter().filter(|(series, value)| scrape.value(series) != *value).collect();
        if missing.is_empty() {
            return scrape;
        }
        assert!(std::time::Instant::now() < deadline, "{missing:#?} in\n{}", scrape.text);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn chat(server: &Server, key: &str, path: &str, model: &str, stream: bool) -> RequestBuilder {
    let body = serde_json::json!({
        "model": model, "stream": stream, "messages": [{ "role": "user", "content": "hello there" }],
    });
    http().post(server.url(path)).bearer_auth(key).json(&body)
}

async fn status(request: RequestBuilder) -> u16 {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    // Some break off on purpose.
    drop(answer.bytes().await);
    status
}

/// A server with one backend that has [`MODEL`] and takes one request at once, and a key.
async fn serve(ollama: &FakeOllama, home: &Home, key: &str) -> Server {
    home.ok(&["backend", "add", "--name", "gpu \"1\"", "--url", &ollama.base(), "--parallel", "1"]);
    let server = home.start();
    until_listed(&server, key, MODEL).await;
    server
}

#[tokio::test]
async fn the_values_move_as_requests_do() {
    let ollama = FakeOllama::builder().models([MODEL]).chunks(5).start().await;
    let (home, key) = home_with_key();
    let home = home.with("METRICS_TOKEN", TOKEN);
    let limited = home.ok(&["key", "create", "--user", "ada", "--name", "few", "--requests", "1", "--minutes", "60"]);
    let server = serve(&ollama, &home, &key).await;
    let before = scrape(&server).await;
    assert_eq!(
        before.value(r#"ollama_fortress_errors_total{source="client",code="invalid_api_key",status="401"}"#),
        0.0
    );
    assert_eq!(before.sum("ollama_fortress_tokens_total"), 0.0);
    assert_eq!(before.value(r#"ollama_fortress_backends{state="up"}"#), 1.0);

    // One streams, one waits for its slot.
    ollama.hold();
    let streams = tokio::spawn(chat(&server, &key, "/api/chat", MODEL, true).send());
    let busy = [
        ("ollama_fortress_requests_in_flight", 1.0),
        (r#"ollama_fortress_backend_requests_in_flight{backend="gpu \"1\""}"#, 1.0),
        (r#"ollama_fortress_backend_requests_limit{backend="gpu \"1\""}"#, 1.0),
    ];
    until_scraped(&server, &busy).await;
    let waits = tokio::spawn(chat(&server, &key, "/v1/chat/completions", MODEL, false).send());
    until_scraped(&server, &[("ollama_fortress_queue_waiting", 1.0)]).await;
    ollama.release_all();
    for request in [streams, waits] {
        let answer = request.await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }
    let first = [
        ("ollama_fortress_requests_in_flight", 0.0),
        ("ollama_fortress_queue_waiting", 0.0),
        (r#"ollama_fortress_requests_total{endpoint="/api/chat",status="2xx",outcome="complete"}"#, 1.0),
        (r#"ollama_fortress_requests_total{endpoint="/v1/chat/completions",status="2xx",outcome="complete"}"#, 1.0),
        (r#"ollama_fortress_model_requests_total{model="llama3.2:latest",outcome="complete"}"#, 2.0),
        (r#"ollama_fortress_time_to_first_token_seconds_count{model="llama3.2:latest"}"#, 1.0),
        (r#"ollama_fortress_time_per_output_token_seconds_count{model="llama3.2:latest"}"#, 1.0),
        ("ollama_fortress_queue_wait_seconds_count", 2.0),
    ];
    let after = until_scraped(&server, &first).await;
    assert!(after.sum(r#"ollama_fortress_tokens_total{model="llama3.2:latest",kind="prompt"}"#) > 0.0);
    assert!(after.value(r#"ollama_fortress_tokens_total{model="llama3.2:latest",kind="completion"}"#) >= 10.0);
    assert!(after.value(r#"ollama_fortress_queue_wait_seconds_bucket{le="0.001"}"#) < 2.0, "one of them waited");
    assert_eq!(after.sum(r#"ollama_fortress_backend_requests_total{backend="gpu \"1\"",outcome="complete""#), 2.0);
    let listings =
        after.value(r#"ollama_fortress_requests_total{endpoint="/api/tags",status="2xx",outcome="complete"}"#);
    assert!(listings >= 1.0, "{listings}");

    // Whatever can go wrong, by whose fault it was.
    assert_eq!(status(chat(&server, "op_nonsense", "/api/chat", MODEL, true)).await, 401);
    assert_eq!(status(http().post(server.url("/api/chat")).body("{}")).await, 401);
    assert_eq!(status(chat(&server, &key, "/api/chat", "who-has-this", true)).await, 404);
    assert_eq!(status(chat(&server, &key, "/api/no/such/path", MODEL, true)).await, 404);
    assert_eq!(status(http().get(server.url("/api/version")).bearer_auth(&limited)).await, 200);
    assert_eq!(status(http().get(server.url("/api/version")).bearer_auth(&limited)).await, 429);
    ollama.set(|script| script.fault_at("/api/chat", Fault::CutAfter(2)));
    assert_eq!(status(chat(&server, &key, "/api/chat", MODEL, true)).await, 200);
    ollama.set(|script| script.fault_at("/api/chat", Fault::Status(500)));
    assert_eq!(status(chat(&server, &key, "/api/chat", MODEL, true)).await, 500);
    let error = |source: &str, code: &str, status: &str| {
        format!(r#"ollama_fortress_errors_total{{source="{source}",code="{code}",status="{status}"}}"#)
    };
    let wrong = [
        error("client", "invalid_api_key", "401"),
        error("client", "missing_api_key", "401"),
        error("client", "unknown_model", "404"),
        error("client", "unknown_path", "404"),
        error("client", "rate_limit_exceeded", "429"),
        error("upstream", "broken_stream", "200"),
        error("upstream", "backend_error", "500"),
        r#"ollama_fortress_requests_total{endpoint="/api/chat",status="2xx",outcome="upstream_failed"}"#.to_owned(),
        r#"ollama_fortress_requests_total{endpoint="/api/chat",status="4xx",outcome="refused"}"#.to_owned(),
        r#"ollama_fortress_requests_total{endpoint="/api/version",status="4xx",outcome="refused"}"#.to_owned(),
    ];
    let wrong: Vec<(&str, f64)> = wrong.iter().map(|series| (series.as_str(), 1.0)).collect();
    let after = until_scraped(&server, &wrong).await;
    for (series, least) in [
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 5.0),
        ("process_start_time_seconds", 1.6e9),
        ("ollama_fortress_connections", 1.0),
        ("ollama_fortress_database_writable", 1.0),
        (&format!(r#"ollama_fortress_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        assert!(after.value(series) >= least, "{series}: {}", after.value(series));
    }
    // The backend is lost: the pages' breaker and state are the metrics' too.
    ollama.refuse_connections().await;
    let lost = [
        (r#"ollama_fortress_backends{state="down"}"#, 1.0),
        (r#"ollama_fortress_backend_up{backend="gpu \"1\""}"#, 0.0),
        (r#"ollama_fortress_breakers{backend="gpu \"1\"",state="open"}"#, 1.0),
    ];
    for _ in 0..5 {
        assert!([502, 503].contains(&status(chat(&server, &key, "/api/chat", MODEL, true)).await));
    }
    home.ok(&["backend", "drain", "gpu \"1\""]);
    let after = until_scraped(&server, &lost).await;
    assert_eq!(after.value(r#"ollama_fortress_backend_draining{backend="gpu \"1\""}"#), 1.0);
    server.stop();
}

#[tokio::test]
async fn what_clients_invent_makes_no_series_and_nothing_of_a_caller_is_in_one() {
    let ollama = FakeOllama::builder().models([MODEL]).start().await;
    let (home, key) = home_with_key();
    let home = home.with("METRICS_TOKEN", TOKEN);
    let server = serve(&ollama, &home, &key).await;
    for hostile in ["canary\"} 1\n}", "canary\\", "canary\u{2028}"] {
        assert!([400, 404].contains(&status(chat(&server, &key, "/api/chat", hostile, true)).await));
        let path = format!("/api/{}", url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>());
        assert_eq!(status(http().get(server.url(&path)).bearer_auth(&key)).await, 404);
        assert_eq!(status(http().get(server.url("/api/tags")).bearer_auth("canary")).await, 401);
    }
    let unknown = r#"ollama_fortress_errors_total{source="client",code="unknown_model",status="404"}"#;
    let one = chat(&server, &key, "/api/chat", "invented-0", true);
    assert_eq!(status(one).await, 404);
    let refused = r#"ollama_fortress_requests_total{endpoint="/api/chat",status="4xx",outcome="refused"}"#;
    let before = until_scraped(&server, &[(refused, 4.0)]).await;
    let known = before.value(unknown);
    let client = http();
    for some in (1..=1_000).collect::<Vec<_>>().chunks(50) {
        let all = some.iter().map(|n| {
            let body = serde_json::json!({ "model": format!("invented-{n}"), "messages": [] });
            status(client.post(server.url("/api/chat")).bearer_auth(&key).json(&body))
        });
        assert!(futures_util::future::join_all(all).await.iter().all(|status| *status == 404));
    }
    let after = until_scraped(&server, &[(unknown, known + 1_000.0), (refused, 1_004.0)]).await;
    let series = |scrape: &Scrape| scrape.samples.keys().cloned().collect::<BTreeSet<_>>();
    let new: Vec<String> = series(&after).difference(&series(&before)).cloned().collect();
    assert!(new.is_empty(), "{new:#?}");
    let id = &key["op_".len().."op_".len() + 12];
    for private in ["canary", "invented", &key, id, TOKEN, "ada", "laptop", "127.0.0.1", &ollama.base()] {
        assert!(!after.text.contains(private), "{private} in\n{}", after.text);
    }
    server.stop();
}

fn challenge(answer: &Response) -> &str {
    answer.headers().get(header::WWW_AUTHENTICATE).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_token_or_a_session_opens_the_door_and_nothing_else_does() {
    let home = home_with_admin().with("METRICS_TOKEN", TOKEN).with("PUBLIC_URL", "https://llm.example");
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let server = home.start();
    create(&home, "vera", "a viewer's fine phrase", "viewer");
    let viewer = Admin::sign_in_as(&server, "vera", "a viewer's fine phrase").await;
    let bare = || http().get(server.url("/metrics"));

    // A token, under whatever name the scraper knows the gateway; the scheme in any case.
    assert_eq!(ask(&server).header(header::HOST, "fortress.internal:8080").send().await.unwrap().status(), 200);
    assert_eq!(status(bare().header(header::AUTHORIZATION, format!("bEARER {TOKEN}"))).await, 200);
    assert_eq!(status(http().head(server.url("/metrics")).bearer_auth(TOKEN)).await, 200);
    // A session, as a viewer, by the rules of the pages.
    let session = || viewer.get(&server, "/metrics");
    assert_eq!(status(session()).await, 200);
    assert_eq!(status(session().header(header::HOST, "evil.test")).await, 421);

    let wrong = [
        bare(),
        bare().header(header::COOKIE, "op_session=AAAA"),
        bare().bearer_auth(&key),
        bare().bearer_auth(&TOKEN[..TOKEN.len() - 1]),
        bare().bearer_auth(format!("{TOKEN}x")),
        bare().bearer_auth(""),
        bare().header(header::AUTHORIZATION, TOKEN),
        bare().basic_auth("metrics", Some(TOKEN)),
        bare().header("x-api-key", TOKEN),
        ask(&server).header(header::AUTHORIZATION, format!("Bearer {TOKEN}")),
        session().bearer_auth("no token"),
        http().get(server.url(&format!("/metrics?token={TOKEN}"))),
    ];
    for request in wrong {
        let what = format!("{request:?}");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{what}");
        assert!(challenge(&answer).starts_with("Bearer"), "{what}: {:?}", answer.headers());
        let text = answer.text().await.unwrap();
        assert!(text.starts_with("metrics are for whoever shows METRICS_TOKEN") && !text.contains(TOKEN), "{text}");
    }
    // It is no key either, and it is only read.
    assert_eq!(status(http().get(server.url("/api/tags")).bearer_auth(TOKEN)).await, 401);
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(status(http().request(method, server.url("/metrics")).bearer_auth(TOKEN)).await, 405);
    }
    // Guessing is slowed, and never the right token.
    let client = http();
    let guesses = (0..120).map(|n| client.get(server.url("/metrics")).bearer_auth(format!("guess-{n}")).send());
    let answers = futures_util::future::join_all(guesses).await;
    let slowed: Vec<_> = answers.into_iter().map(Result::unwrap).filter(|answer| answer.status() == 429).collect();
    assert!(!slowed.is_empty() && slowed.iter().all(|answer| answer.headers().contains_key(header::RETRY_AFTER)));
    assert_eq!(status(ask(&server)).await, 200);
    // Who has guessed is in the audit log, without what.
    server.stop();
    let log = home.ok(&["audit", "list", "--json", "--limit", "1000"]);
    assert!(log.contains("metrics read") && log.contains("a wrong METRICS_TOKEN") && !log.contains("guess-"), "{log}");
}

#[tokio::test]
async fn openmetrics_is_written_for_whoever_asks_for_it() {
    let home = Home::new().with("METRICS_TOKEN", TOKEN);
    let server = home.start();
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let answer = ask(&server).header(header::ACCEPT, accept).send().await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("\n# EOF\n") && text.contains("\n# TYPE ollama_fortress_errors counter\n"), "{text}");
    server.stop();
}

#[tokio::test]
async fn metrics_are_on_the_listener_of_the_admin_pages_and_behind_its_lists() {
    let home = Home::new()
        .with("METRICS_TOKEN", TOKEN)
        .with("ADMIN_LISTEN", "localhost:0")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("ADMIN_ALLOWED_IPS", "127.0.0.0/8, 192.0.2.7");
    let mut server = home.start();
    let line = server.line();
    let admin =
        line.strip_prefix("The admin pages are at http://").and_then(|rest| rest.strip_suffix("/admin")).unwrap();
    for method in [Method::GET, Method::HEAD, Method::POST] {
        assert_eq!(status(http().request(method, server.url("/metrics")).bearer_auth(TOKEN)).await, 404);
    }
    let own = || http().get(format!("http://{admin}/metrics")).bearer_auth(TOKEN);
    assert_eq!(status(own()).await, 200);
    assert_eq!(status(own().header("x-forwarded-for", "192.0.2.7")).await, 200);
    assert_eq!(status(own().header("x-forwarded-for", "192.0.2.8")).await, 403);
    server.stop();
}

#[tokio::test]
async fn without_a_token_of_its_own_the_gateway_takes_none() {
    let home = home_with_admin();
    let server = home.start();
    for token in ["", "x", TOKEN] {
        assert_eq!(status(http().get(server.url("/metrics")).bearer_auth(token)).await, 401, "{token:?}");
    }
    let admin = Admin::sign_in(&server).await;
    assert_eq!(status(admin.get(&server, "/metrics")).await, 200);
    server.stop();
}

#[test]
fn a_weak_token_is_a_fault_of_the_configuration_and_no_token_is_ever_shown() {
    let shown = Home::new().with("METRICS_TOKEN", TOKEN).run(&["check"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("METRICS_TOKEN") && !shown.stdout.contains(TOKEN), "{shown:?}");
    for weak in ["", "too-short", "canary with spaces in between"] {
        let home = Home::new().with("METRICS_TOKEN", weak).with("QUEUE_SECONDS", "0");
        for command in ["check", "serve"] {
            let refused = home.run(&[command]);
            assert_eq!(refused.code, Some(64), "{refused:?}");
            assert!(
                refused.stderr.contains("METRICS_TOKEN: ") && refused.stderr.contains("QUEUE_SECONDS: "),
                "{refused:?}"
            );
            assert!(weak.is_empty() || !format!("{refused:?}").contains(weak), "{refused:?}");
        }
    }
}
