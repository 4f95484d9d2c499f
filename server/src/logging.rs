//! Where log lines go: stderr, as text or JSON. Standard output belongs to what a command prints.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogConfig;

/// Installs the subscriber; a second call in one process changes nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // Fails only where a subscriber is installed already, which is then the one to keep.
    let _ = if config.json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    panic::set_hook(Box::new(tell));
}

/// A panic is an entry like any other: a collector that reads JSON could not read Rust's own words.
fn tell(panic: &PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    tracing::error!(
        place = panic.location().map(tracing::field::display),
        backtrace = (trace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(&trace)),
        "panicked: {}",
        panic.payload_as_str().unwrap_or("without a message")
    );
}

/// What an administrative command logs: warnings, unless more was asked for by name.
pub fn quiet(config: &LogConfig) -> LogConfig {
    let filter =
        config.filter.strip_prefix("info,").map_or_else(|| config.filter.clone(), |rest| format!("warn,{rest}"));
    LogConfig { filter, json: config.json }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_an_object_on_a_line_of_its_own() {
        let written = Written::default();
        let writer = written.clone();
        let log = fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        let before = panic::take_hook();
        panic::set_hook(Box::new(tell));
        tracing::subscriber::with_default(log, || _ = panic::catch_unwind(|| panic!("\"injected\"\n{}", 7)));
        panic::set_hook(before);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&entry["level"], &entry["message"]), (&"ERROR".into(), &"panicked: \"injected\"\n7".into()));
        assert!(entry["place"].as_str().is_some_and(|place| place.contains("logging.rs")), "{text}");
    }
}
