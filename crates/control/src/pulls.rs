//! Models on their way to backends: asking for one, cancelling it, looking at all of them, and keeping a model on some
//! backends. What is to be done is stored (`queue`, `wish`), so that a restart goes on with it; `runner` does it, `progress`
//! reads how far a backend is, `view` says it. What has ended is remembered in memory only.

mod book;
mod keep;
mod progress;
pub(crate) mod queue;
mod runner;
#[cfg(test)]
mod tests;
mod view;
pub(crate) mod wish;
mod words;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use domain::{
    error::{AdminError, FieldError},
    id::{BackendId, PullId},
    pull::{PullOverview, PullRef, PullView, StartPull},
};
use store::row::BackendRow;
use tokio::sync::Notify;

use self::{
    book::Book,
    queue::{Asked, Queue},
};
use crate::{Actor, Control, by::By, clock::Now, fault, lock::lock, secrets::random, state::State};

/// Pulls that run at once, over all backends; on each backend runs one.
const AT_ONCE: usize = 4;
/// Pulls that may wait.
const MOST_WAITING: usize = 500;

/// What this process has of pulls beside the stored ones.
pub(crate) struct Pulls {
    /// Tells this process from other gateways on the same database.
    own: String,
    /// There may be something to do.
    nudge: Arc<Notify>,
    /// How often was told how everything stands.
    told: AtomicU64,
    book: Mutex<Book>,
}

impl Pulls {
    pub fn new() -> Result<Self, AdminError> {
        let own = random::id::<PullId>()?.into();
        Ok(Self { own, nudge: Arc::default(), told: AtomicU64::new(0), book: Mutex::default() })
    }
}

impl Control {
    /// Every pull, every wish, and where models can be pulled to. Every role may look.
    pub fn pull_overview(&self, _actor: &Actor) -> PullOverview {
        // Counted before anything is looked at: what is told later is then never older.
        let turn = self.0.pulls.told.fetch_add(1, Ordering::SeqCst);
        let (state, now) = (self.state(), Now::read());
        PullOverview {
            source: self.0.pulls.own.clone(),
            turn,
            pulls: self.pull_views(&state, now),
            wishes: self.wish_views(&state, now),
            places: self.pull_places(&state),
        }
    }

    /// Has a model pulled to backends, one after another on each. Those it is on its way to already are left out.
    pub async fn start_pull(&self, actor: &Actor, input: StartPull) -> Result<Vec<PullView>, AdminError> {
        let by = actor.operates("model pull begun")?;
        let model = input.wanted();
        let mut fields: Vec<FieldError> = model.clone().err().into_iter().collect();
        if !input.all && !input.holders && input.ticked().next().is_none() {
            fields.push(FieldError::new("backends", "choose at least one backend"));
        }
        let model = match model {
            Ok(model) if fields.is_empty() => model,
            _ => return Err(AdminError::Invalid { fields }),
        };
        let ids =
            self.queue_pulls(by, &actor.view().name, &model, false, |state| self.pull_backends(state, &input)).await?;
        Ok(self.pull_overview(actor).pulls.into_iter().filter(|pull| ids.contains(&pull.id)).collect())
    }

    /// Asks again for what failed or was cancelled. Ollama goes on with what it has of it.
    pub async fn retry_pull(&self, actor: &Actor, input: PullRef) -> Result<(), AdminError> {
        let by = actor.operates("model pull begun")?;
        let ended = lock(&self.0.pulls.book).ended(&input.id).cloned().ok_or_else(|| fault::not_found("pull"))?;
        let choose = |state: &State| self.check_pullable(state, &ended.backend).map(|()| vec![ended.backend.clone()]);
        self.queue_pulls(by, &actor.view().name, &ended.model, false, choose).await?;
        lock(&self.0.pulls.book).forget(&input.id);
        Ok(())
    }

    /// Ends a pull that waits or runs: its connection is closed, and Ollama keeps what it has for another try.
    pub async fn cancel_pull(&self, actor: &Actor, input: PullRef) -> Result<(), AdminError> {
        let by = actor.operates("model pull cancelled")?;
        let asked = self.mutate(by, |state| {
            let mut queue = Queue::of(state);
            let asked = queue.end(&input.id, "cancelled").ok_or_else(|| {
                let ended = lock(&self.0.pulls.book).ended(&input.id).is_some();
                if ended { fault::conflict("this pull has ended already") } else { fault::not_found("pull") }
            })?;
            Ok((vec![queue.op()?], asked))
        });
        let who = &actor.view().name;
        let asked = asked.await.inspect_err(|error| {
            // A pull may be what fills the disk: it ends, and that is written down as soon as there is room.
            if matches!(error, AdminError::ReadOnly { .. } | AdminError::Internal { .. }) {
                lock(&self.0.pulls.book).cut(&input.id, who);
                self.0.pulls.nudge.notify_one();
            }
        })?;
        lock(&self.0.pulls.book).cancel(&asked, who, Now::read());
        self.0.pulls.nudge.notify_one();
        Ok(())
    }

