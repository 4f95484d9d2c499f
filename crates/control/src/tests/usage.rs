//! Reports and the log of requests, against a plain look over the records they are made from.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    balance::Balance,
    endpoint::Endpoint,
    id::{BackendId, KeyId},
    key::{KeyStatus, SetKeyStatus},
    settings::SaveSettings,
    usage::{
        Choice, Outcome, UsageRecord,
        log::{LogQuery, PAGE, Phase},
        report::{ERRORS, GroupBy, NO_MODEL, Percentiles, Step, UsageFigures, UsageQuery},
    },
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::*;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// 2026-03-29T01:00:00Z, when Berlin goes on to summer time, and 2026-10-25T01:00:00Z, when it goes back.
const SPRING: u64 = 1_774_746_000_000;
const AUTUMN: u64 = 1_792_890_000_000;

/// Two keys of a user, and those that nobody knows any more.
struct Known {
    bench: Bench,
    actor: Actor,
    user: UserId,
    keys: Vec<KeyId>,
}

async fn known() -> Known {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ann").await;
    let mut keys = Vec::new();
    for name in ["laptop", "ci"] {
        keys.push(bench.key(&actor, &user, name).await.view.id);
    }
    keys.push(KeyId::new("goneGoneGone").unwrap());
    Known { bench, actor, user, keys }
}

/// A record out of a number: everything about it varies.
fn record(known: &Known, n: u64, at: u64) -> UsageRecord {
    let pick = |of: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(of as u32 * 7) % 97;
    UsageRecord {
        model: (pick(1) % 5 > 0).then(|| format!("m{}", pick(1) % 3)),
        unresolved: pick(1) % 11 == 1,
        backend: (pick(2) % 4 > 0).then(|| BackendId::new(&format!("backend0000{}", pick(2) % 3)).unwrap()),
        status: [200, 200, 200, 404, 429, 502][(pick(3) % 6) as usize],
        outcome: Outcome::ALL[(pick(4) % 9).min(4) as usize],
        prompt_tokens: (pick(5) % 3 > 0).then_some(pick(5)),
        completion_tokens: Some(pick(6)),
        queue_us: pick(7) * 1_000,
        load_us: if pick(8) % 4 == 0 { pick(8) * 100_000 } else { 0 },
        gpu_us: pick(1) * 31,
        ttft_us: (pick(2) % 5 > 0).then_some(pick(3) * pick(3) * 500),
        total_us: pick(4) * pick(5) * 1_000,
        bytes_in: pick(6),
        bytes_out: pick(7),
        warm: [None, Some(true), Some(false)][(pick(8) % 3) as usize],
        ..UsageRecord::new(
            n,
            at,
            known.user.clone(),
            known.keys[(pick(9) % 3) as usize].clone(),
            Endpoint::ALL[(pick(5) % 4) as usize + 5],
        )
    }
}

async fn write(known: &Known, records: &[UsageRecord]) {
    for part in records.chunks(100) {
        known.bench.control.0.store.append_usage(part).await.unwrap();
    }
}

async fn fold(known: &Known, now: u64) {
    let store = &known.bench.control.0.store;
    while store.roll_up_usage().await.unwrap() {}
    while store.fold_usage(now).await.unwrap() {}
}

/// Number of the bucket that durations of these microseconds fall into.
fn bucket(us: u64) -> u32 {
    u64::BITS - (us / 1_000).leading_zeros()
}

/// The percentile's bucket is the right one.
fn check_percentile(found: Option<u64>, times: &[u64], percent: usize) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let expected = times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).map(|&us| bucket(us));
    assert_eq!(found.map(|ms| bucket(ms * 1_000)), expected);
}

fn check(figures: &UsageFigures, records: &[&UsageRecord]) {
    let sum = |of: &dyn Fn(&UsageRecord) -> u64| records.iter().map(|record| of(record)).sum::<u64>();
    let expected = UsageFigures {
        requests: records.len() as u64,
        errors: sum(&|r| u64::from(r.failed())),
        prompt_tokens: sum(&|r| r.prompt_tokens.unwrap_or_default()),
        completion_tokens: sum(&|r| r.completion_tokens.unwrap_or_default()),
        gpu_us: sum(&|r| r.gpu_us),
        load_us: sum(&|r| r.load_us),
        queue_us: sum(&|r| r.queue_us),
        cold: sum(&|r| u64::from(r.warm == Some(false))),
        bytes_in: sum(&|r| r.bytes_in),
        bytes_out: sum(&|r| r.bytes_out),
        latency: figures.latency,
        ttft: figures.ttft,
        ttft_warm: figures.ttft_warm,
        ttft_cold: figures.ttft_cold,
    };
    assert_eq!(*figures, expected);
    let check = |found: Percentiles, times: Vec<u64>| {
        check_percentile(found.p50, &times, 50);
        check_percentile(found.p95, &times, 95);
        check_percentile(found.p99, &times, 99);
    };
    let first = |warm: &dyn Fn(Option<bool>) -> bool| {
        records.iter().filter(|r| warm(r.warm)).filter_map(|r| r.ttft_us).collect::<Vec<_>>()
    };
    check(figures.latency, records.iter().map(|r| r.total_us).collect());
    check(figures.ttft, first(&|_| true));
    check(figures.ttft_warm, first(&|warm| warm == Some(true)));
    check(figures.ttft_cold, first(&|warm| warm == Some(false)));
}

