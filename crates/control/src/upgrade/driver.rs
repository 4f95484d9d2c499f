//! Lets a rolling upgrade happen: looks at the fleet, takes the run further, loads models. Holds nothing that a restart
//! may not forget.

use std::time::Duration;

use domain::{
    error::AdminError,
    id::BackendId,
    upgrade::{UpgradePhase, UpgradeState},
};
use gateway::Loaded;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    by_itself, ops,
    run::{Claim, Run, World},
};
use crate::{Control, by::By, clock::Now, settings};

/// How often the fleet is looked at.
const TICK: Duration = Duration::from_millis(250);
/// A request that was just let in may not be counted yet, so that nothing in flight is believed when it was so this long.
const QUIET: Duration = Duration::from_millis(600);
/// Between two looks at a backend that is away.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// And at the fleet, while a turn waits for it.
const WAIT_EVERY: Duration = Duration::from_secs(2);
/// Transitions that may follow at one moment.
const AT_ONCE: usize = 8;
/// With a shared database: how often a driver says that it drives, and after which silence another takes over.
const SAY_MS: u64 = 10_000;
const LEASE_MS: u64 = 40_000;

/// Whoever runs a command is lost after this long without a word; it says one every few seconds.
pub(crate) const CLAIM: Duration = Duration::from_secs(20);

/// What is looked at for a backend's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// All of the fleet: others have to serve meanwhile.
    Fleet,
    /// The backend itself.
    One,
}

/// A model that is being loaded; the error is for people.
type Loading = AbortOnDropHandle<Result<(), String>>;

/// What the driver has in its hands.
#[derive(Default)]
pub(crate) struct Hands {
    /// The revision at which there was nothing to do.
    settled: Option<u64>,
    /// Since when nothing is in flight at the present backend.
    idle: Option<(BackendId, Instant)>,
    look: Option<(BackendId, Sight, u64, AbortOnDropHandle<()>)>,
    /// The last look that is over: when it began on the wall clock, and when it ended.
    looked: Option<(BackendId, Sight, u64, Instant)>,
    loading: Option<(BackendId, String, Loading)>,
    /// Who runs a command for the present backend, and since when this process has heard no other word of it.
    claim: Option<(BackendId, Option<Claim>, Instant)>,
    /// The last write failed, which was said.
    failing: bool,
}

