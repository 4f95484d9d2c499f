//! Where configuration text comes from. A small trait, so that no test touches the environment of the process.

use std::{collections::BTreeMap, env, path::Path};

use super::{Fault, env_file::EnvFile};

/// Something that has text under names.
pub trait Strings {
    /// The text under `name`, `None` if there is none; a fault if it is not UTF-8.
    fn get(&self, name: &str) -> Result<Option<String>, Fault>;

    /// What `check` calls the place the text under `name` came from.
    fn origin(&self, _name: &str) -> &'static str {
        "environment"
    }

    /// What is wrong with the source itself.
    fn faults(&self) -> &[Fault] {
        &[]
    }

    /// There is text under `name`, but it cannot be read; that is among the faults.
    fn is_broken(&self, _name: &str) -> bool {
        false
    }
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(BTreeMap::get(self, name).cloned())
    }
}

/// The environment of this process.
pub struct ProcessEnvironment;

impl Strings for ProcessEnvironment {
    fn get(&self, name: &str) -> Result<Option<String>, Fault> {
        match env::var(name) {
            Ok(text) => Ok(Some(text)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => Err(Fault::new(name, "the value is not UTF-8 text")),
        }
    }
}

/// A `.env` file under the environment: what the environment says wins.
pub struct Layered<E> {
    file: EnvFile,
    environment: E,
}

impl Layered<ProcessEnvironment> {
    /// `.env` of the working directory, if there is one, and this process's environment.
    pub fn load() -> Self {
        Self { file: EnvFile::read(Path::new(".env")), environment: ProcessEnvironment }
    }
}

impl<E: Strings> Strings for Layered<E> {
    fn get(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.environment.get(name)?.or_else(|| self.file.values.get(name).cloned()))
    }

    fn origin(&self, name: &str) -> &'static str {
        if matches!(self.environment.get(name), Ok(Some(_))) { self.environment.origin(name) } else { ".env" }
    }

    fn faults(&self) -> &[Fault] {
        &self.file.faults
    }

    fn is_broken(&self, name: &str) -> bool {
        self.file.broken.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = EnvFile { values: map(&[("A", "file"), ("B", "file")]), ..EnvFile::default() };
        let layered = Layered { file, environment: map(&[("A", "environment")]) };
        assert_eq!(layered.get("A").unwrap().unwrap(), "environment");
        assert_eq!(layered.origin("A"), "environment");
        assert_eq!(layered.get("B").unwrap().unwrap(), "file");
        assert_eq!(layered.origin("B"), ".env");
        assert_eq!(layered.get("C").unwrap(), None);
    }
}
