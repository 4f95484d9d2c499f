//! Keeping a model on some backends: saying so, seeing how it stands, and beginning the pull that is missing. The rule is
//! `wish`'s.

use domain::{
    error::AdminError,
    id::BackendId,
    pull::{KeepCopies, WishView},
};

use super::{
    queue::{Queue, same},
    wish::{self, Fleet, Wish, wishes},
};
use crate::{Actor, Control, audit, by::By, clock::Now, fault, lock::lock, state::State};

/// Models that may be kept.
const MOST: usize = 500;

impl Control {
    /// Wishes that a model is on so many backends, or no longer. Nothing is removed from any backend.
    pub async fn keep_copies(&self, actor: &Actor, input: KeepCopies) -> Result<Vec<WishView>, AdminError> {
        let by = actor.operates("model kept available")?;
        let (model, copies) = input.wanted().map_err(|fields| AdminError::Invalid { fields })?;
        self.mutate(by, |state| {
            let backends = input.ticked().map(|id| {
                let id = BackendId::new(id).map_err(|_| fault::not_found("backend"))?;
                state.backend(&id).map(|row| row.id.clone())
            });
            let backends = backends.collect::<Result<Vec<_>, _>>()?;
            let (before, mut all) = (wishes(state), wishes(state));
            all.retain(|wish| !same(&wish.model, &model));
            if copies > 0 {
                all.push(Wish { model: model.clone(), copies, backends });
            } else if all.len() == before.len() {
                return Err(AdminError::invalid("model", "this model is not kept anywhere"));
            }
            if all.len() > MOST {
                return Err(fault::conflict(format!("at most {MOST} models can be kept")));
            }
            all.sort_by(|one, other| one.model.cmp(&other.model));
            let changed = all != before;
            Ok((if changed { vec![wish::op(&all)?] } else { Vec::new() }, ()))
        })
        .await?;
        // Somebody looks after it just now, so that it is tried at once.
        lock(&self.0.pulls.book).pauses.forget(&model, None);
        self.0.pulls.nudge.notify_one();
        Ok(self.wish_views(&self.state(), Now::read()))
    }

    /// How each wish stands.
    pub(super) fn wish_views(&self, state: &State, now: Now) -> Vec<WishView> {
        let all = wishes(state);
        if all.is_empty() {
            return Vec::new();
        }
        let name = |id: &BackendId| state.backend(id).ok().map(|row| row.name.clone());
        self.with_fleet(state, &Queue::of(state), now, |fleet| {
            let views = all.into_iter().map(|wish| {
                let judged = fleet.judge(&wish);
                WishView {
                    only: wish.backends.iter().filter_map(name).collect(),
                    model: wish.model,
                    copies: wish.copies,
                    backends: wish.backends,
                    on: judged.on,
                    coming: judged.coming,
                    short: judged.short,
                }
            });
            views.collect()
        })
    }

    fn with_fleet<T>(&self, state: &State, queue: &Queue, now: Now, judge: impl FnOnce(&Fleet<'_>) -> T) -> T {
        let (backends, foreign) = (self.known_backends(state), self.0.gateway.foreign());
        let book = lock(&self.0.pulls.book);
        judge(&Fleet::new(&backends, &foreign, &queue.pulls, &book.pauses, now.instant))
    }

    /// Begins the next pull that a wish wants, one at a time; says whether it did.
    pub(super) async fn begin_wished(&self, state: &State, queue: &Queue, now: Now) -> Result<bool, AdminError> {
        let all = wishes(state);
        if all.is_empty() || queue.pulls.iter().any(|asked| asked.kept) {
            return Ok(false);
        }
        let next = self.with_fleet(state, queue, now, |fleet| {
            all.into_iter().find_map(|wish| fleet.judge(&wish).next.map(|backend| (wish, backend)))
        });
        let Some((wish, backend)) = next else { return Ok(false) };
        let choose = |state: &State| {
            // It may have been changed in this very moment.
            let is_wished = wishes(state).contains(&wish);
            is_wished.then(|| vec![backend.clone()]).ok_or_else(|| fault::conflict("it is not wished any more"))
        };
        let asked = self.queue_pulls(By::gateway("model pull begun"), audit::GATEWAY, &wish.model, true, choose).await;
        match asked {
            Ok(asked) => Ok(!asked.is_empty()),
            // Another look finds what is so now.
            Err(AdminError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
