//! `cargo xtask bench`: our binary with everything on beside nginx, HAProxy and Envoy, in one run, interleaved. CPU time
//! is the figure to steer by; wall figures are noisy. The loads and the mock backend are processes of `crates/bench`.

mod pages;
pub(crate) mod peers;
mod plan;
mod proc;
pub(crate) mod process;
pub(crate) mod report;
mod rounds;
pub(crate) mod stats;
mod table;
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::{
    run::{cargo, run, step, target},
    serve,
};
use peers::{Peer, Scene};
use plan::Plan;
use process::{Aim, Mock};
use report::Facts;
use rounds::Bench;
use table::Column;

/// The names of what is measured; nginx first, because the others are compared with it.
const NAMES: [&str; 4] = ["nginx", "HAProxy", "Envoy", "Fortress"];
/// Open streams whose memory is looked at.
const HELD: [u64; 2] = [1_000, 10_000];
/// Open files a program may have beside two for each stream; a library of ours keeps one for each process of the machine.
const SPARE_FILES: u64 = 1024;

#[derive(clap::Args)]
pub struct Options {
    /// Under a minute and a half: fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Only how long the server needs for each admin page; nothing is written
    #[arg(long, conflicts_with = "write")]
    pages: bool,
    /// Write the tables into docs/performance.md
    #[arg(long)]
    write: bool,
    /// How our binary is built; the targets are about `dist`
    #[arg(long, value_enum, default_value = "dist")]
    profile: Built,
    /// Measure this binary instead of building one; --profile then says how it was built
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Built {
    Release,
    Dist,
}

impl Built {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

pub fn bench(options: &Options) -> Result<()> {
    let tool = tool()?;
    let (binary, source) = match &options.binary {
        Some(binary) => (
            fs::canonicalize(binary).with_context(|| binary.display().to_string())?,
            "A binary given by hand".to_owned(),
        ),
        None => (serve::build(profile(options.profile))?, report::commit()),
    };
    let open_files = proc::open_files()?;
    let held = held(open_files);
    let most = held.last().copied().unwrap_or_default();
    let folder = Folder::new("bench")?;
    let apart = folder.0.join("pages");
    let scene = Scene {
        folder: &folder.0,
        streams: most.max(HELD[0]),
        open_files,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        is_root: peers::is_root(),
    };
    let pages = || step("admin pages", || pages::measure(&tool, &Scene { folder: &apart, ..scene }, binary.clone()));
    if options.pages {
        println!("{}", pages()?);
        return Ok(());
    }
    let plan = if options.quick { Plan::quick(held) } else { Plan::full(held) };
    let mut mock = Mock::start(&tool, NAMES.len() + 1)?;
    let mut found = step("what is measured", || {
        let mut found = peers::all(&scene, [mock.address()?, mock.address()?, mock.address()?])?;
        found.push(Ok(peers::fortress::peer(&scene, binary.clone(), mock.address()?)?));
        Ok(found)
    })?;
    let mut columns: Vec<Column> = found.iter().map(column).collect();
    let peers: Vec<Option<Peer>> = found.drain(..).map(Result::ok).collect();
    let direct = Aim { to: mock.address()?, key: None };
    let others =
        Bench { tool: &tool, folder: &folder.0, mock: &mock, direct, plan: &plan }.measure(&peers, &mut columns);

    let pages = pages()?;
    let table = table::table(&columns, &plan.figures());
    let mut notes = notes(&columns, most);
    notes.extend(folder.warnings());
    let facts = Facts {
        profile: options.profile.name(),
        source,
        versions: peers.iter().flatten().map(|peer| (peer.name.to_owned(), peer.version.clone())).collect(),
        loads: plan.words(),
        others,
        notes,
        pages,
    };
    let section = report::section(&facts, &table)?;
    println!("{section}");
    let failed = columns.iter().filter(|column| !column.failures.is_empty()).count();
    if options.write {
        if failed > 0 {
            bail!("not written: a run failed");
        }
        report::write(options.profile.name(), &section)?;
    }
    match columns.last().and_then(|ours| ours.failures.values().next()) {
        Some(why) => bail!("a run of our own binary failed: {why}"),
        None => Ok(()),
    }
}

/// The mock, the loader and the keeper.
pub(crate) fn tool() -> Result<PathBuf> {
    step("mock and loader", || run(cargo().args(["build", "--locked", "--profile", "release", "--package", "bench"])))?;
    Ok(target().join("release/bench"))
}

fn profile(built: Built) -> serve::Profile {
    match built {
        Built::Release => serve::Profile::Release,
        Built::Dist => serve::Profile::Dist,
    }
}

/// The numbers of streams that one process can pass on: those wanted, or a round number of fewer.
fn held(open_files: u64) -> Vec<u64> {
    let bearable = open_files.saturating_sub(SPARE_FILES) / 2 / 100 * 100;
    let mut held: Vec<u64> = HELD.iter().map(|streams| bearable.min(*streams)).filter(|streams| *streams > 0).collect();
    held.dedup();
    held
}

fn column(found: &std::result::Result<Peer, (&'static str, String)>) -> Column {
    match found {
        Ok(peer) => Column { name: peer.name.to_owned(), ..Column::default() },
        Err((name, why)) => Column { name: (*name).to_owned(), missing: Some(why.clone()), ..Column::default() },
    }
}

/// What the table alone does not say.
fn notes(columns: &[Column], most: u64) -> Vec<String> {
    let mut notes = Vec::new();
    for column in columns {
        notes.extend(column.missing.iter().map(|why| format!("{} is {why}", column.name)));
        let failures = column.failures.iter();
        notes.extend(
            failures.map(|(figure, why)| format!("{}, {}: failed: {}", column.name, figure.name(), first(why))),
        );
    }
    if most < HELD[1] {
        notes.push(format!(
            "The limit on open files lets a process pass on {} streams, not {}: two files each.",
            targets::thousands(most),
            targets::thousands(HELD[1])
        ));
    }
    notes
}

fn first(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A folder for configurations, logs and our database, in the target folder; removed with the value, and by the next run
/// where this process is killed.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(kind: &str) -> Result<Self> {
        let all = target().join(kind);
        for old in fs::read_dir(&all).into_iter().flatten().flatten() {
            if !Path::new("/proc").join(old.file_name()).exists() {
                fs::remove_dir_all(old.path())?;
            }
        }
        let own = all.join(std::process::id().to_string());
        fs::create_dir_all(&own)?;
        Ok(Self(own))
    }

    /// What our program warned of: figures of a program in trouble are not those of the program.
    fn warnings(&self) -> Option<String> {
        let log = fs::read_to_string(self.0.join(format!("{}.log", NAMES[3]))).unwrap_or_default();
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
        let last = warnings.last()?;
        Some(format!("Fortress warned {} times, at last: {last}", warnings.len()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_fit_into_the_open_files() {
        assert_eq!(held(65_536), HELD);
        assert_eq!(held(20_000), [1_000, 9_400]);
        assert_eq!(held(2_048), [500]);
        assert!(held(1_024).is_empty());
    }
}
