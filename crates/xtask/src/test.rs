//! Every test of the project in one command. What a test needs is installed first or named; a missing tool fails.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    assets, lint,
    run::{cargo, command, on_path, output, root, run, step, target, together},
    tools,
};

/// One part of the test command.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting and lints
    Lint,
    /// Rust unit and integration tests
    Rust,
    /// Playwright in Chromium
    Browser,
    /// Real clients from PyPI and npm
    Clients,
}

pub fn test(only: &[Part]) -> Result<()> {
    let wanted = |part| only.is_empty() || only.contains(&part);
    // The bundle ends in one long step on one core. What the server is made of needs none of it.
    together(assets::build, || libraries(wanted(Part::Rust)))?;
    if wanted(Part::Rust) {
        rust()?;
    } else {
        step("binaries", || run(cargo().arg("build").args(lint::NATIVE)))?;
    }
    if wanted(Part::Clients) {
        clients()?;
    }
    if wanted(Part::Browser) {
        browser()?;
    }
    if wanted(Part::Lint) {
        lint::lint()?;
    }
    eprintln!("==> every part passed");
    Ok(())
}

/// Everything native but the binaries, which carry the pages, in the form that the next step takes: with the tests of the
/// libraries or without.
fn libraries(tests: bool) -> Result<()> {
    let what: &[&str] = if tests { &["test", "--no-run"] } else { &["build"] };
    step("libraries", || run(cargo().args(what).args(["--lib", "--quiet"]).args(lint::NATIVE)))
}

fn rust() -> Result<()> {
    step("build tool's own tests", || run(cargo().args(["test", "--locked", "--quiet", "--package", "xtask"])))?;
    step("Redis and OpenSSL", tools::ensure_servers)?;
    step("Rust tests", || {
        if output(cargo().args(["nextest", "--version"])).is_err() {
            return run(cargo().args(["test", "--no-fail-fast"]).args(lint::NATIVE));
        }
        // Tests wait half of their time, for what servers do after a second or ten.
        let cores = std::thread::available_parallelism()?.get();
        let threads = (cores + cores.div_ceil(2)).to_string();
        run(cargo().args(["nextest", "run", "--no-fail-fast", "--test-threads", &threads]).args(lint::NATIVE))
    })
}

fn browser() -> Result<()> {
    let folder = root().join("end2end");
    let chromium = step("Chromium", tools::ensure_chromium)?;
    step("npm packages of the browser tests", || tools::ensure_npm(&folder))?;
    // The pages show calls of Python clients, which are made as shown.
    let python = python()?;
    step("browser tests", || {
        let mut playwright = command("npx");
        playwright.current_dir(&folder).args(["playwright", "test"]);
        run(with_binaries(playwright.env("CHROMIUM", &chromium).env("FORTRESS_PYTHON", &python)))
    })
}

fn clients() -> Result<()> {
    let folder = root().join("end2end/clients");
    let python = python()?;
    step("npm client packages", || tools::ensure_npm(&root().join("end2end")))?;
    step("Python clients", || run(with_binaries(command(python).args(["-m", "pytest", "-q"]).arg(&folder))))?;
    step("JavaScript clients", || {
        let node = on_path("node").unwrap_or_else(|| "node".into());
        run(with_binaries(
            command(node).current_dir(root().join("end2end")).arg("--test").args(files(&folder, ".test.mjs")?),
        ))
    })
}

/// A Python that has every client.
fn python() -> Result<PathBuf> {
    step("Python client packages", || tools::ensure_python(&root().join("end2end/clients/requirements.txt")))
}

/// The files of a folder whose names end in `suffix`; Node 20 and later ones disagree on what a folder means. None is an
/// error: a runner without files would pass.
fn files(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let found: Vec<_> = paths.into_iter().filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    anyhow::ensure!(!found.is_empty(), "no *{suffix} in {}", folder.display());
    Ok(found)
}

/// Tells a runner which binaries to start.
fn with_binaries(command: &mut std::process::Command) -> &mut std::process::Command {
    let built = target().join("debug");
    command.env("FORTRESS_BIN", built.join("ollama-fortress")).env("FAKE_OLLAMA_BIN", built.join("fake-ollama"))
}
