//! The model `auto`: what administrators decide of it. Which model a request gets by it is the gateway's business, the rules
//! are `domain::auto`'s.

use std::collections::HashSet;

use domain::{
    alias::{Aliases, short_name},
    auto::{Auto, AutoModel, AutoView, NAME, Purposes, SaveAuto},
    error::AdminError,
};
use sha2::{Digest, Sha256};
use store::row::{AliasRow, Op};

use crate::{Actor, Control, fault, state::State};

/// The row of the settings that holds it. It changes as a whole.
pub(crate) const SETTING: &str = "mark.auto";
/// Models of a large fleet that the page shows.
const SHOWN: usize = 50;
/// Names that its fields suggest.
const SUGGESTED: usize = 300;

impl Control {
    /// What is saved, and what it leads to now.
    pub fn auto(&self, actor: &Actor) -> AutoView {
        let state = self.state();
        let Auto { on, models } = read(&state);
        let (targets, more) = self.0.gateway.auto_targets(SHOWN);
        let facts = self.playground(actor);
        let names = facts.aliases.into_iter().filter(|name| name != NAME).chain(facts.models).take(SUGGESTED).collect();
        let shadows = self.0.gateway.has_model(NAME);
        AutoView { on, models, version: version(&state), targets, more, shadows, names }
    }

    pub async fn save_auto(&self, actor: &Actor, input: SaveAuto) -> Result<AutoView, AdminError> {
        let by = actor.operates("auto changed")?;
        let checked = input.check().map_err(|fields| AdminError::Invalid { fields })?;
        let after = Auto { on: checked.on, models: checked.models };
        self.mutate(by, |state| {
            if !input.version.is_empty() && input.version != version(state) {
                return Err(fault::conflict(
                    "somebody else changed the model auto meanwhile: look at what it is now, then save again",
                ));
            }
            if after == read(state) {
                return Ok((Vec::new(), ()));
            }
            fits(state, &after)?;
            let text = serde_json::to_string(&after)
                .map_err(|error| fault::internal("auto cannot be written as JSON", &error))?;
            Ok((vec![Op::PutSetting(SETTING.into(), text)], ()))
        })
        .await?;
        Ok(self.auto(actor))
    }

    /// What is not told stays. A model is `NAME`, or `NAME=code,tools` with what it is for.
    pub(crate) async fn set_auto(
        &self,
        actor: &Actor,
        on: Option<bool>,
        models: Option<Vec<String>>,
    ) -> Result<AutoView, AdminError> {
        let state = self.state();
        let known = read(&state);
        let mut input = SaveAuto { on: on.unwrap_or(known.on), version: version(&state), ..SaveAuto::default() };
        let rows = match models {
            Some(models) => models.iter().map(|text| row(text)).collect::<Result<Vec<_>, _>>()?,
            None => known.models.into_iter().map(|AutoModel { model, purposes }| (model, words(purposes))).collect(),
        };
        for (number, (model, purposes)) in rows.into_iter().enumerate() {
            let row = format!("r{number}");
            input.models.insert(row.clone(), model);
            input.purposes.insert(row, purposes.into_iter().map(|word| (word, true)).collect());
        }
        self.save_auto(actor, input).await
    }
}

/// A model and what it is for, as the command line has them.
fn row(text: &str) -> Result<(String, Vec<String>), AdminError> {
    let Some((model, purposes)) = text.rsplit_once('=') else {
        return Ok((text.to_owned(), words(Purposes::default())));
    };
    if model.trim().is_empty() {
        return Err(AdminError::invalid("models", format!("{text:?} names no model")));
    }
    let purposes = purposes.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
    Ok((model.to_owned(), purposes.collect()))
}

fn words(purposes: Purposes) -> Vec<String> {
    let ticked = Purposes::WORDS.into_iter().zip(purposes.boxes());
    ticked.filter(|(_, is)| *is).map(|(word, _)| word.to_owned()).collect()
}

/// What is stored. What cannot be read is as good as nothing, and said: `auto` is off then.
fn read(state: &State) -> Auto {
    state.setting(SETTING).map(parse).unwrap_or_default()
}

pub(crate) fn parse(text: &str) -> Auto {
    let read = serde_json::from_str(text);
    read.inspect_err(|error| tracing::error!(%error, "what is stored of the model auto cannot be read; it is off"))
        .unwrap_or_default()
}

pub(crate) fn is_on(state: &State) -> bool {
    read(state).on
}

fn version(state: &State) -> String {
    let digest = Sha256::digest(state.setting(SETTING).unwrap_or_default());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn is_auto(name: &str) -> bool {
    short_name(name).as_deref() == Some(NAME)
}

/// Refuses to switch it on where an alias has its name, or leads to it.
fn fits(state: &State, after: &Auto) -> Result<(), AdminError> {
    if after.on {
        for row in &state.rows.aliases {
            let AliasRow { name, targets, .. } = row;
            if is_auto(name) {
                return Err(AdminError::invalid("on", format!("there is an alias {NAME}: remove that one first")));
            }
            if targets.iter().any(|target| is_auto(target)) {
                return Err(AdminError::invalid(
                    "on",
                    format!("the alias {name} leads to {NAME}: change that one first"),
                ));
            }
        }
    }
    Ok(())
}

/// Refuses an alias of its name, or one that leads to it, while it is on.
pub(crate) fn check_alias(state: &State, name: &str, targets: &[String]) -> Result<(), AdminError> {
    if !is_on(state) {
        return Ok(());
    }
    if is_auto(name) {
        let message = format!("{NAME} picks a model for each request: switch that off, or choose another name");
        return Err(AdminError::invalid("name", message));
    }
    if targets.iter().any(|target| is_auto(target)) {
        return Err(AdminError::invalid("targets", format!("{NAME} is no model, and nothing can lead to it")));
    }
    Ok(())
}

/// The models that may be picked, in the place of an alias those it leads to; `None` while it is off.
pub(crate) fn flat(state: &State, aliases: &Aliases) -> Option<Vec<(String, Purposes)>> {
    let Auto { on, models } = read(state);
    let mut known = HashSet::new();
    let models = models.iter().flat_map(|AutoModel { model, purposes }| {
        aliases.models(model).into_iter().map(|model| (model, *purposes)).collect::<Vec<_>>()
    });
    let mut flat: Vec<_> = models.filter(|(model, _)| known.insert(model.clone())).collect();
    flat.truncate(domain::alias::MAX_MODELS);
    on.then_some(flat)
}