fn group_of(by: GroupBy, record: &UsageRecord) -> String {
    match by {
        GroupBy::User => record.user.to_string(),
        GroupBy::Key => record.key.to_string(),
        GroupBy::Model => record.model.clone().filter(|_| !record.unresolved).unwrap_or_else(|| NO_MODEL.into()),
        GroupBy::Backend => record.backend.as_ref().map(ToString::to_string).unwrap_or_default(),
        GroupBy::Endpoint => record.endpoint.path().to_owned(),
    }
}

/// Every number of a report, from the records that the query means.
async fn check_report(known: &Known, records: &[UsageRecord], query: &UsageQuery) {
    let report = known.bench.control.usage_report(&known.actor, query).await.unwrap();
    assert!(report.from <= query.from && report.to >= query.to);
    let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    let takes = |r: &&UsageRecord| {
        (report.from..report.to).contains(&r.at)
            && is(&query.user, r.user.as_str())
            && is(&query.key, r.key.as_str())
            && is(&query.model, &group_of(GroupBy::Model, r))
            && is(&query.backend, &group_of(GroupBy::Backend, r))
            && is(&query.endpoint, r.endpoint.path())
            && (is(&query.outcome, r.outcome.as_str()) || query.outcome == ERRORS && r.failed())
    };
    let meant: Vec<&UsageRecord> = records.iter().filter(takes).collect();
    check(&report.total, &meant);
    let ends = report.points.iter().skip(1).map(|point| point.at).chain([report.to]);
    for (point, end) in report.points.iter().zip(ends) {
        assert!(point.at < end);
        check(&point.figures, &meant.iter().copied().filter(|r| (point.at..end).contains(&r.at)).collect::<Vec<_>>());
    }
    let mut groups = BTreeMap::<String, Vec<&UsageRecord>>::new();
    meant.iter().for_each(|r| groups.entry(group_of(query.by, r)).or_default().push(r));
    assert_eq!(report.groups.len(), groups.len());
    assert!(report.groups.is_sorted_by(|a, b| a.figures.requests >= b.figures.requests));
    report.groups.iter().for_each(|group| check(&group.figures, &groups[&group.of.id]));
    if let Some(peak) = &report.peak {
        assert_eq!(peak.iter().flatten().sum::<u64>(), meant.len() as u64);
    }
    let load = |taxes: &[domain::usage::report::ColdTax]| taxes.iter().map(|tax| tax.load_us).sum::<u64>();
    assert_eq!((load(&report.tax_by_model), load(&report.tax_by_key)), (report.total.load_us, report.total.load_us));
    for tax in &report.tax_by_key {
        let of_key = || meant.iter().filter(|r| r.key.as_str() == tax.of.id);
        let cold = of_key().filter(|r| r.warm == Some(false)).count() as u64;
        assert_eq!((tax.load_us, tax.cold), (of_key().map(|r| r.load_us).sum(), cold));
    }
}

fn query(from: u64, to: u64, step: Step, by: GroupBy) -> UsageQuery {
    UsageQuery { from, to, step, by, zone: "Europe/Berlin".into(), ..UsageQuery::default() }
}

