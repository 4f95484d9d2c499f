//! How the cost of look-ups grows: `cargo bench --package gateway --features inside` in a target folder of its own (CONTRIBUTING.md). Each
//! group has the same work at sizes that are powers of ten apart; what is looked up differs each time, so that caches hold
//! no more than they would.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use domain::endpoint::Endpoint;
use gateway::inside::{Backends, Form, Keys, Listener, is_route, model};
use http::{Method, Request, request::Parts};

/// Numbers below `end` in an order that no prefetcher guesses.
fn order(end: usize) -> impl Iterator<Item = usize> {
    (0_u64..).map(move |turn| (turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize % end)
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authenticate");
    for count in [10, 1_000, 100_000] {
        let keys = Keys::new(count).unwrap();
        let request = |number| -> Parts {
            let key = Keys::text(number).unwrap();
            Request::get("/").header("authorization", format!("Bearer {key}")).body(()).unwrap().into_parts().0
        };
        // Some of them, spread over all: the requests themselves should not fill the caches.
        let requests: Vec<Parts> = order(count).take(count.min(1_000)).map(request).collect();
        let mut turns = order(requests.len());
        group.bench_function(BenchmarkId::new("keys", count), |bencher| {
            bencher.iter(|| keys.authenticate(black_box(&requests[turns.next().unwrap()])).unwrap());
        });
    }
    group.finish();
}

fn backends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resolve and pick");
    for (models, backends, holders) in [(10, 2, 2), (1_000, 100, 2), (10_000, 1_000, 2), (10_000, 1_000, 20)] {
        let fleet = Backends::new(models, backends, holders).unwrap();
        for (spelling, suffix) in [("as listed", ":latest"), ("in other case", "")] {
            let head = if suffix.is_empty() { "MODEL" } else { "model" };
            let names: Vec<String> = (0..models).map(|number| format!("{head}-{number}{suffix}")).collect();
            let mut turns = order(models);
            let name = format!("{spelling}, {holders} holders");
            group.bench_function(BenchmarkId::new(name, format!("{models} models on {backends}")), |bencher| {
                bencher.iter(|| assert!(fleet.pick(black_box(&names[turns.next().unwrap()]))));
            });
        }
    }
    group.finish();
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("path");
    for path in ["/api/chat", "/v1/messages", "/v1/models/me%2Fllama3", "/api/blobs/sha256:1", "/nothing/of/ours"] {
        let method = if path == "/v1/models/me%2Fllama3" { Method::GET } else { Method::POST };
        group.bench_function(path, |bencher| bencher.iter(|| is_route(black_box(&method), black_box(path))));
    }
    group.finish();
}

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("model in a body");
    for size in [1_000, 100_000, 1_000_000] {
        let message = r#"{"role":"user","content":"Why is the sky \"blue\"? It was green when I looked."},"#;
        let messages = message.repeat(size / message.len());
        let body = format!(r#"{{"messages":[{}],"stream":true,"model":"llama3.2"}}"#, messages.trim_end_matches(','));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("bytes", size), |bencher| {
            bencher.iter(|| model(Endpoint::Chat, black_box(body.as_bytes())).unwrap());
        });
    }
    group.finish();
}

fn streams(criterion: &mut Criterion) {
    let line = r#"{"model":"llama3.2:latest","created_at":"2026-11-22T08:00:00Z","message":{"role":"assistant","content":" blue"},"done":false}"#.to_owned() + "\n";
    let last = r#"{"model":"llama3.2:latest","created_at":"2026-11-22T08:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":5043500667,"load_duration":5025959,"prompt_eval_count":26,"prompt_eval_duration":325953000,"eval_count":290,"eval_duration":4709213000}"#.to_owned() + "\n";
    let mut group = criterion.benchmark_group("tee");
    for lines in [1, 10, 100, 1_000] {
        group.throughput(Throughput::Elements(lines + 1));
        group.bench_function(BenchmarkId::new("lines and the last", lines), |bencher| {
            bencher.iter(|| {
                let mut listener = Listener::new(Endpoint::Chat, Form::Ndjson);
                (0..lines).for_each(|_| listener.feed(black_box(line.as_bytes())));
                listener.feed(black_box(last.as_bytes()));
                listener.finish()
            });
        });
    }
    group.finish();
}

criterion_group!(lookups, keys, backends, paths, bodies, streams);
criterion_main!(lookups);
