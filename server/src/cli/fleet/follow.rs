//! Following a rolling upgrade in the terminal, and running the command that upgrades what is handed over: in this process,
//! never in the server's. Leaving it (Ctrl-C) changes nothing of the upgrade.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::command::{Command, Reply};
use domain::upgrade::{UpgradeEvent, UpgradePhase, UpgradeState, UpgradeStep, UpgradeView};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{SELF, command, show};
use crate::{
    cli::{Failure, output, remote},
    config::Config,
};

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// How often the server is told that a command still runs; after 20 seconds of silence it counts as gone.
const SAY: Duration = Duration::from_secs(5);

/// What has been said so far.
struct Follower<'c> {
    config: &'c Config,
    json: bool,
    run: Option<&'c str>,
    id: String,
    /// Tells this process from others that follow the run.
    owner: String,
    last: Option<UpgradeEvent>,
    /// The last hint, so that each is given once.
    hint: String,
    interrupt: Signal,
}

/// Prints what happens until the upgrade ends or needs an answer.
pub fn follow(config: &Config, view: &UpgradeView, run: Option<&str>, json: bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(async {
        let interrupt = signal(SignalKind::interrupt()).map_err(Failure::new)?;
        let id = view.id.clone();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let owner = format!("{}-{started}", std::process::id());
        Follower { config, json, run, id, owner, last: None, hint: String::new(), interrupt }.run_to_end().await
    })
}