    /// Forgets the pulls that have ended.
    pub fn clear_ended_pulls(&self, actor: &Actor) -> Result<(), AdminError> {
        actor.operates("ended pulls cleared")?;
        lock(&self.0.pulls.book).clear();
        self.note_done(actor, "ended pulls cleared");
        Ok(())
    }

    /// Puts pulls of a model into the queue, one for each backend that `choose` names. With `kept` the gateway asks for a wish,
    /// and nothing is asked while another such pull is under way.
    async fn queue_pulls(
        &self,
        by: By,
        who: &str,
        model: &str,
        kept: bool,
        choose: impl Fn(&State) -> Result<Vec<BackendId>, AdminError>,
    ) -> Result<Vec<PullId>, AdminError> {
        let ids = self.mutate(by, |state| {
            let (mut queue, mut ids, now) = (Queue::of(state), Vec::new(), Now::read().wall);
            if kept && queue.pulls.iter().any(|asked| asked.kept) {
                return Ok((Vec::new(), ids));
            }
            if queue.pulls.is_empty() {
                // Whoever is asked first makes them.
                (queue.driver, queue.driven_at) = (self.0.pulls.own.clone(), now);
            }
            for backend in choose(state)? {
                if queue.pulls.iter().any(|asked| asked.is_of(model, &backend)) {
                    continue;
                }
                let id: PullId = random::id()?;
                ids.push(id.clone());
                queue.pulls.push(Asked {
                    id,
                    model: model.to_owned(),
                    backend_name: state.backend(&backend)?.name.clone(),
                    backend,
                    by: who.to_owned(),
                    asked_at: now,
                    kept,
                });
            }
            if ids.is_empty() {
                return Err(fault::conflict(format!("{model} is on its way there already")));
            }
            if queue.pulls.len() > MOST_WAITING {
                let message = format!("at most {MOST_WAITING} pulls may wait: let some end, or cancel some");
                return Err(fault::conflict(message));
            }
            queue.ended.clear();
            Ok((vec![queue.op()?], ids))
        });
        let ids = ids.await?;
        self.0.pulls.nudge.notify_one();
        Ok(ids)
    }

    /// The backends that are meant, by name.
    fn pull_backends(&self, state: &State, input: &StartPull) -> Result<Vec<BackendId>, AdminError> {
        let mut rows: Vec<_> = state.rows.backends.iter().collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        if input.all {
            let fit = self.pullable(state, rows.iter().map(|row| &row.id));
            let none = || AdminError::invalid("all", "there is no enabled backend that pulls models");
            return if fit.is_empty() { Err(none()) } else { Ok(fit) };
        }
        let ticked: Vec<&str> = input.ticked().collect();
        if ticked.iter().any(|id| rows.iter().all(|row| row.id.as_str() != *id)) {
            return Err(fault::not_found("backend"));
        }
        let mut holders = Vec::new();
        if input.holders {
            let holds = |id: &BackendId| {
                self.0.gateway.holdings_of(id).is_some_and(|holdings| holdings.find(&input.model).is_some())
            };
            holders = self.pullable(state, rows.iter().map(|row| &row.id).filter(|id| holds(id)));
            if holders.is_empty() {
                return Err(AdminError::invalid(
                    "holders",
                    "no enabled backend that pulls models lists this model now",
                ));
            }
        }
        let is_meant = |row: &&BackendRow| ticked.contains(&row.id.as_str()) || holders.contains(&row.id);
        let chosen = rows.into_iter().filter(is_meant);
        chosen.map(|row| self.check_pullable(state, &row.id).map(|()| row.id.clone())).collect()
    }

    /// Those of them that models can be pulled to.
    fn pullable<'r>(&self, state: &State, ids: impl Iterator<Item = &'r BackendId>) -> Vec<BackendId> {
        ids.filter(|id| self.check_pullable(state, id).is_ok()).cloned().collect()
    }

    /// Refuses a backend that pulls nothing.
    fn check_pullable(&self, state: &State, id: &BackendId) -> Result<(), AdminError> {
        let row = state.backend(id)?;
        let unfit = self.unpullable(row, &self.0.gateway.foreign());
        unfit.map_or(Ok(()), |why| Err(AdminError::invalid("backends", format!("backend {} {why}", row.name))))
    }

    /// Why nothing can be pulled to a backend; it follows its name.
    fn unpullable(&self, row: &BackendRow, foreign: &[BackendId]) -> Option<String> {
        if !row.enabled {
            return Some("is disabled: enable it first".into());
        }
        foreign.contains(&row.id).then(|| "speaks OpenAI's API only, which pulls no models".into())
    }
}
