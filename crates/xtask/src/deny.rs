//! The rules of `deny.toml` on dependencies (T35): who may use what, licences, sources, known vulnerabilities.

mod fixture;

use std::path::Path;

use anyhow::Result;

use crate::{
    run::{cargo, command, output, run, step},
    tools,
};

/// The version that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

pub fn check() -> Result<()> {
    let program = step("cargo-deny", || tools::ensure_cargo_deny(VERSION))?;
    step("rules on dependencies", || run(deny(&program).args(["check", "bans", "licenses", "sources"])))?;
    step("what breaks the rules is refused", || fixture::banned(&program))?;
    step("what is known as vulnerable is refused", || fixture::vulnerable_here(&program))?;
    step("advisories", || {
        if let Err(error) = output(deny(&program).args(["fetch", "db"])) {
            // The rules above hold without a network; a machine without one still gets them.
            let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            eprintln!("    NOT checked for known vulnerabilities: the advisory database cannot be reached ({reason})");
            return Ok(());
        }
        run(deny(&program).args(["check", "advisories"]))?;
        fixture::vulnerable(&program)
    })
}

fn deny(program: &Path) -> std::process::Command {
    let mut command = command(program);
    command.args(["--log-level", "error", "--workspace"]).env("CARGO", cargo().get_program());
    command
}