impl Follower<'_> {
    async fn run_to_end(&mut self) -> Result<(), Failure> {
        loop {
            match self.look()? {
                None => self.hint("the server does not answer; the upgrade goes on when it is back"),
                Some(view) => {
                    self.print(&view)?;
                    if self.is_over(&view)? {
                        return Ok(());
                    }
                    self.act(&view).await?;
                }
            }
            self.rest().await?;
        }
    }

    /// Waits for the next look.
    async fn rest(&mut self) -> Result<(), Failure> {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => Ok(()),
            _ = self.interrupt.recv() => Err(Failure::Interrupted(format!(
                "the upgrade goes on without this: `{SELF} follow` shows it again, `{SELF} pause` and `{SELF} stop` hold it"
            ))),
        }
    }

    /// `None` while no server answers.
    fn look(&self) -> Result<Option<UpgradeView>, Failure> {
        match remote::ask_running(self.config, &Command::FleetUpgrade)? {
            Some(Reply::Upgrade(Some(view))) if view.id == self.id => Ok(Some(*view)),
            Some(_) => Err(Failure::new("this upgrade is not there any more: another took its place")),
            None => Ok(None),
        }
    }

    /// What happened since the last look.
    fn print(&mut self, view: &UpgradeView) -> Result<(), Failure> {
        let known = self.last.as_ref().and_then(|last| view.events.iter().rposition(|event| event == last));
        for event in view.events.iter().skip(known.map_or(0, |known| known + 1)) {
            show::event(event, self.json)?;
        }
        self.last = view.events.last().cloned();
        Ok(())
    }

    /// It ended well; the error where it ended otherwise, or waits for an answer.
    fn is_over(&self, view: &UpgradeView) -> Result<bool, Failure> {
        let problem = view.current().and_then(|step| step.problem.as_ref());
        match (view.state, problem) {
            (UpgradeState::Finished, _) => Ok(true),
            (UpgradeState::Stopped, _) => Err(Failure::new("the upgrade was stopped")),
            (UpgradeState::Paused, Some(problem)) => Err(Failure::new(format_args!(
                "{} `{SELF} retry` tries again, `{SELF} rejoin` takes it back as it is, `{SELF} stop` ends the \
                 upgrade; then `{SELF} follow`, with --run where a command upgrades",
                show::ended(problem)
            ))),
            _ => Ok(false),
        }
    }

    async fn act(&mut self, view: &UpgradeView) -> Result<(), Failure> {
        let Some(step) = view.current() else { return Ok(()) };
        if view.state == UpgradeState::Paused {
            self.hint(&format!("paused: `{SELF} continue` goes on"));
            return Ok(());
        }
        match (step.phase, self.run) {
            (UpgradePhase::Waiting, _) if step.waits.is_some() => {
                self.hint(&format!("`{SELF} continue` lets {} begin all the same", step.name));
            }
            (UpgradePhase::HandedOver, None) => self.hint(&format!(
                "upgrade {} now. It goes on by itself when it comes back or runs another version, or by `{SELF} continue`",
                step.name
            )),
            (UpgradePhase::HandedOver, Some(_)) if step.commanded => self.hint(&format!(
                "a command upgrades {} already; should whoever runs it be gone, that is found out within half a minute",
                step.name
            )),
            (UpgradePhase::HandedOver, Some(command)) => self.command(step, command).await?,
            _ => {}
        }
        Ok(())
    }

    /// Runs the command for a backend, where nobody else does, and tells how it ended.
    async fn command(&mut self, step: &UpgradeStep, command: &str) -> Result<(), Failure> {
        let step = match remote::ask_running(self.config, &self.claim(step)) {
            // Its name and address may have been changed since.
            Ok(Some(Reply::Upgrade(Some(view)))) => {
                view.steps.into_iter().find(|other| other.backend == step.backend).unwrap_or_else(|| step.clone())
            }
            // Another look tells why.
            Ok(_) | Err(Failure::Other(_)) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let mut interrupts = 0;
        let code = match command::start(command, &step.name, &step.url, self.json) {
            Err(error) => {
                self.hint(&format!("the command cannot be started: {error}"));
                Some(127)
            }
            Ok(mut child) => loop {
                tokio::select! {
                    status = child.wait() => break status.ok().and_then(|status| status.code()),
                    _ = self.interrupt.recv() => {
                        interrupts += 1;
                        self.interrupted(interrupts, child.id());
                    }
                    () = tokio::time::sleep(SAY) => self.say(&step),
                }
            },
        };
        self.report(&step, code).await?;
        match (interrupts, code) {
            (0, _) => Ok(()),
            (_, Some(0)) => Err(Failure::Interrupted(format!(
                "the command ended well, and the upgrade goes on without this: `{SELF} follow --run …` follows it again"
            ))),
            _ => Err(Failure::Interrupted(format!(
                "the command was interrupted, and the upgrade waits: `{SELF} retry`, then `{SELF} follow --run …`"
            ))),
        }
    }

    /// The first Ctrl-C is the command's own to take; whoever presses it again wants an end.
    fn interrupted(&mut self, times: usize, process: Option<u32>) {
        match process {
            Some(process) if times > 1 => command::kill(process),
            _ => self.hint("waiting until the command has ended; Ctrl-C once more kills it"),
        }
    }

    fn claim(&self, step: &UpgradeStep) -> Command {
        Command::FleetUpgradeClaim { backend: step.backend.clone(), owner: self.owner.clone() }
    }

    /// Tells that the command still runs. What is answered matters when it has ended.
    fn say(&mut self, step: &UpgradeStep) {
        if let Err(Failure::Other(message)) = remote::ask_running(self.config, &self.claim(step)) {
            self.hint(&message);
        }
    }

    /// Tells the server, as soon as there is one.
    async fn report(&mut self, step: &UpgradeStep, code: Option<i32>) -> Result<(), Failure> {
        let ran = Command::FleetUpgradeRan { backend: step.backend.clone(), owner: self.owner.clone(), code };
        loop {
            match remote::ask_running(self.config, &ran) {
                Ok(None) => self.hint("the server does not answer; waiting to tell it how the command ended"),
                Ok(Some(_)) => return Ok(()),
                // Somebody stopped it meanwhile; the next look tells.
                Err(Failure::Other(message)) => {
                    self.hint(&message);
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            }
            self.rest().await?;
        }
    }

    fn hint(&mut self, text: &str) {
        if self.hint != text {
            text.clone_into(&mut self.hint);
            // Whoever reads no hints loses nothing else.
            let _ = output::hint(text);
        }
    }
}
