//! `cargo xtask fuzz`: every target of `fuzz/` for a while, each with the seeds that are committed and what earlier runs
//! found interesting. A nightly command; the tests do not run it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::run::{command, on_path, output, root, run, step, target};

/// The version of cargo-fuzz that is installed where there is none.
const VERSION: &str = "0.13.2";
/// No input is worth longer, in seconds, or more, in MB.
const SLOWEST: u64 = 10;
const LARGEST: u64 = 2_048;

#[derive(clap::Args)]
pub struct Options {
    /// For so long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Run only these targets
    #[arg(long)]
    only: Vec<String>,
}

pub fn fuzz(options: &Options) -> Result<()> {
    ensure()?;
    let all = targets()?;
    let chosen: Vec<&String> =
        all.iter().filter(|name| options.only.is_empty() || options.only.contains(name)).collect();
    if let Some(unknown) = options.only.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}: they are {}", all.join(", "));
    }
    step("fuzz targets", || run(&mut cargo_fuzz("build")))?;
    for name in chosen {
        let corpus = target().join("fuzz/corpus").join(name);
        fs::create_dir_all(&corpus)?;
        step(name, || {
            run(cargo_fuzz("run").arg(name).arg(&corpus).arg(seeds(name)).arg("--").args([
                format!("-max_total_time={}", options.seconds),
                format!("-timeout={SLOWEST}"),
                format!("-rss_limit_mb={LARGEST}"),
                "-print_final_stats=1".to_owned(),
                "-verbosity=0".to_owned(),
            ]))
            .context("what it found lies in fuzz/artifacts: make it a test beside the code, then mend the code")
        })?;
    }
    Ok(())
}

/// Fuzzing instruments the code as only a nightly compiler does.
fn ensure() -> Result<()> {
    if on_path("rustup").is_none() {
        bail!("rustup is missing: https://rustup.rs");
    }
    if output(command("rustup").args(["run", "nightly", "rustc", "--version"])).is_err() {
        bail!("the nightly toolchain is missing: `rustup toolchain install nightly --profile minimal`");
    }
    if output(command("cargo").args(["fuzz", "--version"])).is_err() {
        run(command("cargo").args(["install", "cargo-fuzz", "--locked", "--version", VERSION]))
            .context("cargo-fuzz is missing: `cargo install cargo-fuzz --locked`")?;
    }
    Ok(())
}

fn cargo_fuzz(what: &str) -> Command {
    let mut command = command("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", what, "--target-dir"]).arg(target().join("fuzz"));
    command
}

/// By the files, so that a target without seeds is missed by nobody.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets")).context("fuzz/fuzz_targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn seeds(name: &str) -> PathBuf {
    root().join("fuzz/seeds").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_declared_and_has_seeds() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for name in &targets {
            assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
            assert!(fs::read_dir(seeds(name)).unwrap().count() > 0, "{name}");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
    }
}
