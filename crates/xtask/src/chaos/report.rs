//! The page about a run: on what it ran, what was done to the backends, and what became of the calls.

use std::fs;

use anyhow::{Context, Result};

use super::{
    explain::ROWS,
    phases::{CLIENTS, Chaos, MEMORY, REBOOT_CLIENTS, Reboot, WARM, WARM_CLIENTS, Warm},
};
use crate::{
    bench::report::{date, machine},
    run::root,
};

const PAGE: &str = "docs/reliability.md";

pub struct Facts {
    pub profile: &'static str,
    pub source: String,
    pub seed: u64,
    pub seconds: u64,
}

pub fn write(page: &str) -> Result<()> {
    fs::write(root().join(PAGE), page).context(PAGE)?;
    eprintln!("==> written into {PAGE}");
    Ok(())
}

pub fn page(facts: &Facts, chaos: &Chaos, reboot: &Reboot, warm: &Warm) -> Result<String> {
    let Facts { profile, source, seed, seconds } = facts;
    let mut text = format!(
        "# Reliability

`cargo xtask chaos --write` wrote this page. Measured on {} with {}. {source}, profile `{profile}`, seed {seed}.

The gateway has everything on: a key, a limit that counts, routing, accounting to its embedded database. Its time-outs are
two seconds to the first byte and two between bytes. Every answer's bytes follow from its request, and each client
compares all of them.

",
        date()?,
        machine()?
    );
    text.push_str(&first(chaos, *seconds));
    text.push_str(&second(reboot));
    text.push_str(&third(warm));
    Ok(text)
}

fn first(chaos: &Chaos, seconds: u64) -> String {
    let Chaos { seen, faults, rows, failover, retries, crossed, tried, files } = chaos;
    let faults: Vec<String> = faults.iter().map(|(name, count)| format!("{count} × {name}")).collect();
    let share = |count: u64| count as f64 * 100.0 / (seen.calls as f64).max(1.0);
    let mut text = format!(
        "## Four backends that fail at random

{seconds} s, {CLIENTS} clients, streams and whole answers in both dialects, one call in twenty given up by its client. Faults: {}.

| | |
|---|---|
| calls | {} |
| answered in full | {} ({:.1} %) |
| given up by their clients | {} |
| failed | {} ({:.1} %) |
| answers with a wrong byte, order or end | {} |
",
        faults.join(", "),
        seen.calls,
        seen.complete,
        share(seen.complete),
        seen.left,
        seen.failed.len(),
        share(seen.failed.len() as u64),
        seen.wrong_count,
    );
    if let Some((median, late, most)) = failover {
        text.push_str(&format!(
            "| failover: added before the first byte, p50 / p99 / most | {median:.1} / {late:.1} / {most:.1} ms ({} calls) |\n",
            seen.retried_ms.len()
        ));
    }
    text.push_str(&format!(
        "| requests sent to a further backend | {} (the budget allows {:.0}) |
| requests sent again to the same backend, whose idle connection had closed | {crossed} |
| further backends tried, those included that nothing could be sent to | {tried:.0} |
| left at the end: requests in flight, requests waiting, open answers at backends | 0 |
| open files of the gateway before and after | {:.0}, {:.0} |

Failover is seen from the client: the time to the first byte of answers for which another backend had been tried before,
less the median of the others.

| fault | | failed calls |
|---|---|---|
",
        retries.0, retries.1, files.0, files.1
    ));
    for (row, meaning) in ROWS {
        let count = rows.get(row).copied().unwrap_or_default();
        text.push_str(&format!("| {row} | {meaning} | {count} |\n"));
    }
    let explained: usize = rows.values().sum();
    text.push_str(&format!("| | explained by no fault | {} |\n", seen.failed.len() - explained));
    text
}

fn second(reboot: &Reboot) -> String {
    let Reboot { seen, killed, drained, streaming } = reboot;
    format!(
        "
## One of four backends reboots

{} calls by {REBOOT_CLIENTS} clients while {killed} backends were killed and {drained} drained first, one after the other.

| | |
|---|---|
| failed before the first byte of the answer | {} |
| broken off while streaming, by a kill without a drain | {streaming} |
",
        seen.calls,
        seen.failed.len() - streaming
    )
}

fn third(warm: &Warm) -> String {
    format!(
        "
## Warm slots

{} models on four backends that hold {} each and take {} calls at once; {} calls by {WARM_CLIENTS} clients. By the
backends' own record:

| | |
|---|---|
| met their model loaded | {} |
| had it loaded though another backend had it and a free slot | {} |
| had it loaded because nobody had it with a free slot | {} |
| **served warm where a warm slot existed** | **{:.2} %** |
",
        WARM.len(),
        MEMORY.models,
        MEMORY.slots,
        warm.seen.calls,
        warm.warm,
        warm.missed,
        warm.unavoidable,
        warm.share() * 100.0
    )
}
