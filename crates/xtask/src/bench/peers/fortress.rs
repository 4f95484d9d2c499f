//! Our own binary, set up through its own command line.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;

use super::{Peer, Scene, free_address, number};
use crate::{
    bench::process::{Aim, Launch},
    run::{command, output},
};

/// With everything on: a key, a limit, routing and accounting.
pub fn peer(scene: &Scene, program: PathBuf, backend: SocketAddr) -> Result<Peer> {
    let (folder, to) = (scene.folder("fortress")?, free_address()?);
    let most = (scene.streams + 512).to_string();
    let environment = [
        ("DATA_DIR", folder.join("data").display().to_string()),
        ("PROXY_HOST", to.ip().to_string()),
        ("PROXY_PORT", to.port().to_string()),
        ("LOG_LEVEL", "warn".to_owned()),
        // It refuses more by default; the streams of the memory runs come from few addresses.
        ("MAX_CONNECTIONS", most.clone()),
        ("MAX_CONNECTIONS_PER_IP", most),
    ];
    let launch = Launch {
        program,
        arguments: vec!["serve".to_owned()],
        environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
        folder,
    };
    let ask = |arguments: &[&str]| tell(&launch, arguments);
    ask(&["backend", "add", "--name", "mock", "--url", &format!("http://{backend}")])?;
    ask(&["user", "add", "bench"])?;
    // A limit that counts every request and refuses none.
    let key =
        ask(&["key", "create", "--user", "bench", "--name", "bench", "--requests", "1000000000", "--minutes", "5"])?;
    let version = number(&ask(&["--version"])?);
    Ok(Peer { name: "Fortress", version, aim: Aim { to, key: Some(key.trim().to_owned()) }, launch })
}

/// Runs a command of the program on its own data; gives what it printed.
pub fn tell(launch: &Launch, arguments: &[&str]) -> Result<String> {
    let mut command = command(&launch.program);
    command.current_dir(&launch.folder).env_clear().args(arguments);
    output(command.envs(launch.environment.iter().map(|(name, value)| (name, value))))
}
