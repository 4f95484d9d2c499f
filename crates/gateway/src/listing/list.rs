//! One list: written once for those who may see all of it, and each time anew for the others. An alias stands in it as one of
//! its models under its own name.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap};

use bytes::Bytes;
use domain::model::ModelName;
use jiff::Timestamp;

use crate::{alias::Aliases, policy::put_text};

/// A model as the list has it.
pub(super) struct Row {
    pub(super) name: String,
    /// JSON.
    pub(super) text: String,
    pub(super) modified: Timestamp,
}

pub(super) struct List {
    start: &'static str,
    pub(super) whole: Bytes,
    /// Members of a row that hold its name.
    named: &'static [&'static str],
    rows: Vec<Row>,
    shown: Vec<Shown>,
}

/// What stands in the list, as numbers of `rows`.
enum Shown {
    Model(usize),
    Alias {
        display: String,
        /// At least one.
        models: Vec<usize>,
    },
}

impl List {
    pub(super) fn new(start: &'static str, named: &'static [&'static str], rows: Vec<Row>, aliases: &Aliases) -> Self {
        let mut list =
            Self { start, whole: Bytes::new(), named, shown: (0..rows.len()).map(Shown::Model).collect(), rows };
        list.add(aliases);
        list.whole = list.write(None::<fn(&str) -> bool>);
        list
    }

    fn add(&mut self, aliases: &Aliases) {
        if aliases.iter().next().is_none() {
            return;
        }
        let rows = &self.rows;
        let mut numbers = Numbers::default();
        for (number, row) in rows.iter().enumerate() {
            numbers.add(number, &row.name);
        }
        let listed = aliases.iter().filter_map(|alias| {
            let models: Vec<usize> = match &alias.auto {
                // It may lead to each of the models that are reached by their own names.
                Some(purposes) if purposes.is_empty() => {
                    (0..rows.len()).filter(|row| aliases.find(&rows[*row].name).is_none()).collect()
                }
                _ => alias.models.iter().filter_map(|model| numbers.find(model)).collect(),
            };
            (!models.is_empty()).then(|| Shown::Alias { display: alias.display.clone(), models })
        });
        let listed: Vec<Shown> = listed.collect();
        self.shown.retain(|shown| matches!(shown, Shown::Model(row) if aliases.find(&rows[*row].name).is_none()));
        self.shown.extend(listed);
        self.shown.sort_by_cached_key(|shown| match shown {
            Shown::Model(row) => (Reverse(rows[*row].modified), rows[*row].name.clone()),
            Shown::Alias { display, models } => (Reverse(rows[models[0]].modified), display.clone()),
        });
    }

    /// All of it, or the models that `part` names.
    pub(super) fn body(&self, part: Option<impl Fn(&str) -> bool>) -> Bytes {
        if part.is_some() { self.write(part) } else { self.whole.clone() }
    }

    fn write(&self, part: Option<impl Fn(&str) -> bool>) -> Bytes {
        let part = part.as_ref();
        let texts = self.shown.iter().filter_map(|shown| match shown {
            Shown::Model(row) => {
                let Row { name, text, .. } = &self.rows[*row];
                part.is_none_or(|part| part(name)).then_some(Cow::Borrowed(text.as_str()))
            }
            Shown::Alias { display, models } => self.stand_in(display, display, models, part).map(Cow::Owned),
        });
        format!("{}{}]}}", self.start, texts.collect::<Vec<_>>().join(",")).into()
    }

    /// The row of an alias under the spelling `id`.
    pub(super) fn alias(&self, display: &str, id: &str, part: Option<impl Fn(&str) -> bool>) -> Option<Cow<'_, str>> {
        self.shown.iter().find_map(|shown| match shown {
            Shown::Alias { display: known, models } if known == display => {
                self.stand_in(display, id, models, part.as_ref()).map(Cow::Owned)
            }
            _ => None,
        })
    }

    /// The first of `models` that may be seen, as `id`.
    fn stand_in(
        &self,
        display: &str,
        id: &str,
        models: &[usize],
        part: Option<&impl Fn(&str) -> bool>,
    ) -> Option<String> {
        let all = part.is_none_or(|part| part(display));
        let mut rows = models.iter().map(|row| &self.rows[*row]);
        let row = rows.find(|row| all || part.is_some_and(|part| part(&row.name)))?;
        self.named.iter().try_fold(row.text.clone(), |text, member| {
            let renamed = put_text(&Bytes::from(text), [*member], id).ok()?;
            String::from_utf8(renamed.into()).ok()
        })
    }
}

/// Finds rows as requests find models: by the exact text first, then by the canonical name.
#[derive(Default)]
struct Numbers<'r> {
    exact: HashMap<&'r str, usize>,
    canonical: HashMap<ModelName, usize>,
}

impl<'r> Numbers<'r> {
    fn add(&mut self, number: usize, name: &'r str) {
        self.exact.entry(name).or_insert(number);
        if let Ok((name, _)) = ModelName::parse(name) {
            self.canonical.entry(name).or_insert(number);
        }
    }

    fn find(&self, model: &str) -> Option<usize> {
        let canonical = || self.canonical.get(&ModelName::parse(model).ok()?.0);
        self.exact.get(model).or_else(canonical).copied()
    }
}