#[test]
fn every_number_of_a_report_is_that_of_its_records() {
    deep(|| async {
        let known = known().await;
        let from = SPRING - 2 * DAY;
        let records: Vec<_> = (0..600).map(|n| record(&known, n, from + n * 11 * MINUTE)).collect();
        write(&known, &records).await;
        for folded in [false, true] {
            for by in GroupBy::ALL {
                check_report(&known, &records, &query(from, from + 5 * DAY, Step::Day, *by)).await;
            }
            check_report(&known, &records, &query(SPRING - HOUR, SPRING + HOUR, Step::Hour, GroupBy::Model)).await;
            check_report(&known, &records, &query(from, from + 5 * DAY, Step::Week, GroupBy::Model)).await;
            // Days of UTC beyond three months, out of months when they are folded.
            check_report(&known, &records, &query(from - 300 * DAY, from + 300 * DAY, Step::Day, GroupBy::Key)).await;
            if !folded {
                fold(&known, from + 90 * DAY).await;
            }
        }
        // Any filter, alone and together with others.
        let strategy = (0_usize..600, any::<u8>(), 0_usize..5, 0_usize..3);
        let cases = if std::env::var_os("CI").is_some() { 1_000 } else { 30 };
        let mut runner = TestRunner::deterministic();
        for _ in 0..cases {
            let (row, pick, by, step) = strategy.new_tree(&mut runner).unwrap().current();
            let r = &records[row];
            let given = |bit: u8, text: String| if pick >> bit & 1 == 1 { text } else { String::new() };
            let asked = UsageQuery {
                user: given(0, r.user.to_string()),
                key: given(1, r.key.to_string()),
                model: given(2, group_of(GroupBy::Model, r)),
                backend: given(3, group_of(GroupBy::Backend, r)),
                endpoint: given(4, r.endpoint.path().into()),
                outcome: given(5, if pick > 127 { ERRORS.into() } else { r.outcome.as_str().into() }),
                ..query(from, from + 5 * DAY, Step::ALL[step], GroupBy::ALL[by])
            };
            check_report(&known, &records, &asked).await;
        }
    });
}

#[tokio::test]
async fn days_are_those_of_the_viewer_also_where_the_clock_changes() {
    let known = known().await;
    let of = async |at: u64, step| {
        let asked = query(at, at + 1, step, GroupBy::Model);
        let report = known.bench.control.usage_report(&known.actor, &asked).await.unwrap();
        assert_eq!(report.points.len(), 1);
        (report.to - report.from) / HOUR
    };
    assert_eq!((of(SPRING, Step::Day).await, of(AUTUMN, Step::Day).await), (23, 25));
    // Requests around midnight of Berlin, and in the hour that comes twice.
    let midnight = AUTUMN - 3 * HOUR;
    let times = [midnight - 1, midnight, AUTUMN - 1, AUTUMN, midnight + 25 * HOUR - 1, midnight + 25 * HOUR];
    let records: Vec<_> = times.into_iter().zip(1..).map(|(at, n)| record(&known, n, at)).collect();
    write(&known, &records).await;
    for _ in ["slots", "hours"] {
        let asked = query(midnight, midnight + 25 * HOUR, Step::Day, GroupBy::Model);
        let report = known.bench.control.usage_report(&known.actor, &asked).await.unwrap();
        assert_eq!((report.total.requests, report.exact, report.utc_days), (4, true, false));
        let peak = report.peak.unwrap();
        assert_eq!((peak[6][0], peak[6][2], peak[6][23]), (1, 2, 1), "a Sunday");
        let asked = query(midnight, midnight + 25 * HOUR, Step::Hour, GroupBy::Model);
        let report = known.bench.control.usage_report(&known.actor, &asked).await.unwrap();
        let hours: Vec<_> = report.points.iter().map(|point| point.figures.requests).collect();
        assert_eq!((hours.len(), hours[0], hours[2], hours[3], hours[24]), (25, 1, 1, 1, 1));
        fold(&known, AUTUMN + 9 * DAY).await;
    }
    let india = UsageQuery { zone: "Asia/Kolkata".into(), ..query(AUTUMN, AUTUMN + 1, Step::Day, GroupBy::Model) };
    assert!(!known.bench.control.usage_report(&known.actor, &india).await.unwrap().exact);
}

#[tokio::test]
async fn who_is_gone_keeps_a_name_or_at_least_an_id() {
    let known = known().await;
    let records: Vec<_> = (0..60).map(|n| record(&known, n, SPRING + n)).collect();
    write(&known, &records).await;
    let control = &known.bench.control;
    let id = known.keys[1].clone();
    control.set_key_status(&known.actor, SetKeyStatus { id, status: KeyStatus::Revoked }).await.unwrap();
    let asked = query(SPRING, SPRING + DAY, Step::Day, GroupBy::Key);
    let report = control.usage_report(&known.actor, &asked).await.unwrap();
    let names: BTreeSet<_> = report.groups.iter().map(|group| (group.of.name.as_str(), group.of.removed)).collect();
    assert_eq!(names, [("laptop", false), ("ci", true), ("goneGoneGone", true)].into());
    let rows = control.request_log(&known.actor, &log(SPRING, SPRING + DAY)).await.unwrap().rows;
    assert!(rows.iter().any(|row| row.key.name == "ci" && row.key.removed && row.user.name == "ann"));
    assert!(rows.iter().any(|row| row.backend.as_ref().is_some_and(|of| of.removed && of.name.starts_with("backend"))));
}

