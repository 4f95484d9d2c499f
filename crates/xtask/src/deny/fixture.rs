//! Shows that the rules bite: packages that break them on purpose must not pass. They are made in the target folder and
//! never built. Nothing of them comes from a network but the crate with a known fault.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::run::{command, output, root, target};

/// A crate by a name that is banned, and one from a repository that is no registry.
pub fn banned(program: &Path) -> Result<()> {
    let folder = empty("banned")?;
    package(&folder.join("openssl-sys"), "openssl-sys", "")?;
    let elsewhere = folder.join("elsewhere");
    package(&elsewhere, "elsewhere", "[workspace]\n")?;
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "--message", "x"],
    ] {
        output(command("git").args(arguments).current_dir(&elsewhere))?;
    }
    let dependencies = format!(
        "[workspace]\n[dependencies]\nopenssl-sys = {{ path = \"openssl-sys\" }}\nelsewhere = {{ git = \"file://{}\" }}\n",
        elsewhere.display()
    );
    package(&folder, "fixture", &dependencies)?;
    refused(program, &folder, &["bans", "sources"], &["error[banned]", "error[source-not-allowed]"])
}

/// A crate with a known fault (RUSTSEC-2026-0258). Needs the registry, as the database of advisories does.
pub fn vulnerable(program: &Path) -> Result<()> {
    let folder = empty("vulnerable")?;
    package(&folder, "fixture", "[workspace]\n[dependencies]\nh2 = \"=0.4.15\"\n")?;
    refused(program, &folder, &["advisories"], &["error[vulnerability]"])
}

fn empty(name: &str) -> Result<PathBuf> {
    let folder = target().join("deny-fixtures").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn package(folder: &Path, name: &str, rest: &str) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let head = format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n");
    fs::write(folder.join("Cargo.toml"), head + rest)?;
    Ok(())
}

/// The rules of the project refuse the package in `folder`, for every one of `reasons`.
fn refused(program: &Path, folder: &Path, checks: &[&str], reasons: &[&str]) -> Result<()> {
    let mut asked = Command::new(program);
    asked.current_dir(folder).args(["--log-level", "error", "--config"]).arg(root().join("deny.toml"));
    asked.arg("--manifest-path").arg(folder.join("Cargo.toml")).arg("check").args(checks);
    let answer = asked.output().context("cargo-deny cannot be started")?;
    let told = String::from_utf8_lossy(&answer.stderr);
    if answer.status.success() {
        bail!("the rules let a package pass that breaks them on purpose ({})", folder.display());
    }
    for reason in reasons {
        if !told.contains(reason) {
            bail!("the rules did not say {reason} of {}: {told}", folder.display());
        }
    }
    Ok(())
}
