//! The log of requests and reports as lines of a file: CSV after RFC 4180 that no spreadsheet takes for a formula, or one
//! JSON object each. The log comes in chunks, so that no more than one of them is in memory.

use domain::{
    error::AdminError,
    usage::{
        log::{LogQuery, LogRow},
        page::UsageChart,
        report::{Named, Percentiles, UsageFigures, UsageReport},
    },
};
use store::row::UsageSearch;

use crate::{
    Actor, Control,
    audit::{cell, time},
};

/// Rows of a chunk; segments that are looked at for one, and records that are read.
const ROWS: usize = 1_000;
const LOOK: usize = 4_096;
const READ: usize = 100_000;

/// First line of the CSV of a log.
const LOG_HEAD: &str = "time,request,user,user id,key,key id,model,model known,backend,backend id,endpoint,status,\
outcome,prompt tokens,completion tokens,tokens estimated,queue us,load us,gpu us,first byte us,total us,bytes in,\
bytes out,retries,warm\r\n";
/// First line of the CSV of a report.
const REPORT_HEAD: &str = "kind,time,id,name,removed,requests,errors,prompt tokens,completion tokens,gpu us,load us,\
queue us,cold,bytes in,bytes out,p50 ms,p95 ms,p99 ms,first byte p50 ms,first byte p95 ms,warm p50 ms,warm p95 ms,\
cold p50 ms,cold p95 ms\r\n";

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    Csv,
    JsonLines,
}

/// A log on its way out, newest first.
pub struct LogExport {
    control: Control,
    /// `None` when everything was read.
    search: Option<UsageSearch>,
    format: ExportFormat,
    begun: bool,
}

impl LogExport {
    /// The next piece of the file, which may be empty; `None` after the last. What was written while it is read is not in
    /// it, if it is newer than what was read first.
    pub async fn next(&mut self) -> Result<Option<String>, AdminError> {
        let Some(search) = &mut self.search else { return Ok(None) };
        let page = self.control.log_page(search).await?;
        let head = if self.begun || self.format == ExportFormat::JsonLines { "" } else { LOG_HEAD };
        self.begun = true;
        let mut piece = head.to_owned();
        for row in &page.rows {
            match self.format {
                ExportFormat::Csv => piece.push_str(&log_line(row)),
                ExportFormat::JsonLines => json_line(&mut piece, row),
            }
        }
        match page.next.and_then(|next| next.split_once('-').map(|(at, id)| (at.parse(), u64::from_str_radix(id, 16))))
        {
            Some((Ok(at), Ok(id))) => search.after = Some((at, id)),
            _ => self.search = None,
        }
        Ok(Some(piece))
    }
}

impl Control {
    /// The whole of what a query finds, from its place on. Every role may read it. Faults name their fields.
    pub fn export_log(&self, _actor: &Actor, query: &LogQuery, format: ExportFormat) -> Result<LogExport, AdminError> {
        let search = UsageSearch { limit: ROWS, look: LOOK, read: READ, ..self.search(query)? };
        Ok(LogExport { control: self.clone(), search: Some(search), format, begun: false })
    }
}

/// A report as one file: its total, its steps, its groups. It is small.
pub fn export_report(report: &UsageReport, format: ExportFormat) -> String {
    let mut lines = Vec::new();
    lines.push(Line { kind: "total", at: report.from, of: None, figures: &report.total });
    for point in &report.points {
        lines.push(Line { kind: report.step.as_str(), at: point.at, of: None, figures: &point.figures });
    }
    for group in &report.groups {
        lines.push(Line { kind: report.by.as_str(), at: report.from, of: Some(&group.of), figures: &group.figures });
    }
    if let Some(others) = &report.others {
        lines.push(Line { kind: "others", at: report.from, of: None, figures: &others.figures });
    }
    let mut text = match format {
        ExportFormat::Csv => REPORT_HEAD.to_owned(),
        ExportFormat::JsonLines => String::new(),
    };
    for line in &lines {
        match format {
            ExportFormat::Csv => text.push_str(&report_line(line)),
            ExportFormat::JsonLines => json_line(&mut text, line),
        }
    }
    text
}

/// A chart as CSV: where each stretch begins, in the zone that was asked for, and its numbers.
pub(super) fn chart_lines(labels: &[String], chart: &UsageChart) -> String {
    let columns = &chart.columns;
    let head = std::iter::once(cell("from")).chain(columns.iter().map(|column| cell(&column.label)));
    let rows = labels.iter().enumerate().map(|(at, label)| {
        let numbers = columns.iter().map(|column| number(column.values.get(at).copied().flatten()));
        std::iter::once(cell(label)).chain(numbers).collect::<Vec<_>>()
    });
    let lines = std::iter::once(head.collect::<Vec<_>>()).chain(rows);
    lines.map(|cells| cells.join(",") + "\r\n").collect()
}

#[derive(serde::Serialize)]
struct Line<'a> {
    kind: &'a str,
    at: u64,
    of: Option<&'a Named>,
    figures: &'a UsageFigures,
}

fn json_line(text: &mut String, value: &impl serde::Serialize) {
    // Texts, numbers and options of them always have a JSON form.
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
    text.push('\n');
}

fn number(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn log_line(row: &LogRow) -> String {
    let backend = row.backend.as_ref();
    let cells = [
        time(row.at),
        cell(&row.request),
        cell(&row.user.name),
        cell(&row.user.id),
        cell(&row.key.name),
        cell(&row.key.id),
        cell(row.model.as_deref().unwrap_or_default()),
        yes_no(!row.unresolved),
        cell(backend.map_or("", |of| &of.name)),
        cell(backend.map_or("", |of| &of.id)),
        cell(row.endpoint.path()),
        row.status.to_string(),
        cell(row.outcome.as_str()),
        number(row.prompt_tokens),
        number(row.completion_tokens),
        yes_no(row.tokens_estimated),
        row.queue_us.to_string(),
        row.load_us.to_string(),
        row.gpu_us.to_string(),
        number(row.ttft_us),
        row.total_us.to_string(),
        row.bytes_in.to_string(),
        row.bytes_out.to_string(),
        row.retries.to_string(),
        row.warm.map(yes_no).unwrap_or_default(),
    ];
    cells.join(",") + "\r\n"
}

fn report_line(line: &Line<'_>) -> String {
    let UsageFigures {
        requests,
        errors,
        prompt_tokens,
        completion_tokens,
        gpu_us,
        load_us,
        queue_us,
        cold,
        bytes_in,
        bytes_out,
        latency: Percentiles { p50, p95, p99 },
        ttft,
        ttft_warm,
        ttft_cold,
    } = line.figures;
    let mut cells = vec![
        cell(line.kind),
        time(line.at),
        cell(line.of.map_or("", |of| &of.id)),
        cell(line.of.map_or("", |of| &of.name)),
        line.of.map(|of| yes_no(of.removed)).unwrap_or_default(),
    ];
    let sums =
        [requests, errors, prompt_tokens, completion_tokens, gpu_us, load_us, queue_us, cold, bytes_in, bytes_out];
    cells.extend(sums.map(u64::to_string));
    let times = [*p50, *p95, *p99, ttft.p50, ttft.p95, ttft_warm.p50, ttft_warm.p95, ttft_cold.p50, ttft_cold.p95];
    cells.extend(times.map(number));
    cells.join(",") + "\r\n"
}

#[cfg(test)]
#[path = "export/tests.rs"]
mod tests;
