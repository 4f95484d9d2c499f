//! What a monitoring system reads: sums over usage records, fed where the usage writer takes them, and gauges that are read
//! when they are asked for. Every label is from a closed list or bounded by [`labels`]; nothing of a caller is in one.

mod families;
mod gauges;
mod labels;
mod sums;
#[cfg(test)]
mod tests;
mod text;
mod token;

use std::{fmt, net::IpAddr};

use domain::{live::LiveStatus, usage::UsageRecord};
use gateway::ErrorCount;
use prometheus_client::encoding::text::{encode_eof, encode_registry};

use crate::{Control, clock::Now, lock::lock};
pub use gauges::ProcessFacts;
pub(crate) use sums::Sums;
pub use token::MetricsToken;

/// Begins the name of every metric but those that all programs have.
const PREFIX: &str = "ollama_fortress";

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// The text format 0.0.4, which everything reads.
    Prometheus,
    OpenMetrics,
}

impl MetricsFormat {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Errors of one kind: source, code, status as a label.
type ErrorLabels = (&'static str, &'static str, &'static str);

impl Control {
    /// Adds what ended to the sums. Called off the request path.
    pub(crate) fn measure(&self, records: &[UsageRecord]) {
        if records.is_empty() {
            return;
        }
        let state = self.state();
        let name = |id: &_| state.rows.backends.iter().find(|row| row.id == *id).map(|row| row.name.clone());
        lock(&self.0.sums).absorb(records, state.rows.revision, &name);
    }

    /// Counts a wrong token of `address` and notes it in the audit log. `Some(seconds)` says that the address is over its
    /// limit of wrong credentials, and when it may try again.
    pub fn scraper_failed(&self, address: IpAddr) -> Option<u64> {
        self.note_stranger(address, "/metrics", "a wrong METRICS_TOKEN");
        self.0.gateway.credential_failed(address)
    }

    /// Every metric at this moment. Whoever calls has proved that it may read them.
    pub fn metrics(&self, format: MetricsFormat, process: &ProcessFacts) -> Result<String, fmt::Error> {
        let mut live = self.0.gateway.live();
        live.usage_dropped += self.0.usage.lost();
        let now = Moment {
            live,
            told: self.0.gateway.errors(),
            writable: self.0.store.read_only().is_none(),
            keys_expiring: self.keys_expiring(Now::read().wall),
            pulls: self.pull_counts(),
            process: process.clone(),
        };
        write(&mut lock(&self.0.sums), &now, format)
    }
}

/// What is not summed up but read.
struct Moment {
    live: LiveStatus,
    /// What the gateway answered in place of backends.
    told: Vec<ErrorCount>,
    writable: bool,
    keys_expiring: u64,
    /// Pulls that run and that wait; that are done, failed, were cancelled since the start.
    pulls: ([u64; 2], [u64; 3]),
    process: ProcessFacts,
}

fn write(sums: &mut Sums, now: &Moment, format: MetricsFormat) -> Result<String, fmt::Error> {
    let mut errors = sums.errors().clone();
    for told in &now.told {
        *errors.entry((told.source, told.code, labels::status(told.status))).or_default() += told.count;
    }
    let gauges = gauges::registries(now, &errors, sums.backend_names());
    let mut written = String::with_capacity(32 * 1024);
    encode_registry(&mut written, sums.registry())?;
    for registry in &gauges {
        encode_registry(&mut written, registry)?;
    }
    encode_eof(&mut written)?;
    Ok(match format {
        MetricsFormat::OpenMetrics => written,
        MetricsFormat::Prometheus => text::prometheus(&written),
    })
}
