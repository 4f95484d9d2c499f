//! Administrators who ask models themselves, from the Playground page: who may, and what usage calls them. Each has the id of
//! the account as key and user; no key and no user has it, because all ids are drawn from the same 71 bits.

use std::collections::BTreeSet;

use domain::{
    auto::NAME,
    error::AdminError,
    id::{KeyId, UserId},
    playground::PlaygroundFacts,
};
use gateway::Insider;
use store::row::AdminRow;

use crate::{Actor, Control, auto, fault, models::words::nothing};

impl Control {
    /// What there is to ask now. Every role may know.
    pub fn playground(&self, actor: &Actor) -> PlaygroundFacts {
        let enabled = self.0.gateway.live().backends.into_iter().filter(|backend| backend.enabled);
        let state = self.state();
        let mut names: BTreeSet<String> = state.rows.aliases.iter().map(|row| row.name.clone()).collect();
        names.extend(auto::is_on(&state).then(|| NAME.to_owned()));
        let mut any = false;
        let models: BTreeSet<String> = enabled.inspect(|_| any = true).flat_map(|backend| backend.models).collect();
        PlaygroundFacts {
            next: if models.is_empty() { nothing(any).to_owned() } else { String::new() },
            models: models.into_iter().collect(),
            who: actor.view().id.to_string(),
            aliases: names.into_iter().collect(),
            largest_body: self.0.gateway.snapshot().settings.max_body as u64,
        }
    }

    /// Whom the gateway answers for this actor, until [`gateway::Gateway::end_insider`]. It takes the time of the fleet, so
    /// viewers may not.
    pub fn insider(&self, actor: &Actor) -> Result<Insider, AdminError> {
        actor.operates("playground used")?;
        let id = actor.view().id.as_str();
        let malformed = |error| fault::internal("an id was malformed", &error);
        Ok(Insider::new(KeyId::new(id).map_err(malformed)?, UserId::new(id).map_err(malformed)?))
    }
}

/// What usage and the log call an administrator who asks from there.
pub(crate) fn name_of(admin: &AdminRow) -> String {
    format!("Playground ({})", admin.name)
}
