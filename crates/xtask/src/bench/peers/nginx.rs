//! nginx as a plain reverse proxy.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result};

use super::{Peer, Scene, find, free_address, number};
use crate::{
    bench::process::{Aim, Launch},
    run::command,
};

pub fn peer(scene: &Scene, backend: SocketAddr) -> Result<Peer> {
    let program = find("nginx").context("not there: `sudo apt install nginx`")?;
    let (folder, to) = (scene.folder("nginx")?, free_address()?);
    // Its version goes to standard error.
    let version = command(&program).arg("-v").output()?.stderr;
    let config = folder.join("nginx.conf");
    fs::write(&config, self::config(scene, &folder, to, backend))?;
    let arguments = ["-p".into(), folder.display().to_string(), "-c".into(), config.display().to_string()];
    Ok(Peer {
        name: "nginx",
        version: number(&String::from_utf8_lossy(&version)),
        launch: Launch { program, arguments: arguments.into(), environment: Vec::new(), folder },
        aim: Aim { to, key: None },
    })
}

fn config(scene: &Scene, folder: &Path, to: SocketAddr, backend: SocketAddr) -> String {
    let Scene { cores, streams, open_files, .. } = scene;
    // A worker holds two connections a stream, and one worker may get nearly all of them.
    let connections = streams * 2 + 512;
    let folder = folder.display();
    // Otherwise its workers would be somebody who may not enter the folder.
    let user = if scene.is_root { "user root root;" } else { "" };
    format!(
        "daemon off; {user} pid {folder}/pid; error_log stderr warn;
worker_processes {cores}; worker_rlimit_nofile {open_files};
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream backend {{ server {backend}; keepalive 512; keepalive_timeout 600s; keepalive_requests 1000000000; }}
  server {{
    listen {to} backlog=4096;
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_has_room_for_both_ends_of_every_stream() {
        let scene =
            Scene { folder: Path::new("/nowhere"), streams: 9000, open_files: 20_000, cores: 3, is_root: false };
        let (to, backend) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let config = config(&scene, scene.folder, to, backend);
        for part in ["worker_connections 18512;", "worker_processes 3;", "listen 127.0.0.1:1 ", "server 127.0.0.1:2;"] {
            assert!(config.contains(part), "{part} is not in {config}");
        }
        assert_eq!(config.matches('{').count(), config.matches('}').count());
    }
}