#[tokio::test]
async fn groups_beyond_fifty_are_told_together() {
    let known = known().await;
    let records: Vec<_> = (0..80_u64)
        .flat_map(|n| (0..=n % 7).map(move |m| (n, m)))
        .map(|(n, m)| UsageRecord {
            model: Some(format!("model-{n:02}")),
            unresolved: false,
            ..record(&known, n * 10 + m, SPRING + n)
        })
        .collect();
    write(&known, &records).await;
    let asked = query(SPRING, SPRING + HOUR, Step::Hour, GroupBy::Model);
    let report = known.bench.control.usage_report(&known.actor, &asked).await.unwrap();
    let others = report.others.unwrap();
    assert_eq!((report.groups.len(), others.count), (50, 30));
    let told = report.groups.iter().map(|group| group.figures.requests).sum::<u64>();
    assert_eq!(told + others.figures.requests, records.len() as u64);
    assert!(report.groups[49].figures.requests >= 3, "the largest are told");
}

fn log(from: u64, to: u64) -> LogQuery {
    LogQuery { from, to, ..LogQuery::default() }
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_written_out_whole() {
    let known = known().await;
    let records: Vec<_> = (0..2_500).map(|n| record(&known, n, SPRING + n * 700)).collect();
    write(&known, &records).await;
    let control = &known.bench.control;
    let mut asked = LogQuery { status: "4xx".into(), user: known.user.to_string(), ..log(SPRING, SPRING + DAY) };
    let of_client = |r: &&UsageRecord| (400..500).contains(&r.status);
    let mut expected: Vec<_> = records.iter().filter(of_client).map(|r| format!("{:016x}", r.request_id)).collect();
    expected.reverse();
    let mut found = Vec::new();
    loop {
        let page = control.request_log(&known.actor, &asked).await.unwrap();
        assert!(page.rows.len() <= PAGE);
        found.extend(page.rows.into_iter().map(|row| row.request));
        // Newer ones come all the time.
        write(&known, &[record(&known, 10_000 + found.len() as u64, SPRING + 12 * HOUR)]).await;
        match page.next {
            Some(next) => asked.after = next,
            None => break,
        }
    }
    assert_eq!(found, expected);

    for format in [ExportFormat::Csv, ExportFormat::JsonLines] {
        let mut export = control.export_log(&known.actor, &log(SPRING, SPRING + 10 * HOUR), format).unwrap();
        let (mut text, mut pieces) = (String::new(), 0);
        while let Some(piece) = export.next().await.unwrap() {
            text.push_str(&piece);
            pieces += 1;
        }
        assert!(pieces > 2, "{pieces}");
        let head = usize::from(format == ExportFormat::Csv);
        assert_eq!(text.lines().count(), records.len() + head);
        let newest = text.lines().nth(head).unwrap();
        assert!(newest.contains(&format!("{:016x}", records.last().unwrap().request_id)), "{newest}");
    }
    assert!(control.request_log(&known.actor, &log(5, 5)).await.unwrap_err().field("to").is_some());
    let bad = LogQuery { key: "x".into(), ..log(0, 5) };
    assert!(control.export_log(&known.actor, &bad, ExportFormat::Csv).err().unwrap().field("key").is_some());
}

#[tokio::test]
async fn what_is_rare_is_found_at_once_however_much_there_is_of_the_rest() {
    let known = known().await;
    let rare = UsageRecord { key: known.keys[1].clone(), ..record(&known, 1, SPRING - 20 * DAY) };
    write(&known, std::slice::from_ref(&rare)).await;
    let many: Vec<_> = (0..1_500)
        .map(|n| UsageRecord { key: known.keys[0].clone(), ..record(&known, 10 + n, SPRING + n * 90_000) })
        .collect();
    // Each is a segment of its own: more than a page looks at.
    known.bench.control.0.store.append_usage(&many).await.unwrap();
    let mut asked = LogQuery { key: known.keys[1].to_string(), ..log(SPRING - 30 * DAY, SPRING + 30 * DAY) };
    let page = known.bench.control.request_log(&known.actor, &asked).await.unwrap();
    let found: Vec<_> = page.rows.iter().map(|row| row.request.as_str()).collect();
    assert_eq!((found, page.next, page.searched_to), (vec!["0000000000000001"], None, None));
    // Nothing knows when there was this one, so the search stops and says how far it came, and goes on from there.
    asked = LogQuery { request: "00000000000000aa".into(), ..log(SPRING - 30 * DAY, SPRING + 30 * DAY) };
    let page = known.bench.control.request_log(&known.actor, &asked).await.unwrap();
    assert!(page.rows.is_empty() && page.searched_to.is_some_and(|at| at > SPRING && at < SPRING + 60_000_000));
    asked.after = page.next.unwrap();
    let page = known.bench.control.request_log(&known.actor, &asked).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (1, None));
}