impl Control {
    /// Drives rolling upgrades until `stop`.
    pub async fn run_upgrades(&self, stop: CancellationToken) {
        let mut hands = Hands::default();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.0.upgrades.nudge.notified() => {}
            }
            for _ in 0..AT_ONCE {
                match self.tend_upgrade(&mut hands, Now::read()).await {
                    Ok(true) => hands.failing = false,
                    Ok(false) => break,
                    Err(error) => {
                        if !std::mem::replace(&mut hands.failing, true) {
                            tracing::warn!(%error, "the rolling upgrade cannot be written down; trying again");
                        }
                        break;
                    }
                }
            }
        }
    }

    /// One look at the run and the fleet; says whether anything was written.
    pub(crate) async fn tend_upgrade(&self, hands: &mut Hands, now: Now) -> Result<bool, AdminError> {
        let state = self.state();
        let revision = state.rows.revision;
        if hands.settled == Some(revision) {
            return Ok(false);
        }
        let Some(run) = Run::of(&state).filter(|run| run.view.state == UpgradeState::Running) else {
            *hands = Hands { settled: Some(revision), ..Hands::default() };
            return Ok(false);
        };
        let remote = self.0.store.is_remote();
        let mine = run.driver == self.0.upgrades.own;
        if remote && !mine && now.wall.saturating_sub(run.driven_at) < LEASE_MS {
            return Ok(false);
        }
        let (backends, foreign) = (self.known_backends(&state), self.0.gateway.foreign());
        let mut world = World { now: now.wall, backends, foreign, ..World::default() };
        if let Some(done) = self.handle(hands, &run, &mut world, now).await {
            let (backend, model, done) = done;
            self.write_upgrade(By::nobody("fleet upgrade watched"), |run| {
                run.warmed(now.wall, backend.as_str(), &model, &done);
                Vec::new()
            })
            .await?;
            return Ok(true);
        }
        let mut next = run.clone();
        let acts = next.advance(&world);
        let due = remote && (!mine || now.wall.saturating_sub(run.driven_at) >= SAY_MS);
        if next == run && !due {
            return Ok(false);
        }
        self.write_upgrade(by_itself(&acts), |run| run.advance(&world)).await?;
        Ok(true)
    }

    /// Sees to what is in hand for the present backend: counts its quiet time, looks at it, loads its models. Answers a model
    /// that is done.
    async fn handle(
        &self,
        hands: &mut Hands,
        run: &Run,
        world: &mut World,
        now: Now,
    ) -> Option<(BackendId, String, Result<(), String>)> {
        let step = run.view.current()?;
        let id = &step.backend;
        let view = world.backend(step)?;
        match (step.phase, view.in_flight) {
            (UpgradePhase::Draining, 0) => {
                let since = hands.idle.take().filter(|(other, _)| other == id).map_or(now.instant, |(_, since)| since);
                world.idle = now.instant.duration_since(since) >= QUIET;
                hands.idle = Some((id.clone(), since));
            }
            _ => hands.idle = None,
        }
        if step.phase == UpgradePhase::HandedOver && step.commanded {
            let same = |(other, claim, _): &(BackendId, Option<Claim>, Instant)| other == id && *claim == run.claim;
            let since = hands.claim.take().filter(same).map_or(now.instant, |(.., since)| since);
            world.lost = now.instant.duration_since(since) >= CLAIM;
            hands.claim = Some((id.clone(), run.claim.clone(), since));
        } else {
            hands.claim = None;
        }
        let looks = [UpgradePhase::Waiting, UpgradePhase::HandedOver, UpgradePhase::Verifying];
        if looks.contains(&step.phase) {
            let pace = if step.waits.is_some() { WAIT_EVERY } else { LOOK_EVERY };
            let sight = if step.phase == UpgradePhase::Waiting { Sight::Fleet } else { Sight::One };
            let fresh = self.look_again(hands, id, sight, step.since, pace, now);
            world.unseen = step.phase == UpgradePhase::Waiting && !fresh;
            world.looked = hands.looked.as_ref().filter(|(other, ..)| other == id).map(|(_, _, began, _)| *began);
            // What that look has found is not in the status taken before it.
            world.backends = self.known_backends(&self.state());
            (world.foreign, world.unsure) = (self.0.gateway.foreign(), self.0.gateway.unsure());
            world.loaded = self.0.gateway.loaded(id);
        } else {
            hands.look = None;
        }
        if step.phase != UpgradePhase::Warming {
            hands.loading = None;
            return None;
        }
        self.load_next(hands, run, id, step.cold.first()?).await
    }

    /// Takes a look that is over, and begins the next when it is time or something has changed since. Says whether the last
    /// one is of now.
    fn look_again(
        &self,
        hands: &mut Hands,
        id: &BackendId,
        sight: Sight,
        since: u64,
        pace: Duration,
        now: Now,
    ) -> bool {
        match &hands.look {
            Some((other, seen, began, task)) if (other, *seen) == (id, sight) && task.is_finished() => {
                hands.looked = Some((id.clone(), sight, *began, now.instant));
                hands.look = None;
            }
            Some((other, seen, ..)) if (other, *seen) == (id, sight) => return false,
            _ => {}
        }
        let age = hands.looked.as_ref().and_then(|(other, seen, began, ended)| {
            let same = other == id && *seen == sight && *began >= since;
            same.then(|| now.instant.duration_since(*ended))
        });
        if age.is_none_or(|age| age >= pace) {
            let (gateway, wanted) = (self.0.gateway.clone(), (sight == Sight::One).then(|| id.clone()));
            let task = tokio::spawn(async move { gateway.refresh(wanted).await });
            hands.look = Some((id.clone(), sight, now.wall, AbortOnDropHandle::new(task)));
        }
        age.is_some_and(|age| age < LOOK_EVERY)
    }

    async fn load_next(
        &self,
        hands: &mut Hands,
        run: &Run,
        id: &BackendId,
        model: &str,
    ) -> Option<(BackendId, String, Result<(), String>)> {
        match &mut hands.loading {
            Some((other, loading, task)) if other == id && loading == model => {
                if !task.is_finished() {
                    return None;
                }
                let done = task.await.unwrap_or_else(|_| Err("it was cut off".into()));
                hands.loading = None;
                Some((id.clone(), model.to_owned(), done))
            }
            _ => {
                let warm =
                    run.before.get(id.as_str()).and_then(|before| before.warm.iter().find(|(name, _)| name == model));
                let keep_alive_s = warm.map_or(0, |(_, seconds)| *seconds);
                let wanted = Loaded { model: model.to_owned(), keep_alive_s };
                let settings = settings::view(&self.state(), &self.0.environment);
                let patience = Duration::from_secs(u64::from(settings.first_byte_timeout_s.value));
                let (gateway, backend) = (self.0.gateway.clone(), id.clone());
                let task = tokio::spawn(async move {
                    let done = gateway.load_model(&backend, &wanted, patience).await;
                    // So that requests find it warm at once.
                    gateway.refresh(Some(backend)).await;
                    done
                });
                hands.loading = Some((id.clone(), model.to_owned(), AbortOnDropHandle::new(task)));
                None
            }
        }
    }

    async fn write_upgrade(
        &self,
        by: By,
        mut change: impl FnMut(&mut Run) -> Vec<super::run::Act>,
    ) -> Result<(), AdminError> {
        let now = Now::read().wall;
        self.mutate(by, |state| {
            // Somebody may have ended or paused it in this very moment.
            let Some(mut run) = Run::of(state).filter(|run| run.view.state == UpgradeState::Running) else {
                return Ok((Vec::new(), ()));
            };
            let acts = change(&mut run);
            (run.driver, run.driven_at) = (self.0.upgrades.own.clone(), now);
            Ok((ops(state, &run, acts)?, ()))
        })
        .await
    }
}
