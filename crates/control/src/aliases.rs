//! Aliases: names for models that administrators choose. What they lead to now comes from the gateway.

use std::collections::BTreeSet;

use domain::{
    alias::{AliasRef, AliasView, Aliases, MAX_ALIASES, MAX_MODELS, SaveAlias, short_name},
    error::AdminError,
};
use store::row::{AliasRow, Op};

use crate::{Actor, Control, Inner, auto, by::By, clock::Now, fault, state::State};

impl Control {
    /// By name, with what each leads to now.
    pub fn aliases(&self, _actor: &Actor) -> Vec<AliasView> {
        self.state().rows.aliases.iter().map(|row| self.0.alias_view(row)).collect()
    }

    pub async fn add_alias(&self, actor: &Actor, input: SaveAlias) -> Result<AliasView, AdminError> {
        let by = actor.operates("alias added")?;
        let fits = |known: Option<&AliasRow>| match known {
            None => Ok(()),
            Some(row) => {
                Err(AdminError::invalid("name", format!("there is an alias {} already: edit that one", row.name)))
            }
        };
        self.save_alias(by, &input, fits).await
    }

    pub async fn edit_alias(&self, actor: &Actor, input: SaveAlias) -> Result<AliasView, AdminError> {
        let by = actor.operates("alias changed")?;
        let fits = |known: Option<&AliasRow>| match known {
            Some(row) if version(row) == input.version => Ok(()),
            Some(row) => Err(changed(&row.name)),
            None => Err(fault::not_found("alias")),
        };
        self.save_alias(by, &input, fits).await
    }

    /// Makes it, or changes the one that is there, whatever that is. Without a note the one there stays.
    pub(crate) async fn set_alias(
        &self,
        actor: &Actor,
        name: &str,
        targets: &[String],
        note: Option<String>,
    ) -> Result<AliasView, AdminError> {
        let by = actor.operates("alias changed")?;
        let state = self.state();
        let known = state.alias(name).map(|row| row.note.clone()).ok();
        let note = note.or(known).unwrap_or_default();
        let input = SaveAlias { name: name.to_owned(), targets: targets.join("\n"), note, version: String::new() };
        self.save_alias(by, &input, |_| Ok(())).await
    }

    pub async fn remove_alias(&self, actor: &Actor, input: AliasRef) -> Result<(), AdminError> {
        self.mutate(actor.operates("alias removed")?, |state| {
            let row = state.alias(&input.name)?;
            if !input.version.is_empty() && input.version != version(row) {
                return Err(changed(&row.name));
            }
            Ok((vec![Op::DeleteAlias(row.name.clone())], ()))
        })
        .await
    }

    /// `fits` judges the one that is there.
    async fn save_alias(
        &self,
        by: By,
        input: &SaveAlias,
        fits: impl Fn(Option<&AliasRow>) -> Result<(), AdminError> + Send + Sync,
    ) -> Result<AliasView, AdminError> {
        let checked = input.check().map_err(|fields| AdminError::Invalid { fields })?;
        let row = self
            .mutate(by, |state| {
                let known = state.rows.aliases.iter().find(|row| row.name == checked.name);
                fits(known)?;
                if known.is_none() && state.rows.aliases.len() >= MAX_ALIASES {
                    return Err(fault::conflict(format!("there are {MAX_ALIASES} aliases, and no more are kept")));
                }
                let row = AliasRow {
                    name: checked.name.clone(),
                    targets: checked.targets.clone(),
                    note: checked.note.clone(),
                    changes: known.map_or(1, |row| row.changes + 1),
                    created_at: known.map_or_else(|| Now::read().wall, |row| row.created_at),
                };
                if known.is_some_and(|known| known.targets == row.targets && known.note == row.note) {
                    return Ok((Vec::new(), known.cloned().unwrap_or(row)));
                }
                auto::check_alias(state, &row.name, &row.targets)?;
                check_together(state, &row)?;
                Ok((vec![Op::PutAlias(row.clone())], row))
            })
            .await?;
        Ok(self.0.alias_view(&row))
    }
}

impl Inner {
    fn alias_view(&self, row: &AliasRow) -> AliasView {
        AliasView {
            name: row.name.clone(),
            targets: row.targets.clone(),
            note: row.note.clone(),
            version: version(row),
            models: self.gateway.alias_targets(&row.name),
            shadows: self.gateway.has_model(&row.name),
        }
    }
}

impl State {
    /// The alias that a text means.
    fn alias(&self, text: &str) -> Result<&AliasRow, AdminError> {
        let name = short_name(text);
        let found = self.rows.aliases.iter().find(|row| Some(&row.name) == name.as_ref());
        found.ok_or_else(|| fault::not_found("alias"))
    }
}

/// Refuses what would go round in a circle, or lead to too many models, with the aliases that are there.
fn check_together(state: &State, row: &AliasRow) -> Result<(), AdminError> {
    let others = state.rows.aliases.iter().filter(|known| known.name != row.name);
    let all: Aliases = others.chain([row]).map(|row| (row.name.clone(), row.targets.clone())).collect();
    if let Some(circle) = all.circle(&row.name) {
        return Err(AdminError::invalid("targets", format!("goes round in a circle: {}", circle.join(", then "))));
    }
    // Whatever leads here leads to what this leads to.
    let names = state.rows.aliases.iter().map(|row| &row.name).chain([&row.name]);
    for name in names.collect::<BTreeSet<_>>() {
        if all.models(name).len() > MAX_MODELS {
            return Err(AdminError::invalid("targets", format!("{name} would lead to more than {MAX_MODELS} models")));
        }
    }
    Ok(())
}

/// Changes with every save, and is another for one that was removed and made again.
fn version(row: &AliasRow) -> String {
    format!("{}-{}", row.created_at, row.changes)
}

fn changed(name: &str) -> AdminError {
    fault::conflict(format!(
        "somebody else changed the alias {name} meanwhile: look at what it is now, then save again"
    ))
}

/// Every alias with the models it leads to, and `auto` where it is on.
pub(crate) fn flat(state: &State) -> gateway::snapshot::Aliases {
    let all: Aliases = state.rows.aliases.iter().map(|row| (row.name.clone(), row.targets.clone())).collect();
    let names = state.rows.aliases.iter().map(|row| row.name.clone());
    let flat: gateway::snapshot::Aliases = names
        .map(|name| {
            let mut models = all.models(&name);
            models.truncate(MAX_MODELS);
            (name, models)
        })
        .collect();
    match auto::flat(state, &all) {
        Some(models) => flat.with_auto(models),
        None => flat,
    }
}
