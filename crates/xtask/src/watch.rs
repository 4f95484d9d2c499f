//! The loop for people who change pages: rebuild, restart, reload. It looks at modification times twice a second, which
//! needs no library and works on every file system.

use std::{
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, SystemTime},
};

use anyhow::Result;

use crate::{
    run::{command, root},
    serve::{self, Profile},
};

/// Set while watching; the assets then carry the reload script.
pub const WATCHING: &str = "FORTRESS_WATCH";

/// Asks for the page's own document once a second and reloads when it names other files, or when the server was away in
/// between.
pub const RELOAD_JS: &str = r#"let seen = null, lost = false;
setInterval(async () => {
  try {
    const text = await (await fetch(location.href, { cache: "no-store" })).text();
    const now = (text.match(/\/pkg\/[\w.-]+/g) || []).join();
    if ((seen !== null && seen !== now) || lost) location.reload();
    seen = now;
  } catch { lost = true; }
}, 1000);
"#;

const WATCHED: [&str; 7] = ["app", "crates", "frontend", "public", "server/src", "style", "Cargo.toml"];

pub fn watch() -> Result<()> {
    let mut newest = newest_change();
    loop {
        let mut server = rebuild();
        while newest_change() == newest {
            thread::sleep(Duration::from_millis(500));
        }
        // Editors write in bursts: go on only when nothing changed for a moment.
        loop {
            newest = newest_change();
            thread::sleep(Duration::from_millis(300));
            if newest_change() == newest {
                break;
            }
        }
        if let Some(server) = &mut server {
            stop(server);
        }
    }
}

/// Builds with this very program, so that the environment variable holds for the asset step, and starts the server.
fn rebuild() -> Option<Child> {
    let built = std::env::current_exe().ok().map(|xtask| {
        command(xtask).args(["build", "--dev"]).env(WATCHING, "1").status().is_ok_and(|status| status.success())
    });
    if built != Some(true) {
        eprintln!("==> the build failed; waiting for the next change");
        return None;
    }
    let binary = serve::binary(Profile::Dev);
    command(binary).arg("serve").spawn().map_err(|error| eprintln!("==> cannot start the server: {error}")).ok()
}

/// SIGTERM, so that the store is closed in order.
fn stop(server: &mut Child) {
    let asked = command("kill").arg(server.id().to_string()).status().is_ok_and(|status| status.success());
    if !asked {
        let _ = server.kill();
    }
    let _ = server.wait();
}

fn newest_change() -> SystemTime {
    WATCHED.iter().map(|path| newest_under(&root().join(path))).max().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn newest_under(path: &Path) -> SystemTime {
    let own = fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let Ok(entries) = fs::read_dir(path) else { return own };
    entries.flatten().map(|entry| newest_under(&entry.path())).max().map_or(own, |newest| newest.max(own))
}
