//! How long the server needs for each admin page: with users, keys, backends and records that came through its own doors,
//! one answer after another, CPU time beside the wait.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    peers::{Scene, fortress},
    plan::Plan,
    process::{Kept, Mock, Tool},
    stats::Spread,
};
use crate::run::command;

/// What one answer may take, in milliseconds.
const BOUND: f64 = 50.0;
/// The administrator of the bench.
const NAME: &str = "bench-admin";
const PASSWORD: &str = "bench password of 30 letters.";
const BACKENDS: usize = 8;
const USERS: usize = 200;
const TIMES: usize = 20;
/// Answers of each page before those that count.
const WARM: usize = 3;

/// The pages, by the words of the table. `{user}` and `{backend}` are the ids of one of those.
const PAGES: [(&str, &str); 19] = [
    ("Dashboard", "/admin"),
    ("Backends", "/admin/backends"),
    ("A backend", "/admin/backends/{backend}"),
    ("History of a backend", "/admin/backends/{backend}/history"),
    ("Rolling upgrade", "/admin/backends/upgrade"),
    ("Models", "/admin/models"),
    ("Aliases", "/admin/aliases"),
    ("Downloads", "/admin/pulls"),
    ("Users", "/admin/users"),
    ("A user", "/admin/users/{user}"),
    ("Usage", "/admin/usage"),
    ("Requests", "/admin/requests"),
    ("Playground", "/admin/playground"),
    ("Audit log", "/admin/audit"),
    ("Administrators", "/admin/administrators"),
    ("My account", "/admin/account"),
    ("Network", "/admin/network"),
    ("Settings", "/admin/settings"),
    ("Help", "/admin/help"),
];

/// The table of all pages, and what it was measured with.
pub fn measure(bench: &Path, scene: &Scene, program: PathBuf) -> Result<String> {
    let mut mock = Mock::start(bench, BACKENDS)?;
    let mut ours = fortress::peer(scene, program, mock.address()?)?;
    let first = [("ADMIN_USER", NAME), ("ADMIN_PASSWORD", PASSWORD)];
    ours.launch.environment.extend(first.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let coming = ours.aim.first(bench)?;
    let kept = Kept::start(bench, &scene.folder.join("pages.log"), &ours.launch)?;
    coming.came().with_context(|| kept.said())?;
    let tell = |arguments: &[&str]| fortress::tell(&ours.launch, arguments);
    for number in 1..BACKENDS {
        let (name, url) = (format!("gpu-{number}"), format!("http://{}", mock.address()?));
        tell(&["backend", "add", "--name", &name, "--url", &url])?;
    }
    for number in 0..USERS {
        let name = format!("user-{number:03}");
        tell(&["user", "add", &name])?;
        tell(&["key", "create", "--user", &name, "--name", "laptop"])?;
    }
    let asked = ours.aim.run(bench, &Plan::warm())?;
    let id = |arguments: &[&str]| -> Result<String> {
        let rows: Value = serde_json::from_str(&tell(arguments)?)?;
        Ok(rows[0]["id"].as_str().context("a list without an id")?.to_owned())
    };
    let (user, backend) = (id(&["user", "list", "--json"])?, id(&["backend", "list", "--json"])?);

    let mut tool = command(bench);
    tool.args(["pages", "--to", &ours.aim.to.to_string(), "--times", &(WARM + TIMES).to_string(), "--name", NAME]);
    tool.env("BENCH_PASSWORD", PASSWORD);
    let mut tool = Tool::start(tool)?;
    tool.line().with_context(|| kept.said())?;
    let mut table = format!(
        "| admin page | answer (smallest–largest) | CPU | size | <= {BOUND} ms |\n| --- | --- | --- | --- | --- |\n"
    );
    for (words, path) in PAGES {
        let before = kept.cpu()?;
        tool.say(&path.replace("{user}", &user).replace("{backend}", &backend))?;
        let line = tool.line().with_context(|| format!("{path}: {}", kept.said()))?;
        let cpu = kept.cpu()?.since(&before)? as f64 / 1e6 / (WARM + TIMES) as f64;
        table.push_str(&row(words, &line, cpu).with_context(|| path.to_owned())?);
    }
    drop(tool);
    kept.end()?;
    Ok(format!(
        "{table}\nWhole pages as the server writes them, for a signed-in administrator, uncompressed: {BACKENDS} backends, {USERS} users \
         with a key each, {} records. Median of {TIMES} answers, one after another.\n",
        super::targets::thousands(asked.answers as u64)
    ))
}

fn row(words: &str, line: &Value, cpu: f64) -> Result<String> {
    let waits = line["samples_ns"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let waits: Vec<f64> = waits.skip(WARM).map(|ns| ns / 1e6).collect();
    let Spread { median, min, max } = Spread::of(&waits).context("no answers")?;
    let size = line["bytes"].as_f64().context("no size")? / 1e3;
    let verdict = if median <= BOUND { "met" } else { "**not met**" };
    Ok(format!("| {words} | {median:.1} ms ({min:.1}–{max:.1}) | {cpu:.1} ms | {size:.0} KB | {verdict} |\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_leaves_out_the_first_answers_and_judges_the_median() {
        let mut waits = vec![900_000_000_u64; WARM];
        waits.extend([4_000_000, 6_000_000, 51_000_000]);
        let line = json!({ "samples_ns": waits, "bytes": 41_234 });
        assert_eq!(row("Users", &line, 3.21).unwrap(), "| Users | 6.0 ms (4.0–51.0) | 3.2 ms | 41 KB | met |\n");
        let slow = json!({ "samples_ns": [1, 1, 1, 50_100_000], "bytes": 1_000 });
        assert!(row("Users", &slow, 1.0).unwrap().ends_with("| **not met** |\n"));
        assert!(row("Users", &json!({ "samples_ns": [1, 1, 1], "bytes": 1 }), 1.0).is_err());
    }
}
