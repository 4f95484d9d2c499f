//! No cell of an export begins like a formula, and every line has as many as the first.

use domain::{
    endpoint::Endpoint,
    usage::{
        Outcome,
        page::{ChartKind, UsageColumn},
        report::{GroupBy, Step, UsageGroup, UsagePoint},
    },
};

use super::*;

fn named(name: &str) -> Named {
    Named { id: "=1+1".into(), name: name.into(), removed: true }
}

fn row() -> LogRow {
    LogRow {
        request: "00000000000000ff".into(),
        at: 1_795_343_405_007,
        user: named("+ann"),
        key: named("-key \"x\",\r\ny"),
        model: Some("@model".into()),
        unresolved: true,
        backend: None,
        endpoint: Endpoint::Chat,
        status: 429,
        outcome: Outcome::Refused,
        prompt_tokens: None,
        completion_tokens: Some(7),
        tokens_estimated: true,
        queue_us: 1,
        load_us: 2,
        gpu_us: 3,
        ttft_us: None,
        total_us: 4,
        bytes_in: 5,
        bytes_out: 6,
        retries: 1,
        warm: Some(false),
    }
}

#[test]
fn a_row_of_the_log_is_one_record_of_csv_without_formulas() {
    assert_eq!(
        log_line(&row()),
        "2026-11-22T10:30:05.007Z,\"00000000000000ff\",\"'+ann\",\"'=1+1\",\"'-key \"\"x\"\",\r\ny\",\"'=1+1\",\
         \"'@model\",no,\"\",\"\",\"/api/chat\",429,\"refused\",,7,yes,1,2,3,,4,5,6,1,no\r\n"
    );
    // The name above has one comma of its own.
    assert_eq!(log_line(&row()).matches(',').count() - 1, LOG_HEAD.matches(',').count());
}

#[test]
fn a_report_is_its_total_its_steps_and_its_groups() {
    let figures = UsageFigures {
        requests: 3,
        ttft_cold: Percentiles { p95: Some(9), ..Default::default() },
        ..Default::default()
    };
    let report = UsageReport {
        from: 0,
        to: 2,
        step: Step::Day,
        zone: "UTC".into(),
        utc_days: false,
        exact: true,
        by: GroupBy::Key,
        total: figures,
        points: vec![UsagePoint { at: 1, figures }],
        groups: vec![UsageGroup { of: named("=cmd()"), figures }],
        others: None,
        peak: None,
        tax_by_model: Vec::new(),
        tax_by_key: Vec::new(),
    };
    let csv = export_report(&report, ExportFormat::Csv);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.matches(',').count() == lines[0].matches(',').count()), "{csv}");
    assert!(lines[1].ends_with(",,9") && lines[3].contains("\"'=cmd()\",yes,3"), "{csv}");
    let json = export_report(&report, ExportFormat::JsonLines);
    let kinds: Vec<_> =
        json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].clone()).collect();
    assert_eq!(kinds, ["total", "day", "key"]);
}

#[test]
fn a_chart_is_a_line_for_each_stretch_and_no_label_is_a_formula() {
    let column = |label: &str, values| UsageColumn { label: label.into(), values };
    let chart = UsageChart {
        title: "Requests by model".into(),
        kind: ChartKind::Stacked,
        columns: vec![column("=cmd()", vec![Some(1), None]), column("b, \"c\"", vec![Some(2)])],
    };
    assert_eq!(
        chart_lines(&["2026-11-22 10:00".into(), "2026-11-22 11:00".into()], &chart),
        "\"from\",\"'=cmd()\",\"b, \"\"c\"\"\"\r\n\"2026-11-22 10:00\",1,2\r\n\"2026-11-22 11:00\",,\r\n"
    );
}
