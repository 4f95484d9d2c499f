//! A rolling upgrade in print: what happens, line by line, and how far each backend is.

use std::io::{self, Write};

use domain::upgrade::{UpgradeEvent, UpgradeState, UpgradeStep, UpgradeView};

use crate::cli::{
    Failure,
    output::{clean, print_rows},
};

/// One line for what happened; with `json` one object a line.
pub fn event(event: &UpgradeEvent, json: bool) -> Result<(), Failure> {
    let line = if json {
        serde_json::to_string(event).map_err(Failure::new)?
    } else {
        let backend = event.backend.as_ref().map(|name| format!("{}: ", clean(name))).unwrap_or_default();
        format!("{}  {backend}{}", clock(event.at), clean(&event.text))
    };
    let mut out = io::stdout().lock();
    told(writeln!(out, "{line}").and_then(|()| out.flush()))
}

/// How far it is.
pub fn status(view: Option<&UpgradeView>, json: bool) -> Result<(), Failure> {
    if !json {
        let headline = view.map_or_else(|| "There was no rolling upgrade yet.".to_owned(), headline);
        told(writeln!(io::stdout().lock(), "{headline}"))?;
    }
    let head = ["BACKEND", "STEP", "BEFORE", "NOW", "WHAT ELSE"];
    match view {
        None if json => told(print_rows::<UpgradeView>(&[], true, &head, |_| Vec::new())),
        None => Ok(()),
        Some(view) if json => told(print_rows(std::slice::from_ref(view), true, &head, |_| Vec::new())),
        Some(view) => told(print_rows(&view.steps, false, &head, cells)),
    }
}

fn headline(view: &UpgradeView) -> String {
    let state = match view.state {
        UpgradeState::Running => "under way",
        UpgradeState::Paused => "paused",
        UpgradeState::Stopped => "stopped",
        UpgradeState::Finished => "finished",
    };
    let to = view.version.as_ref().map(|version| format!(" to {version}")).unwrap_or_default();
    let change = if view.is_open() { format!(" Change {}.", view.change) } else { String::new() };
    format!("Rolling upgrade{to}, {state}: {}.{change}", view.progress())
}

fn cells(step: &UpgradeStep) -> Vec<String> {
    let version = |version: &Option<String>| version.as_deref().map_or_else(|| "-".to_owned(), clean);
    let open = step.problem.iter().chain(&step.waits).cloned();
    let told: Vec<String> = open.chain(step.notes.iter().cloned()).collect();
    let (before, after) = (version(&step.before), version(&step.after));
    vec![clean(&step.name), step.phase.words().to_lowercase(), before, after, clean(&told.join("; "))]
}

/// Text with a mark at its end.
pub fn ended(text: &str) -> String {
    let mark = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{text}{mark}")
}

/// Hours, minutes and seconds of UTC.
fn clock(at: u64) -> String {
    let seconds = at / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn told(printed: io::Result<()>) -> Result<(), Failure> {
    printed.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderWentAway,
        _ => Failure::new(format_args!("cannot print: {error}")),
    })
}
