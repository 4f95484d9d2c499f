//! Loading, letting go of, copying and deleting a model on chosen backends. All of them are asked at once; what one makes
//! of it does not hide the others. The audit log has each order before it is sent and again with what came of it, also where
//! nobody waits any more.

use domain::{
    audit::{AuditChange, AuditField},
    error::AdminError,
    id::BackendId,
    models::act::{Acted, Boxes, CopyModel, DeleteModel, Keep, KeepModel, Outcome, ticked},
};
use futures_util::future::join_all;
use gateway::{
    holdings::new_name,
    upkeep::{Done, Work},
};

use super::words;
use crate::{Actor, Control, by::By, clock::Now, fault};

/// Longest name that is looked for.
const MAX_NAME: usize = 512;

/// What is sent, and to whom.
struct Order {
    model: String,
    work: Work,
    backends: Vec<(BackendId, String)>,
}

impl Control {
    /// Has backends load a model, keep it, or let go of it.
    pub async fn keep_model(&self, actor: &Actor, input: KeepModel) -> Result<Acted, AdminError> {
        let by = actor.operates("load or unload of a model sent")?;
        let work = match input.act {
            Keep::Load => Work::Load,
            Keep::Pin => Work::Pin,
            Keep::Unload => Work::Unload,
        };
        let order = self.order(&input.model, work, &input.backends, input.everywhere)?;
        self.send(by, order).await
    }

    /// Has backends give a model a further name.
    pub async fn copy_model(&self, actor: &Actor, input: CopyModel) -> Result<Acted, AdminError> {
        let by = actor.operates("copy of a model sent")?;
        let to = new_name(&input.destination).ok_or_else(|| {
            AdminError::invalid("destination", "must be a model name such as mine:latest, without :cloud or :local")
        })?;
        let order = self.order(&input.model, Work::Copy(to), &input.backends, input.everywhere)?;
        self.send(by, order).await
    }

    /// Has backends delete a model. Its name has to be given twice.
    pub async fn delete_model(&self, actor: &Actor, input: DeleteModel) -> Result<Acted, AdminError> {
        let by = actor.operates("deletion of a model sent")?;
        if input.retyped.trim() != input.model.trim() {
            let message = format!("type the name of the model as it stands here: {}", input.model.trim());
            return Err(AdminError::invalid("retyped", message));
        }
        let order = self.order(&input.model, Work::Delete, &input.backends, input.everywhere)?;
        self.send(by, order).await
    }

    fn order(&self, model: &str, work: Work, boxes: &Boxes, everywhere: bool) -> Result<Order, AdminError> {
        // What changes a backend for good must be in the log; letting a full disk's gateway load models does no harm.
        if matches!(work, Work::Copy(_) | Work::Delete)
            && let Some(why) = self.0.store.read_only()
        {
            return Err(fault::read_only(&why));
        }
        let model = model.trim();
        if model.is_empty() || model.len() > MAX_NAME {
            return Err(fault::not_found("model"));
        }
        let fleet = self.0.gateway.holdings();
        let chosen: Vec<&str> = ticked(boxes).collect();
        if chosen.iter().any(|id| !fleet.iter().any(|one| one.id.as_str() == *id)) {
            return Err(fault::not_found("backend"));
        }
        let is_meant = |one: &&gateway::holdings::Holdings| {
            chosen.contains(&one.id.as_str()) || everywhere && one.find(model).is_some()
        };
        let backends: Vec<_> = fleet.iter().filter(is_meant).map(|one| (one.id.clone(), one.name.clone())).collect();
        match (backends.is_empty(), everywhere) {
            (true, true) => Err(fault::not_found("model")),
            (true, false) => Err(AdminError::invalid("backends", "choose at least one backend")),
            _ => Ok(Order { model: model.to_owned(), work, backends }),
        }
    }

    async fn send(&self, by: By, order: Order) -> Result<Acted, AdminError> {
        let control = self.clone();
        // A task of its own: a backend that has begun is not told to stop because a browser went away.
        let sent = tokio::spawn(async move {
            let Order { model, work, backends } = &order;
            let gateway = &control.0.gateway;
            let ordered = backends.iter().map(|(id, name)| change(id, name, model, field("asked for", asked(work))));
            control.note_changes(&by, ordered.collect()).await?;
            let asked = backends.iter().map(|(id, _)| gateway.tend(id, model, work));
            let answers = join_all(asked).await;
            let now = i64::try_from(Now::read().wall / 1_000).unwrap_or(i64::MAX);
            let outcomes: Vec<Outcome> = backends
                .iter()
                .zip(answers)
                .map(|((_, name), answer)| Outcome {
                    backend: name.clone(),
                    ok: answer.is_ok(),
                    text: answer.map_or_else(|fault| fault, |done| said(work, done, now)),
                })
                .collect();
            let changes = backends.iter().zip(&outcomes).map(|((id, name), outcome)| {
                let came = if outcome.ok { outcome.text.clone() } else { format!("failed: {}", outcome.text) };
                change(id, name, model, field("came of it", came))
            });
            control.note_changes(&by, changes.collect()).await?;
            Ok(Acted { model: model.clone(), outcomes })
        });
        sent.await.map_err(|error| fault::internal("an order to backends was cut off", &error))?
    }
}

/// What a backend did.
fn said(work: &Work, done: Done, now: i64) -> String {
    let text = match work {
        Work::Load => "loaded".to_owned(),
        Work::Pin => "loaded to stay".to_owned(),
        Work::Unload if done.in_memory.is_some() => {
            return "it lets go of it once the requests that run there have ended".to_owned();
        }
        Work::Unload => "unloaded".to_owned(),
        Work::Copy(to) => format!("copied to {}", to.display()),
        Work::Delete => "deleted".to_owned(),
    };
    match done.in_memory {
        _ if done.unseen => format!("{text}, as it says; its lists could not be read afterwards"),
        Some(loaded) if matches!(work, Work::Load | Work::Pin) => format!("{text}: {}", words::warm(loaded, now)),
        _ => text,
    }
}

fn asked(work: &Work) -> String {
    match work {
        Work::Load => "load".to_owned(),
        Work::Pin => "load to stay".to_owned(),
        Work::Unload => "unload".to_owned(),
        Work::Copy(to) => format!("copy to {}", to.display()),
        Work::Delete => "delete".to_owned(),
    }
}

fn field(name: &str, text: String) -> AuditField {
    AuditField { field: name.to_owned(), before: None, after: Some(text) }
}

fn change(backend: &BackendId, name: &str, model: &str, field: AuditField) -> AuditChange {
    AuditChange {
        kind: "model".to_owned(),
        id: backend.to_string(),
        name: format!("{model} on {name}"),
        fields: vec![field],
    }
}
