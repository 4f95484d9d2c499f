//! Commands about pulls of models, and backends and users as commands name them.

use std::collections::BTreeMap;

use domain::{
    error::AdminError,
    id::{BackendId, PullId, UserId},
    models::act::{Boxes, box_of},
    pull::{KeepCopies, PullRef, StartPull},
    upgrade::StartUpgrade,
};

use super::Reply;
use crate::{Actor, Control, fault, name};

impl Control {
    pub(super) async fn pull_called(
        &self,
        actor: &Actor,
        model: String,
        named: &[String],
        all: bool,
        holders: bool,
    ) -> Result<Reply, AdminError> {
        let backends = if named.is_empty() && (all || holders) { Boxes::new() } else { self.pulled_to(named)? };
        Ok(Reply::Pulls(self.start_pull(actor, StartPull { model, backends, all, holders }).await?))
    }

    pub(super) async fn cancel_called(&self, actor: &Actor, id: &str) -> Result<Reply, AdminError> {
        let id = PullId::new(id.trim()).map_err(|_| fault::not_found("pull"))?;
        self.cancel_pull(actor, PullRef { id: id.clone() }).await?;
        let pulls = self.pull_overview(actor).pulls;
        Ok(Reply::Pulls(pulls.into_iter().filter(|pull| pull.id == id).collect()))
    }

    pub(super) async fn keep_called(
        &self,
        actor: &Actor,
        model: String,
        copies: u32,
        named: &[String],
    ) -> Result<Reply, AdminError> {
        let input = KeepCopies { model, copies: copies.to_string(), backends: self.boxes_of(named)? };
        Ok(Reply::Kept(self.keep_copies(actor, input).await?))
    }

    /// A backend by id or name. The id wins: nobody can take its meaning away by naming another backend like it.
    pub(super) fn backend_called(&self, text: &str) -> Result<BackendId, AdminError> {
        let (state, text) = (self.state(), text.trim());
        let rows = &state.rows.backends;
        let by_id = rows.iter().find(|row| row.id.as_str() == text);
        let found = by_id.or_else(|| name::find(rows.iter(), text, |row| &row.name));
        found.map(|row| row.id.clone()).ok_or_else(|| fault::not_found("backend"))
    }

    /// Backends that are named, as a form has them.
    fn boxes_of(&self, named: &[String]) -> Result<Boxes, AdminError> {
        named.iter().map(|text| Ok((box_of(&self.backend_called(text)?), true))).collect()
    }

    /// The backends that a model is pulled to: those that are named, or the only enabled one.
    fn pulled_to(&self, named: &[String]) -> Result<Boxes, AdminError> {
        let state = self.state();
        let enabled: Vec<_> = state.rows.backends.iter().filter(|row| row.enabled).collect();
        match (named, &enabled[..]) {
            ([], [only]) => Ok(Boxes::from([(box_of(&only.id), true)])),
            ([], _) => {
                let message = "name a backend that the model is pulled to, or say --all";
                Err(AdminError::invalid("backends", message))
            }
            (named, _) => self.boxes_of(named),
        }
    }

    /// The backends that take part in an upgrade: those that are named, or all that are enabled.
    pub(super) fn upgraded(&self, named: &[String]) -> Result<BTreeMap<String, bool>, AdminError> {
        let state = self.state();
        let all = state.rows.backends.iter().filter(|row| row.enabled).map(|row| Ok(row.id.clone()));
        let chosen: Vec<Result<BackendId, AdminError>> =
            if named.is_empty() { all.collect() } else { named.iter().map(|text| self.backend_called(text)).collect() };
        chosen.into_iter().map(|id| Ok((StartUpgrade::box_of(&id?), true))).collect()
    }

    /// A user that is not removed, by id or name; the id wins, as a backend's does.
    pub(super) fn user_called(&self, text: &str) -> Result<UserId, AdminError> {
        let (state, text) = (self.state(), text.trim());
        let by_id = state.users().find(|row| row.id.as_str() == text);
        let users: Vec<_> = state.users().collect();
        let found = by_id.or_else(|| name::find(users.into_iter(), text, |row| &row.name));
        found.map(|row| row.id.clone()).ok_or_else(|| fault::not_found("user"))
    }
}
