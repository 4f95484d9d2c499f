//! Building and starting the program.

use std::{os::unix::process::CommandExt, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    assets,
    run::{cargo, command, run, step, target},
    sbom,
};

/// How the binary is built.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Profile {
    Dev,
    Release,
    Dist,
}

impl Profile {
    /// As cargo calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

pub fn profile(dev: bool) -> Profile {
    if dev { Profile::Dev } else { Profile::Release }
}

/// Assets, then the binary that embeds them. Returns the binary's path.
pub fn build(profile: Profile) -> Result<PathBuf> {
    assets::build()?;
    let name = profile.name();
    step(&format!("binary ({name})"), || {
        run(cargo().args(["build", "--locked", "--package", "server", "--profile", name]))
    })?;
    Ok(binary(profile))
}

/// Where cargo puts the binary.
pub fn binary(profile: Profile) -> PathBuf {
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
        Profile::Dist => "dist",
    };
    target().join(folder).join("ollama-fortress")
}

/// Builds and becomes the server, so that signals reach it directly.
pub fn serve(profile: Profile, args: &[String]) -> Result<()> {
    let binary = build(profile)?;
    eprintln!("==> {} serve", binary.display());
    let caller = std::env::current_dir().context("current folder")?;
    let error = command(&binary).current_dir(caller).arg("serve").args(args).exec();
    Err(error).with_context(|| binary.display().to_string())
}

pub fn dist() -> Result<()> {
    let binary = build(Profile::Dist)?;
    eprintln!("one file to carry: {}", binary.display());
    sbom::write(&binary.with_extension("cdx.json"))
}
