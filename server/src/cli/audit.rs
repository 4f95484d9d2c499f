//! `audit list` and `audit export`: a log of any length, a page at a time, so that neither side ever holds it whole.

use std::io::{self, BufWriter, Write};

use clap::{Args, Subcommand, ValueEnum};
use control::{
    CSV_HEAD,
    command::{Command, Reply},
    csv_line, json_line,
};
use domain::{
    audit::{AuditEntry, AuditOutcome, AuditPage, ReadAudit},
    policy::format_utc,
};

use super::{Failure, output::clean, remote};
use crate::config::Config;

/// The log of what was done and refused in the admin pages and on the command line.
#[derive(Subcommand)]
pub enum Audit {
    /// Print the newest rows.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Rows at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
    },
    /// Write all rows to standard output, newest first.
    Export {
        #[arg(long, value_enum)]
        format: Format,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Which rows; everything that is given must hold.
#[derive(Args)]
pub struct Filter {
    /// From then on: 2026-12-31, "2026-12-31 23:59" (UTC), or how long ago: 30m, 24h, 7d.
    #[arg(long, default_value = "")]
    since: String,
    /// Until then.
    #[arg(long, default_value = "")]
    until: String,
    /// Name of who acted.
    #[arg(long, default_value = "")]
    actor: String,
    /// Part of action, reason, address or change.
    #[arg(long, default_value = "")]
    text: String,
    /// Only what was refused.
    #[arg(long)]
    refused: bool,
}

impl From<Filter> for ReadAudit {
    fn from(filter: Filter) -> Self {
        let Filter { since, until, actor, text, refused } = filter;
        let outcome = if refused { AuditOutcome::Refused.as_str() } else { "" }.to_owned();
        Self { actor, outcome, text, from: since, to: until, after: String::new() }
    }
}

/// Rows a page of a list has at most.
const PAGE: u64 = 500;

impl Audit {
    /// Prints what is asked. A reader that has seen enough (`| head`) is no failure.
    pub fn run(self, config: &Config, json: bool) -> Result<(), Failure> {
        let out = BufWriter::new(io::stdout());
        let (filter, limit, export, shape) = match self {
            Self::List { filter, limit } => (filter, limit, false, if json { Shape::Array } else { Shape::Lines }),
            Self::Export { filter, format: Format::Csv } => (filter, u64::MAX, true, Shape::Csv),
            Self::Export { filter, format: Format::Jsonl } => (filter, u64::MAX, true, Shape::Jsonl),
        };
        let filter = ReadAudit::from(filter);
        let page = move |filter: &ReadAudit, left: u64| Command::AuditRead {
            filter: filter.clone(),
            // At most `PAGE`, which fits.
            limit: left.min(PAGE) as u32,
            export,
        };
        let mut printer = Printer { out, shape, count: 0 };
        let first = page(&filter, limit);
        let mut next = filter;
        let asked = remote::ask_on(config, first, |reply| {
            let Reply::Audit(AuditPage { entries, next: after, .. }) = reply else {
                return Err(Failure::new("the running server answered something else: is it another version?"));
            };
            for entry in entries.iter().take(usize::try_from(limit - printer.count).unwrap_or(usize::MAX)) {
                printer.entry(entry)?;
            }
            let Some(after) = after.filter(|_| printer.count < limit) else { return Ok(None) };
            next.after = after;
            Ok(Some(page(&next, limit - printer.count)))
        });
        match asked.and_then(|()| printer.end()) {
            Err(Failure::ReaderWentAway) => Ok(()),
            done => done,
        }
    }
}

enum Shape {
    Lines,
    Array,
    Csv,
    Jsonl,
}

struct Printer<W: Write> {
    out: W,
    shape: Shape,
    count: u64,
}

impl<W: Write> Printer<W> {
    fn entry(&mut self, entry: &AuditEntry) -> Result<(), Failure> {
        let first = self.count == 0;
        self.count += 1;
        let text = match self.shape {
            Shape::Lines => line(entry) + "\n",
            Shape::Array => format!("{}{}", if first { "[\n" } else { ",\n" }, json_line(entry).trim_end()),
            Shape::Csv => format!("{}{}", if first { CSV_HEAD } else { "" }, csv_line(entry)),
            Shape::Jsonl => json_line(entry),
        };
        self.out.write_all(text.as_bytes()).map_err(cannot)
    }

    fn end(mut self) -> Result<(), Failure> {
        let rest = match (&self.shape, self.count) {
            (Shape::Array, 0) => "[]\n",
            (Shape::Array, _) => "\n]\n",
            (Shape::Csv, 0) => CSV_HEAD,
            _ => "",
        };
        self.out.write_all(rest.as_bytes()).and_then(|()| self.out.flush()).map_err(cannot)
    }
}

fn cannot(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderWentAway,
        _ => Failure::new(format_args!("cannot print the result: {error}")),
    }
}

/// One row for people: when, who, from where, what, and what became of it.
fn line(entry: &AuditEntry) -> String {
    let AuditEntry { id: _, at, actor, action, outcome, reason, count, changes } = entry;
    let when = format_utc(at / 1_000 * 1_000).replace('T', " ");
    let when = if when.len() == 16 { format!("{when}:00") } else { when };
    let mut told = action.clone();
    if *outcome == AuditOutcome::Refused {
        told.push_str(" REFUSED");
    }
    if let Some(reason) = reason {
        told = format!("{told}: {reason}");
    }
    let names: Vec<String> = changes.iter().map(|change| format!("{} {}", change.kind, change.name)).collect();
    if !names.is_empty() {
        told = format!("{told}: {}", names.join(", "));
    }
    if *count > 1 {
        told = format!("{told} ({count} times)");
    }
    let from = actor.address.as_deref().unwrap_or("-");
    clean(&format!("{when}  {:<16}  {from:<15}  {told}", actor.name))
}

#[cfg(test)]
mod tests {
    use domain::audit::AuditActor;

    use super::*;

    fn entry(name: &str) -> AuditEntry {
        AuditEntry {
            id: "0123456789ab".into(),
            at: 1_795_343_400_007,
            actor: AuditActor { name: name.into(), id: None, role: None, address: Some("10.0.0.1".into()) },
            action: "signed in".into(),
            outcome: AuditOutcome::Refused,
            reason: Some("too many attempts".into()),
            count: 3,
            changes: Vec::new(),
        }
    }

    fn printed(shape: Shape, entries: &[AuditEntry]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer { out: &mut out, shape, count: 0 };
        for entry in entries {
            printer.entry(entry).unwrap();
        }
        printer.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_is_one_line_that_steers_no_terminal() {
        assert_eq!(
            printed(Shape::Lines, &[entry("a\u{1b}[2J\nb")]),
            "2026-11-22 10:30:00  a\u{fffd}[2J\u{fffd}b           10.0.0.1         signed in REFUSED: too many attempts (3 times)\n"
        );
    }

    #[test]
    fn every_shape_is_whole_with_any_number_of_rows() {
        for count in [0, 1, 2] {
            let entries = vec![entry("ada"); count];
            let array: Vec<AuditEntry> = serde_json::from_str(&printed(Shape::Array, &entries)).unwrap();
            assert_eq!(array, entries);
            assert_eq!(printed(Shape::Csv, &entries).matches("\r\n").count(), count + 1);
            assert_eq!(printed(Shape::Jsonl, &entries).lines().count(), count);
        }
    }
}
