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
    repository(&elsewhere)?;
    let dependencies = format!(
        "[workspace]\n[dependencies]\nopenssl-sys = {{ path = \"openssl-sys\" }}\nelsewhere = {{ git = \"file://{}\" }}\n",
        elsewhere.display()
    );
    package(&folder, "fixture", &dependencies)?;
    refused(program, &folder, &[], &rules(), &["bans", "sources"], &["error[banned]", "error[source-not-allowed]"])
}

/// A crate with a known fault (RUSTSEC-2026-0258). Needs the registry, as the database of advisories does.
pub fn vulnerable(program: &Path) -> Result<()> {
    let folder = empty("vulnerable")?;
    package(&folder, "fixture", VULNERABLE)?;
    refused(program, &folder, &[], &rules(), &["advisories"], &["error[vulnerability]"])
}

/// The same without a network: a database with this one advisory, and a crate that is one by its name only. So it is shown
/// on every machine that the gate fails, and by the database itself (above) that it fails for what is known.
pub fn vulnerable_here(program: &Path) -> Result<()> {
    let folder = empty("vulnerable-here")?;
    let databases = folder.join("databases");
    let database = databases.join(DATABASE);
    fs::create_dir_all(database.join("crates/h2"))?;
    fs::write(database.join("crates/h2/RUSTSEC-2026-0258.md"), ADVISORY)?;
    repository(&database)?;
    let stand_in = folder.join("vendor/h2");
    package(&stand_in, "h2", "")?;
    let manifest = stand_in.join("Cargo.toml");
    let named = fs::read_to_string(&manifest)?.replace("0.0.0", "0.4.15");
    fs::write(manifest, named)?;
    fs::write(stand_in.join(".cargo-checksum.json"), format!(r#"{{"files":{{}},"package":"{}"}}"#, "0".repeat(64)))?;
    package(&folder, "fixture", VULNERABLE)?;
    fs::create_dir_all(folder.join(".cargo"))?;
    let vendored = "[source.crates-io]\nreplace-with = \"vendor\"\n[source.vendor]\ndirectory = \"vendor\"\n";
    fs::write(folder.join(".cargo/config.toml"), vendored)?;
    let section = format!("[advisories]\ndb-path = {databases:?}\ndb-urls = [\"https://localhost/advisories\"]");
    let text = fs::read_to_string(rules())?.replacen("[advisories]", &section, 1);
    let own = folder.join("deny.toml");
    fs::write(&own, text)?;
    refused(program, &folder, &["--offline"], &own, &["advisories"], &["error[vulnerability]", "RUSTSEC-2026-0258"])
}

const VULNERABLE: &str = "[workspace]\n[dependencies]\nh2 = \"=0.4.15\"\n";
/// What cargo-deny calls its copy of the database at `https://localhost/advisories`.
const DATABASE: &str = "advisories-66f80d22a63e6eac";
const ADVISORY: &str = r#"```toml
[advisory]
id = "RUSTSEC-2026-0258"
package = "h2"
date = "2026-08-17"

[versions]
patched = [">= 0.4.16"]
```

# Stands in for the advisory of this name
"#;

/// The project's own rules.
fn rules() -> PathBuf {
    root().join("deny.toml")
}

/// Makes a git repository of what is in `folder`.
fn repository(folder: &Path) -> Result<()> {
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "--message", "x"],
    ] {
        output(command("git").args(arguments).current_dir(folder))?;
    }
    Ok(())
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

/// The `rules` refuse the package in `folder`, for every one of `reasons`.
fn refused(
    program: &Path,
    folder: &Path,
    options: &[&str],
    rules: &Path,
    checks: &[&str],
    reasons: &[&str],
) -> Result<()> {
    let mut asked = Command::new(program);
    asked.current_dir(folder).args(["--log-level", "error"]).args(options).arg("--config").arg(rules);
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
