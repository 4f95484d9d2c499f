//! Where log lines go: stderr, as text or JSON. Standard output belongs to what a command prints.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogConfig;

/// Installs the subscriber; a second call in one process changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // Fails only where a subscriber is installed already, which is then the one to keep.
    let _ = if config.json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
}

/// What an administrative command logs: warnings, unless more was asked for by name.
pub fn quiet(config: &LogConfig) -> LogConfig {
    let filter =
        config.filter.strip_prefix("info,").map_or_else(|| config.filter.clone(), |rest| format!("warn,{rest}"));
    LogConfig { filter, json: config.json }
}
