//! The report around the table: on what, when and how it was measured, and its place in `docs/performance.md`.

use std::fs;

use anyhow::{Context, Result};

use super::stats::Spread;
use crate::run::{command, output, root};

const PAGE: &str = "docs/performance.md";
const HEADING: &str = "# Performance

`cargo xtask bench --write` writes the sections below, one for each profile it was run with; CONTRIBUTING.md says how to
read them. They are the figures of one machine, and repeating them on yours is one command.
";

/// So much of a machine may be busy with other things.
const QUIET: f64 = 0.1;

/// What the figures depend on.
pub struct Facts {
    pub profile: &'static str,
    /// What was measured: a commit, or a binary given by hand.
    pub source: String,
    pub versions: Vec<(String, String)>,
    pub loads: String,
    /// The share of the machine that was busy before each round, when nothing of ours was.
    pub others: Vec<f64>,
    pub notes: Vec<String>,
    /// The table of the admin pages.
    pub pages: String,
}

/// The whole section.
pub fn section(facts: &Facts, table: &str) -> Result<String> {
    let date = date()?;
    let versions: Vec<String> = facts.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut text = format!(
        "## Profile `{}`\n\nMeasured on {} with {}: {}. {}.\nLoads: {}.\n\n{table}",
        facts.profile,
        date,
        machine()?,
        versions.join(", "),
        facts.source,
        facts.loads,
    );
    text.push_str(
        "\nMedian of the rounds (smallest–largest), and how many times what nginx needs. CPU time is user and system time \
         of the whole program; memory counts shared pages once, and \"own\" leaves out the pages of files. Our program checks a key, counts a limit, routes by model \
         and accounts to its embedded database; the others pass on and do nothing else.\n",
    );
    let mut notes = facts.notes.clone();
    notes.extend(Spread::of(&facts.others).and_then(other_work));
    if !notes.is_empty() {
        text.push('\n');
        notes.iter().for_each(|note| text.push_str(&format!("- {note}\n")));
    }
    text.push('\n');
    text.push_str(&facts.pages);
    Ok(text)
}

/// Says when the machine had other work than this.
fn other_work(busy: Spread) -> Option<String> {
    let Spread { median, min, max } = busy;
    let percent = |share: f64| (share * 100.0).round();
    (median > QUIET).then(|| {
        format!(
            "Other work took {} % of the machine ({}–{} %): latencies, TTFT and starts mean little, and CPU times are higher \
             than on a quiet machine.",
            percent(median),
            percent(min),
            percent(max)
        )
    })
}

/// Puts a section into the page, in place of the last one of the same profile.
pub fn write(profile: &str, section: &str) -> Result<()> {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).unwrap_or_else(|_| HEADING.to_owned());
    fs::write(&path, merge(&page, profile, section)).context(PAGE)?;
    eprintln!("==> written into {PAGE}");
    Ok(())
}

fn merge(page: &str, profile: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- bench {profile} -->"), format!("<!-- end of bench {profile} -->"));
    let whole = format!("{begin}\n{section}{end}");
    let old = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match old {
        Some((before, after)) => format!("{before}{whole}{after}"),
        None => format!("{}\n\n{whole}\n", page.trim_end()),
    }
}

/// Now, as people write it.
pub fn date() -> Result<String> {
    Ok(output(command("date").args(["-u", "+%Y-%m-%d, %H:%M UTC"]))?.trim().to_owned())
}

/// Processor, cores, memory and kernel.
pub fn machine() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, model)| model));
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kilobytes = memory.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok()).unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    // What a distribution or a host appends to the version says nothing here.
    let kernel: Vec<&str> = release.trim().split(['.', '-']).take(2).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(format!(
        "{cores} cores of {}, {:.0} GB, Linux {}",
        model.unwrap_or("an unnamed processor").trim(),
        kilobytes / 1e6,
        kernel.join(".")
    ))
}

/// The commit that the checkout is at.
pub fn commit() -> String {
    let git = |arguments: &[&str]| output(command("git").args(arguments)).ok();
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "Not a checkout".to_owned() };
    let changed = git(&["status", "--porcelain"]).is_none_or(|changes| !changes.trim().is_empty());
    format!("Commit {}{}", commit.trim(), if changed { " with changes" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_said() {
        let busy = |median| other_work(Spread { median, min: 0.0, max: 1.0 });
        assert_eq!(busy(0.05), None);
        assert!(busy(0.426).unwrap().starts_with("Other work took 43 % of the machine (0–100 %)"));
    }

    #[test]
    fn a_section_replaces_its_own_and_leaves_the_rest() {
        let first = merge(HEADING, "dist", "one\n");
        assert!(first.starts_with(HEADING.trim_end()) && first.contains("one\n"));
        let both = merge(&first, "release", "two\n") + "\nwritten by hand\n";
        let again = merge(&both, "dist", "three\n");
        assert!(!again.contains("one\n"), "{again}");
        for kept in ["# Performance", "two\n", "three\n", "written by hand\n"] {
            assert_eq!(again.matches(kept).count(), 1, "{again}");
        }
        assert_eq!(merge(&again, "dist", "three\n"), again);
    }
}
