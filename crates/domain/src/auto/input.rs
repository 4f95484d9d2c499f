//! What forms and commands say of `auto`, and whether its models are names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AutoModel, MAX_MODELS, NAME, Purposes};
use crate::{alias::short_name, error::FieldError, policy::ModelPattern};

/// Ticked boxes of one model by the words of [`Purposes`].
pub type PurposeBoxes = BTreeMap<String, bool>;

/// Replaces all that is saved. Rows go by names of their own (`r0`), because a form's fields have no order that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaveAuto {
    pub on: bool,
    /// The models; a row without one is left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, String>,
    /// Their places, from 1; one without a number goes to the end, and of equal ones the row's name decides.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub purposes: BTreeMap<String, PurposeBoxes>,
    /// `AutoView::version` of what the form showed. Empty whatever is saved.
    pub version: String,
}

/// The checked fields of a form.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    pub on: bool,
    pub models: Vec<AutoModel>,
}

impl SaveAuto {
    /// How the names of the fields of rows begin in a form, within `input[…]`.
    pub const ROWS: [&str; 3] = ["models][", "places][", "purposes]["];
    /// The other fields of the form.
    pub const FIELDS: [&str; 2] = ["on", "version"];

    /// What can be judged without the fleet. A fault is at `models`, with the model it is about.
    pub fn check(&self) -> Result<Checked, Vec<FieldError>> {
        let mut rows = Vec::new();
        for (row, model) in &self.models {
            let model = model.trim();
            if model.is_empty() {
                continue;
            }
            let place = match self.places.get(row).map(|place| place.trim()).unwrap_or_default() {
                "" => u32::MAX,
                text => text.parse().map_err(|_| fault(format!("the place of {model} must be a whole number")))?,
            };
            let boxes = self.purposes.get(row);
            if let Some(word) = boxes.into_iter().flatten().find(|(word, _)| !Purposes::WORDS.contains(&word.as_str()))
            {
                return Err(fault(format!("{:?} is nothing that a model is for", word.0)));
            }
            let ticked = |word: &str| boxes.and_then(|boxes| boxes.get(word)).copied().unwrap_or(false);
            let entry = AutoModel { model: model.to_owned(), purposes: Purposes::of(Purposes::WORDS.map(ticked)) };
            rows.push(((place, number(row), row), entry));
        }
        rows.sort_by_key(|(place, _)| *place);
        let models: Vec<AutoModel> = rows.into_iter().map(|(_, entry)| entry).collect();
        check(&models)?;
        Ok(Checked { on: self.on, models })
    }
}

/// Rows are compared by their numbers: `r10` comes after `r9`.
fn number(row: &str) -> u32 {
    row.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(u32::MAX)
}

fn check(models: &[AutoModel]) -> Result<(), Vec<FieldError>> {
    for (at, AutoModel { model, purposes }) in models.iter().enumerate() {
        if model.contains('*') || model.contains(|letter: char| letter == ',' || letter.is_whitespace()) {
            return Err(fault(format!("{model:?} must be one model, without a star")));
        }
        if let Err(error) = model.parse::<ModelPattern>() {
            return Err(fault(error.to_string()));
        }
        if short_name(model).as_deref() == Some(NAME) {
            return Err(fault(format!("{NAME} cannot pick itself")));
        }
        let same = |known: &&AutoModel| {
            known.model == *model || short_name(model).is_some_and(|name| Some(name) == short_name(&known.model))
        };
        if let Some(known) = models[..at].iter().find(same) {
            return Err(fault(format!("{} is named twice", known.model)));
        }
        if !purposes.boxes().contains(&true) {
            return Err(fault(format!("say what {model} is for: tick at least one")));
        }
    }
    if models.len() > MAX_MODELS {
        return Err(fault(format!("at most {MAX_MODELS} models, these are {}", models.len())));
    }
    Ok(())
}

fn fault(message: String) -> Vec<FieldError> {
    vec![FieldError::new("models", message)]
}
