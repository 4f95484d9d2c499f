//! Ollama Proxy Fortress, the binary: command line, configuration, and the composition of data plane, control plane and
//! admin app. Nothing here decides anything about requests, keys or pages; it plugs together what does.

mod accept;
mod admin_plane;
mod application;
mod assets;
mod audit_export;
mod cli;
mod config;
mod edge;
mod export;
mod first_line;
mod live;
mod log_export;
mod log_live;
mod logging;
mod logo;
mod metrics;
mod middleware;
mod playground;
mod proxies;
mod pulls_live;
mod reply;
mod shutdown;
mod supervisor;
mod systemd;
mod tasks;
mod tls;
mod undumpable;
mod usage_export;

use std::process::ExitCode;

fn main() -> ExitCode {
    undumpable::become_so();
    cli::run()
}
