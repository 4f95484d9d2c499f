//! Names that stand for models, as configuration brings them: a flat table in which every alias has the models it leads to.
//! Which of those a request gets is `resolve`'s business. The name `auto` is one of them where it is switched on.

use std::{collections::HashMap, sync::Arc};

use domain::{
    auto::{self, Purposes},
    model::{ModelName, SHORT},
};

use crate::policy::Rules;

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
    /// What each of the models is for, where they are picked for each request anew. No model means all of the fleet then.
    pub(crate) auto: Option<Vec<Purposes>>,
}

impl FromIterator<(String, Vec<String>)> for Aliases {
    /// Of short names and the models they lead to; what is no model's name is left out.
    fn from_iter<T: IntoIterator<Item = (String, Vec<String>)>>(aliases: T) -> Self {
        let named = aliases.into_iter().filter_map(|(name, models)| {
            let (parsed, _) = ModelName::parse(&name).ok()?;
            let alias = Alias { display: parsed.display().to_owned(), models, name, auto: None };
            Some((alias.name.as_str().into(), Arc::new(alias)))
        });
        Self(named.collect())
    }
}

impl Aliases {
    /// The same with the name `auto`, which leads to one of these models by what a request holds; with none of them to one
    /// of all. It counts before an alias of that name.
    #[must_use]
    pub fn with_auto(mut self, models: impl IntoIterator<Item = (String, Purposes)>) -> Self {
        let (models, purposes) = models.into_iter().unzip();
        let display =
            ModelName::parse(auto::NAME).map_or_else(|_| auto::NAME.into(), |(name, _)| name.display().into());
        let alias = Alias { display, name: auto::NAME.into(), models, auto: Some(purposes) };
        self.0.insert(auto::NAME.into(), Arc::new(alias));
        self
    }

    /// The alias that a client means by `model`. Costs nothing where there are none, and never allocates.
    pub(crate) fn find(&self, model: &str) -> Option<&Arc<Alias>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(ModelName::short(model, &mut [0; SHORT])?)
    }

    /// Whether a key with these rules may use whatever this name leads to, or see it. A pattern that happens to match `auto`
    /// does not open every model of the fleet: its list must name it.
    pub(crate) fn admit(&self, rules: &Rules, model: &str) -> bool {
        match self.0.get(auto::NAME) {
            Some(alias) if alias.auto.is_some() && alias.display == model => rules.names_model(model),
            _ => rules.admits_model(model),
        }
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Alias>> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests;
