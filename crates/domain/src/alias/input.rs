//! What forms and commands say of an alias, and whether its names are names.

use serde::{Deserialize, Serialize};

use super::{MAX_NOTE, MAX_TARGETS, short_name};
use crate::{
    error::FieldError,
    model::{ModelName, Source},
    policy::ModelPattern,
};

/// Adds an alias, or changes the one that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaveAlias {
    pub name: String,
    /// One a line, or separated by commas or spaces.
    pub targets: String,
    pub note: String,
    /// `AliasView::version` of what the form showed: an alias that changed in between is not overwritten. Empty for a new
    /// one.
    pub version: String,
}

/// Names one alias as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasRef {
    pub name: String,
    /// As [`SaveAlias::version`]; empty whatever it is.
    #[serde(default)]
    pub version: String,
}

impl AliasRef {
    /// Whatever that is by now.
    pub fn named(name: String) -> Self {
        Self { name, version: String::new() }
    }
}

/// The checked fields of a form.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    pub name: String,
    pub targets: Vec<String>,
    pub note: String,
}

impl SaveAlias {
    /// Every field that people fill in, in the page's order.
    pub const FIELDS: [&str; 3] = ["name", "targets", "note"];

    /// What can be judged without the other aliases.
    pub fn check(&self) -> Result<Checked, Vec<FieldError>> {
        let mut faults = Vec::new();
        let name = check_name(&self.name).map_err(|message| faults.push(FieldError::new("name", message)));
        let targets = check_targets(&self.targets).map_err(|message| faults.push(FieldError::new("targets", message)));
        let note = check_note(&self.note).map_err(|message| faults.push(FieldError::new("note", message)));
        let (Ok(name), Ok(targets), Ok(note)) = (name, targets, note) else { return Err(faults) };
        if targets.iter().any(|target| short_name(target).as_ref() == Some(&name)) {
            return Err(vec![FieldError::new("targets", format!("{name} cannot lead to itself"))]);
        }
        Ok(Checked { name, targets, note })
    }
}

fn check_name(text: &str) -> Result<String, String> {
    match ModelName::parse(text) {
        Ok((_, Source::Cloud | Source::Local)) => {
            Err("must not end in cloud or local, which say where a model runs".into())
        }
        Ok(_) => short_name(text).ok_or_else(|| "must be shorter".into()),
        Err(_) if text.trim().is_empty() => Err("give a name".into()),
        Err(_) => {
            Err("must be like a model's name: letters, digits and . _ - with a tag behind a colon if you like".into())
        }
    }
}

fn check_targets(text: &str) -> Result<Vec<String>, String> {
    let mut targets: Vec<String> = Vec::new();
    for target in text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|text| !text.is_empty()) {
        if target.contains('*') {
            return Err(format!("{target:?} must be one model, without a star"));
        }
        if let Err(error) = target.parse::<ModelPattern>() {
            return Err(error.to_string());
        }
        let same = |known: &&String| {
            *known == target || short_name(target).is_some_and(|name| Some(name) == short_name(known))
        };
        if let Some(known) = targets.iter().find(same) {
            return Err(format!("{known} is named twice"));
        }
        targets.push(target.to_owned());
    }
    match targets.len() {
        0 => Err("name at least one model".into()),
        1..=MAX_TARGETS => Ok(targets),
        many => Err(format!("at most {MAX_TARGETS} models, these are {many}")),
    }
}

fn check_note(text: &str) -> Result<String, String> {
    let note = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if note.chars().count() > MAX_NOTE {
        return Err(format!("must be at most {MAX_NOTE} characters"));
    }
    if note.chars().any(char::is_control) {
        return Err("must not hold control characters".into());
    }
    Ok(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, targets: &str) -> Result<Checked, String> {
        let input = SaveAlias { name: name.into(), targets: targets.into(), ..SaveAlias::default() };
        input
            .check()
            .map_err(|faults| faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect())
    }

    #[test]
    fn the_list_of_fields_is_whole() {
        crate::tests::assert_fields(&SaveAlias::default(), &[&SaveAlias::FIELDS, &["version"]]);
    }

    #[test]
    fn a_name_is_kept_short_and_targets_as_they_were_written() {
        let checked = check(" Library/FAST:latest ", "llama3.2:3b\r\nQwen/Qwen3-8B, my.org/m").unwrap();
        assert_eq!(
            (checked.name.as_str(), checked.targets),
            ("fast", vec!["llama3.2:3b".to_owned(), "Qwen/Qwen3-8B".into(), "my.org/m".into(),])
        );
    }

    #[test]
    fn what_cannot_be_is_refused_beside_its_field() {
        for (name, targets, fault) in [
            ("", "a", "name: give a name"),
            ("a b", "a", "name: must be like a model's name"),
            ("é", "a", "name: must be like a model's name"),
            ("fast:cloud", "a", "name: must not end in cloud"),
            ("fast:local", "a", "name: must not end in cloud or local"),
            (&format!("{}/{}/m", "h".repeat(150), "n".repeat(70)), "a", "name: must be shorter"),
            ("fast", " ,\n", "targets: name at least one model"),
            ("fast", "llama*", "targets: \"llama*\" must be one model"),
            ("fast", "gpt-oss:20b-cloud", "targets: \"gpt-oss:20b-cloud\" is a cloud model"),
            ("fast", "a <b>", "targets: \"<b>\" is no model name"),
            ("fast", "a library/A:latest", "targets: a is named twice"),
            ("fast", "a FAST:latest", "targets: fast cannot lead to itself"),
            ("fast", "a b c d e f g h i", "targets: at most 8 models, these are 9"),
        ] {
            let found = check(name, targets).unwrap_err();
            assert!(found.starts_with(fault), "{name:?} {targets:?}: {found}");
        }
        let long = SaveAlias { name: "a".into(), targets: "b".into(), note: "x".repeat(201), version: String::new() };
        assert_eq!(long.check().unwrap_err()[0].field, "note");
    }
}
