//! What is measured: nginx, HAProxy and Envoy as plain reverse proxies, and our binary with everything on. How each is
//! found, set up and started; a peer that is not there is named with what brings it.

mod envoy;
pub mod fortress;
mod haproxy;
mod nginx;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::process::{Aim, Launch};
use crate::run::{command, on_path, output, run};

/// One row's worth of program.
pub struct Peer {
    pub name: &'static str,
    pub version: String,
    pub launch: Launch,
    pub aim: Aim,
}

impl Peer {
    /// Only ours asks for a key.
    pub fn is_ours(&self) -> bool {
        self.aim.key.is_some()
    }
}

/// What the configurations need to know.
pub struct Scene<'a> {
    /// A folder of its own for each.
    pub folder: &'a Path,
    /// Most streams that will be open.
    pub streams: u64,
    pub open_files: u64,
    pub cores: usize,
    pub is_root: bool,
}

impl Scene<'_> {
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// The peers, each with its backend's address; in place of one that is not there, its name and what would bring it.
pub fn all(scene: &Scene, backends: [SocketAddr; 3]) -> Result<Vec<Result<Peer, (&'static str, String)>>> {
    let missing = install();
    let [first, second, third] = backends;
    let made = |name, found: Result<Peer>| found.map_err(|error| (name, format!("{error:#}{missing}")));
    Ok(vec![
        made("nginx", nginx::peer(scene, first)),
        made("HAProxy", haproxy::peer(scene, second)),
        made("Envoy", envoy::peer(scene, third)),
    ])
}

/// Installs what is missing where that starts no service: as root, where systemd does not run. Otherwise it says why not.
fn install() -> &'static str {
    let missing: Vec<&str> = ["nginx", "haproxy"].into_iter().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return "";
    }
    if Path::new("/run/systemd/system").exists() || on_path("apt-get").is_none() || !is_root() {
        return " (not installed from here: its package would start a service)";
    }
    let mut apt = command("apt-get");
    // With this run level the packages do not start what they install.
    apt.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive");
    let updated = run(command("apt-get").args(["update", "-q"]));
    match updated.and_then(|()| run(apt.args(["install", "-q", "-y", "--no-install-recommends"]).args(missing))) {
        Ok(()) => "",
        Err(_) => " (apt-get could not install it)",
    }
}

pub fn is_root() -> bool {
    output(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Servers live where the PATH of people does not look.
fn find(program: &str) -> Option<PathBuf> {
    on_path(program).or_else(|| Some(Path::new("/usr/sbin").join(program)).filter(|path| path.is_file()))
}

/// An address that was free a moment ago: these programs do not tell which port they took.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The first thing in `text` that begins with a digit and has a dot.
fn number(text: &str) -> String {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || ".+-".contains(letter)));
    let found =
        words.filter(|word| word.starts_with(|letter: char| letter.is_ascii_digit())).find(|word| word.contains('.'));
    found.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(number("nginx version: nginx/1.22.1\n"), "1.22.1");
        assert_eq!(number("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/"), "2.6.12-1+deb12u4");
        assert_eq!(number("ollama-fortress 0.1.0"), "0.1.0");
        assert_eq!(number("nothing"), "unknown");
    }
}
