//! Administrators who ask models themselves, through the Playground's routes: who may, and what usage calls them. Each has
//! the id of the account as key and user; no key and no user has it, because all ids are drawn from the same 71 bits.

use domain::{
    error::AdminError,
    id::{KeyId, UserId},
};
use gateway::Insider;
use store::row::AdminRow;

use crate::{Actor, Control, fault};

impl Control {
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
