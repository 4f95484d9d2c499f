//! Formatting, lints and the rules on dependencies, over the same set of packages as the tests, so that nothing is built twice for other features.

use anyhow::Result;

use crate::{
    deny,
    run::{cargo, run, step, together},
    tools::WASM_TARGET,
};

/// Selects everything that is compiled for the server's side in one feature resolution. Selecting fewer packages would
/// resolve other features and build SurrealDB again.
/// A lock file that does not fit is a fault: what is tested is what was locked.
pub const NATIVE: [&str; 6] = ["--locked", "--workspace", "--exclude", "frontend", "--exclude", "xtask"];

/// What only benches and fuzz targets use is linted too.
const INSIDE: [&str; 2] = ["--features", "gateway/inside"];

pub fn lint() -> Result<()> {
    step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    together(native, browser)?;
    deny::check()
}

fn native() -> Result<()> {
    step("lints", || {
        run(cargo().arg("clippy").args(NATIVE).args(INSIDE).args(["--all-targets", "--quiet", "--", "-D", "warnings"]))
    })?;
    step("lints of the tests on a SurrealDB server", || {
        // They are left out of all targets, because `cargo test` shall leave them out.
        run(cargo()
            .arg("clippy")
            .args(NATIVE)
            .args(INSIDE)
            .args(["--test", "remote", "--quiet", "--", "-D", "warnings"]))
    })
}

fn browser() -> Result<()> {
    step("lints of the browser's half", || {
        run(cargo().args([
            "clippy",
            "--locked",
            "--package",
            "frontend",
            "--package",
            "domain",
            "--profile",
            "wasm",
            "--target",
            WASM_TARGET,
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))
    })
}
