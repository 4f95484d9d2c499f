//! Names that stand for models, as configuration brings them: a flat table in which every alias has the models it leads to.
//! Which of those a request gets is `resolve`'s business.

use std::{collections::HashMap, sync::Arc};

use domain::model::{ModelName, SHORT};

/// By their short names. Clients may write each as they may write a model's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Aliases(HashMap<Box<str>, Arc<Alias>>);

/// One alias.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// As lists show it, with a tag.
    pub(crate) display: String,
    /// As administrators call it.
    pub(crate) name: String,
    /// In the order in which they are tried. None of them is an alias.
    pub(crate) models: Vec<String>,
}

impl FromIterator<(String, Vec<String>)> for Aliases {
    /// Of short names and the models they lead to; what is no model's name is left out.
    fn from_iter<T: IntoIterator<Item = (String, Vec<String>)>>(aliases: T) -> Self {
        let named = aliases.into_iter().filter_map(|(name, models)| {
            let (parsed, _) = ModelName::parse(&name).ok()?;
            let alias = Alias { display: parsed.display().to_owned(), models, name };
            Some((alias.name.as_str().into(), Arc::new(alias)))
        });
        Self(named.collect())
    }
}

impl Aliases {
    /// The alias that a client means by `model`. Costs nothing where there are none, and never allocates.
    pub(crate) fn find(&self, model: &str) -> Option<&Arc<Alias>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(ModelName::short(model, &mut [0; SHORT])?)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Alias>> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests;