#[tokio::test]
async fn one_request_is_told_with_its_life_and_why_it_was_slow() {
    let known = known().await;
    let slow = UsageRecord {
        model: Some("qwen3".into()),
        queue_us: 2_000_000,
        load_us: 5_000_000,
        ttft_us: Some(8_000_000),
        total_us: 9_000_000,
        warm: Some(false),
        evicted_by: Some(known.keys[1].clone()),
        choice: Some(Choice { balance: Balance::WarmFirst, of: 3, ready: 2, by_priority: false, desperate: false }),
        error: Some("the backend broke off".into()),
        ..UsageRecord::new(255, SPRING, known.user.clone(), known.keys[0].clone(), Endpoint::Chat)
    };
    write(&known, &[slow, record(&known, 256, SPRING)]).await;
    let control = &known.bench.control;
    let entry = control.request(&known.actor, "00000000000000ff", SPRING).await.unwrap();
    let phases: Vec<_> = entry.timeline.iter().map(|part| (part.phase, part.to_us / 1_000_000)).collect();
    assert_eq!(phases, [(Phase::Queued, 2), (Phase::Loading, 7), (Phase::Waiting, 8), (Phase::Answering, 9)]);
    assert_eq!(entry.why.as_deref(), Some("8 s: 2 s waiting for a slot; 5 s loading qwen3, evicted by key ci"));
    assert_eq!((entry.row.key.name.as_str(), entry.evicted_by.unwrap().name.as_str()), ("laptop", "ci"));
    let reason =
        "one of 2 of 3 backends with the model that could take it; warm-first: none of them had the model loaded";
    assert_eq!((entry.reason.as_deref(), entry.error.as_deref()), (Some(reason), Some("the backend broke off")));
    let missing = control.request(&known.actor, "00000000000000ff", SPRING + 1).await;
    assert!(matches!(missing, Err(AdminError::NotFound { .. })));
    assert!(control.request(&known.actor, "", SPRING).await.unwrap_err().field("request").is_some());
}

#[tokio::test]
async fn how_long_usage_stays_is_a_setting() {
    let known = known().await;
    let control = &known.bench.control;
    let shown = control.settings(&known.actor);
    assert_eq!((shown.usage_days.value, shown.rollup_days.value), (30, 730));
    let save = |usage: &str, rollup: &str| SaveSettings {
        usage_days: usage.into(),
        rollup_days: rollup.into(),
        ..SaveSettings::default()
    };
    let shown = control.save_settings(&known.actor, save("7", "60")).await.unwrap();
    assert_eq!((shown.usage_days.value, shown.rollup_days.value), (7, 60));
    for (bad, field) in
        [(save("0", "60"), "usage_days"), (save("3651", ""), "usage_days"), (save("", "29"), "rollup_days")]
    {
        assert!(control.save_settings(&known.actor, bad).await.unwrap_err().field(field).is_some());
    }
}

#[tokio::test]
async fn what_is_tidied_up_is_what_the_settings_say() {
    let known = known().await;
    let now = AUTUMN;
    let records: Vec<_> = (0..100).map(|n| record(&known, n, now - n * DAY)).collect();
    for record in &records {
        write(&known, std::slice::from_ref(record)).await;
    }
    let store = &known.bench.control.0.store;
    while store.roll_up_usage().await.unwrap() {}
    let kept = SaveSettings { usage_days: "10".into(), rollup_days: "40".into(), ..SaveSettings::default() };
    known.bench.control.save_settings(&known.actor, kept).await.unwrap();
    known.bench.control.tidy_usage(now).await.unwrap();
    assert_eq!(store.usage(0, u64::MAX, 1_000).await.unwrap().len(), 11);
    let report = query(now - 99 * DAY, now + 1, Step::Day, GroupBy::Model);
    let report = known.bench.control.usage_report(&known.actor, &report).await.unwrap();
    assert_eq!(report.total.requests, 41, "whole days of UTC stay");
}
