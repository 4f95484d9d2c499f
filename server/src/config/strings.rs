//! Where configuration text comes from. A small trait, so that no test touches the environment of the process.

use std::{collections::BTreeMap, env, io::ErrorKind, path::Path};

use super::{Fault, Faults};

/// Something that has text under names.
pub trait Strings {
    /// The text under `name`, `None` if there is none; a fault if it is not UTF-8.
    fn get(&self, name: &str) -> Result<Option<String>, Fault>;

    /// What `check` calls the place the text under `name` came from.
    fn origin(&self, _name: &str) -> &'static str {
        "environment"
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
    file: BTreeMap<String, String>,
    environment: E,
}

impl Layered<ProcessEnvironment> {
    /// `.env` of the working directory, if there is one, and this process's environment.
    pub fn load() -> Result<Self, Faults> {
        Ok(Self {
            file: read_file(Path::new(".env")).map_err(|fault| Faults(vec![fault]))?,
            environment: ProcessEnvironment,
        })
    }
}

impl<E: Strings> Strings for Layered<E> {
    fn get(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.environment.get(name)?.or_else(|| self.file.get(name).cloned()))
    }

    fn origin(&self, name: &str) -> &'static str {
        if matches!(self.environment.get(name), Ok(Some(_))) { self.environment.origin(name) } else { ".env" }
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, Fault> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => {
            return Err(Fault::new(name, format!("cannot be read ({error}): mend it, or move it away")));
        }
    };
    // Some editors begin a file with a byte order mark.
    parse(text.trim_start_matches('\u{feff}')).map_err(|message| Fault::new(name, message))
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    if let Some(number) = substitution(text) {
        return Err(format!(
            "line {number} has a $ that would be taken for a variable: put the value in single quotes, as in NAME='pa$word'"
        ));
    }
    let mut values = BTreeMap::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            Ok((name, value)) => drop(values.insert(name, value)),
            // The line itself may hold a secret: only its number is told.
            Err(dotenvy::Error::LineParse(line, _)) => {
                let first = line.lines().next().unwrap_or_default();
                let number = text.lines().position(|candidate| candidate == first).map_or(0, |index| index + 1);
                return Err(format!("line {number} is not of the form NAME=value"));
            }
            Err(_) => return Err("cannot be read".into()),
        }
    }
    Ok(values)
}

/// The first line with a `$` outside single quotes and comments that no backslash protects. The reader would put a
/// variable's value in its place, mostly nothing, and a password would silently be another one.
fn substitution(text: &str) -> Option<usize> {
    let (mut number, mut quote, mut after) = (1, None, ' ');
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\n', _) => number += 1,
            ('\'', Some('\'')) | ('"', Some('"')) => quote = None,
            (_, Some('\'')) => {}
            ('$', _) => return Some(number),
            ('\\', _) => number += usize::from(letters.next() == Some('\n')),
            ('\'' | '"', None) => quote = Some(letter),
            ('#', None) if after.is_whitespace() => {
                letters.by_ref().find(|&letter| letter == '\n')?;
                (number, after) = (number + 1, '\n');
                continue;
            }
            _ => {}
        }
        after = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let layered = Layered { file: map(&[("A", "file"), ("B", "file")]), environment: map(&[("A", "environment")]) };
        assert_eq!(layered.get("A").unwrap().unwrap(), "environment");
        assert_eq!(layered.origin("A"), "environment");
        assert_eq!(layered.get("B").unwrap().unwrap(), "file");
        assert_eq!(layered.origin("B"), ".env");
        assert_eq!(layered.get("C").unwrap(), None);
    }

    #[test]
    fn quotes_and_comments_are_understood() {
        let values = parse("# comment\nA=1\nexport B=\"two words\"\nC='$x' # tail\n").unwrap();
        assert_eq!(values, map(&[("A", "1"), ("B", "two words"), ("C", "$x")]));
    }

    #[test]
    fn a_bad_line_is_named_by_number_and_not_shown() {
        let message = parse("A=1\nSECRET_KEY hunter2\n").unwrap_err();
        assert!(message.contains("line 2"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_dollar_is_refused_by_its_line_unless_it_is_protected() {
        for (text, line) in [
            ("ADMIN_PASSWORD=pa$word\n", "line 1 "),
            ("A=1\n# it's $5\n\nB=${A}\n", "line 4 "),
            ("A='two\nlines'\nB=\"hunter2 $x\"\n", "line 3 "),
            ("A=hunter2$", "line 1 "),
            ("A='x'$y", "line 1 "),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(line) && message.contains("single quotes"), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        let values = parse("A='pa$word'\nB=pa\\$word # $5\nC=\"a\\$b'\" # don't\n#$x\n").unwrap();
        assert_eq!(values, map(&[("A", "pa$word"), ("B", "pa$word"), ("C", "a$b'")]));
    }

    #[test]
    fn a_missing_file_is_empty_and_an_unreadable_one_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_file(&folder.path().join("none")).unwrap(), BTreeMap::new());
        assert!(read_file(folder.path()).unwrap_err().message.contains("cannot be read"));
    }
}
