//! The `.env` file: every value and every fault of it, each fault with the number of its line and never with its text,
//! which may be a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind, Read},
    path::Path,
};

use super::Fault;

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    pub values: BTreeMap<String, String>,
    pub faults: Vec<Fault>,
    /// What stands at the beginning of broken lines: that such a name is missing is no second fault.
    pub broken: BTreeSet<String>,
}

impl EnvFile {
    /// A file that is missing is empty.
    pub fn read(path: &Path) -> Self {
        let name = path.display().to_string();
        let fault = |message| Self { faults: vec![Fault::new(&name, message)], ..Self::default() };
        match std::fs::read(path) {
            // Some editors begin a file with a byte order mark.
            Ok(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => Self::parse(&name, text.trim_start_matches('\u{feff}')),
                Err(error) => {
                    let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                    fault(format!("line {line} is not UTF-8 text: save the file in that encoding"))
                }
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Self::default(),
            Err(error) => fault(format!("cannot be read ({error}): mend it, or move it away")),
        }
    }

    /// Reads definition by definition, so that one that is broken hides none behind it.
    fn parse(name: &str, text: &str) -> Self {
        // The reader takes blanks before the end of a text for an open end.
        let text = format!("{}\n", text.strip_suffix('\n').unwrap_or(text));
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let (mut file, mut at) = (Self::default(), 0);
        while at < lines.len() {
            let mut source = Lines { lines: &lines[at..], taken: 0, given: 0 };
            let definition = dotenvy::from_read_iter(&mut source).next();
            let next = at + source.taken.max(1);
            match definition {
                None => break,
                Some(Ok((key, value))) => {
                    match substitution(&lines[at..next].concat()) {
                        Some(line) => file.refuse(name, at + line, DOLLAR, &key),
                        None => drop(file.values.insert(key, value)),
                    }
                    at = next;
                }
                Some(Err(error)) => {
                    let broken = match &error {
                        dotenvy::Error::LineParse(text, _) => text.lines().count().max(1),
                        _ => 1,
                    };
                    // A quote that is never closed takes everything with it; what stands behind its line is looked at
                    // as if it were not there.
                    let line = next.saturating_sub(broken).max(at);
                    let message = match (substitution(lines[line]), broken) {
                        (Some(_), _) => DOLLAR,
                        (None, 1) => "is not of the form NAME=value",
                        (None, _) => "has a quote that is not closed as it should be",
                    };
                    file.refuse(name, line + 1, message, lines[line]);
                    at = line + 1;
                }
            }
        }
        file
    }

    fn refuse(&mut self, name: &str, line: usize, message: &str, text: &str) {
        self.faults.push(Fault::new(name, format!("line {line} {message}")));
        let text = text.trim_start();
        let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
        let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
        self.broken.insert(text[..end].to_owned());
    }
}

const DOLLAR: &str = "has a $ that would be taken for a variable: put the value in single quotes, as in NAME='pa$word'";

/// Gives a line at a time and counts them, so that it is known how many a definition took.
struct Lines<'a> {
    lines: &'a [&'a str],
    taken: usize,
    /// Bytes of the next line that were given already, because the reader had no room for all of it.
    given: usize,
}

impl Read for Lines<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(line) = self.lines.get(self.taken) else { return Ok(0) };
        let rest = &line.as_bytes()[self.given..];
        let count = rest.len().min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        if self.given == line.len() {
            (self.taken, self.given) = (self.taken + 1, 0);
        }
        Ok(count)
    }
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

    fn values(text: &str) -> BTreeMap<String, String> {
        let file = EnvFile::parse(".env", text);
        assert_eq!(file.faults, [], "{text}");
        file.values
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = EnvFile::parse(".env", text).faults;
        let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
        assert!(!messages.concat().contains("hunter2"), "{messages:?}");
        messages
    }

    #[test]
    fn quotes_and_comments_are_understood() {
        let expected = map(&[("A", "1"), ("B", "two words"), ("C", "$x")]);
        assert_eq!(values("# comment\nA=1\n\nexport B=\"two words\"\r\nC='$x' # tail\n# end"), expected);
        assert_eq!(values("A='x\ny'\nB=1 "), map(&[("A", "x\ny"), ("B", "1")]));
        assert_eq!(values(""), map(&[]));
        let long = "x".repeat(100_000);
        assert_eq!(values(&format!("A={long}\nB=1")), map(&[("A", &long), ("B", "1")]));
    }

    #[test]
    fn every_bad_line_is_named_by_number_and_none_is_shown() {
        let text = "A=1\nSECRET_KEY hunter2\n\n# comment\nB=\"two\nlines\"\n=hunter2\nC=hunter2$x\nD=2\nADMIN_PASSWORD hunter2";
        let file = EnvFile::parse(".env", text);
        let lines: Vec<&str> = file.faults.iter().filter_map(|fault| fault.message.split(' ').nth(1)).collect();
        assert_eq!(lines, ["2", "7", "8", "10"], "{:?}", file.faults);
        assert_eq!(file.values, map(&[("A", "1"), ("B", "two\nlines"), ("D", "2")]));
        assert!(["SECRET_KEY", "C", "ADMIN_PASSWORD"].iter().all(|name| file.broken.contains(*name)));
        assert_eq!(faults(text).len(), 4);
    }

    #[test]
    fn a_quote_that_is_not_closed_hides_nothing_behind_it() {
        let messages = faults("A=1\nB='hunter2\nC=2\nD hunter2\n");
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].starts_with("line 2 has a quote") && messages[1].starts_with("line 4 "), "{messages:?}");
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
            let messages = faults(text);
            assert_eq!(messages.len(), 1, "{text}: {messages:?}");
            assert!(messages[0].starts_with(line) && messages[0].contains("single quotes"), "{text}: {messages:?}");
        }
        let expected = map(&[("A", "pa$word"), ("B", "pa$word"), ("C", "a$b'")]);
        assert_eq!(values("A='pa$word'\nB=pa\\$word # $5\nC=\"a\\$b'\" # don't\n#$x\n"), expected);
    }

    #[test]
    fn a_missing_file_is_empty_and_an_unreadable_one_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(EnvFile::read(&folder.path().join("none")), EnvFile::default());
        assert!(EnvFile::read(folder.path()).faults[0].message.contains("cannot be read"));
        let file = folder.path().join(".env");
        std::fs::write(&file, b"A=1\nB=\xff\n").unwrap();
        assert!(EnvFile::read(&file).faults[0].message.contains("line 2 is not UTF-8"));
    }
}
