//! HAProxy as a plain reverse proxy.

use std::{fs, net::SocketAddr};

use anyhow::{Context, Result};

use super::{Peer, Scene, find, free_address, number};
use crate::{
    bench::process::{Aim, Launch},
    run::{command, output},
};

pub fn peer(scene: &Scene, backend: SocketAddr) -> Result<Peer> {
    let program = find("haproxy").context("not there: `sudo apt install haproxy`")?;
    let (folder, to) = (scene.folder("haproxy")?, free_address()?);
    let config = folder.join("haproxy.cfg");
    fs::write(&config, self::config(scene, to, backend))?;
    Ok(Peer {
        name: "HAProxy",
        version: number(&output(command(&program).arg("-v"))?),
        launch: Launch {
            program,
            arguments: vec!["-db".into(), "-f".into(), config.display().to_string()],
            environment: Vec::new(),
            folder,
        },
        aim: Aim { to, key: None },
    })
}

fn config(scene: &Scene, to: SocketAddr, backend: SocketAddr) -> String {
    let (cores, connections) = (scene.cores, scene.streams + 32);
    format!(
        "global
  nbthread {cores}
  maxconn {connections}
defaults
  mode http
  option http-keep-alive
  option http-no-delay
  http-reuse always
  timeout connect 3s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
listen proxy
  bind {to} backlog 4096
  server backend {backend}
"
    )
}
