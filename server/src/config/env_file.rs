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
                    let text = lines[at..next].concat();
                    if let Some(line) = runaway(&text) {
                        // What it took with it is looked at as if it were not there.
                        file.refuse(name, at + line, QUOTE, &key);
                        at += line;
                        continue;
                    }
                    match substitution(&text) {
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
                        (None, _) => QUOTE,
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

const QUOTE: &str = "has a quote that is not closed as it should be: put a value with an apostrophe in double quotes, as in \
                     NAME=\"it's\"";
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

/// The line of a quote that ran on over the lines behind it. Only a value that begins with its quote and ends with it may
/// have several lines, and none of them may look like another definition.
fn runaway(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().peekable();
    // A definition may have comments and empty lines before it.
    let (mut number, mut in_value, mut before, mut quote) = (1, false, ' ', None::<(char, usize, bool)>);
    let mut whole = false;
    while let Some((at, letter)) = letters.next() {
        match (letter, quote) {
            ('\n', Some((_, line, true))) if looks_like_definition(&text[at + 1..]) => return Some(line),
            ('\n', Some((_, line, false))) => return Some(line),
            ('\n', None) => (number, in_value) = (number + 1, false),
            ('\n', Some(_)) => number += 1,
            ('\\', Some(('\'', ..))) => {}
            ('\\', _) => number += usize::from(letters.next().is_some_and(|(_, letter)| letter == '\n')),
            (_, Some((open, line, _))) if letter == open => {
                // Behind several lines nothing may follow but a comment.
                let rest = text[at + 1..].lines().next().unwrap_or_default();
                let ends = rest.trim().is_empty()
                    || rest.trim_start().len() < rest.len() && rest.trim_start().starts_with('#');
                if line < number && !ends {
                    return Some(line);
                }
                (quote, whole) = (None, true);
            }
            (_, Some(_)) => {}
            ('#', None) if before.is_whitespace() => while letters.next_if(|(_, letter)| *letter != '\n').is_some() {},
            ('=', None) if !in_value => (in_value, whole) = (true, false),
            ('\'' | '"', None) if in_value => {
                quote = Some((letter, number, !whole && text[..at].trim_end().ends_with('=')))
            }
            _ => {}
        }
        before = letter;
    }
    None
}

fn looks_like_definition(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t']);
    let line = line.strip_prefix("export ").unwrap_or(line);
    let name = line.split(['=', '\n']).next().unwrap_or_default().trim_end();
    let upper = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    line[name.len()..].trim_start_matches([' ', '\t']).starts_with('=')
        && name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.chars().all(upper)
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
    fn an_apostrophe_in_a_value_takes_no_line_with_it() {
        for (text, lines) in [
            ("A=it's hunter2\nB=2\nC=don't\nD=4\n", vec!["1", "3"]),
            ("# it's\n\nA=it's\nC='x'\n", vec!["3"]),
            ("A='hunter2\nB=2\nC='3'\n", vec!["1"]),
            ("A=\"hunter2\nB=2\nC=\"3\"\n", vec!["1"]),
            ("A='two\nlines'hunter2\nB=2\n", vec!["1", "2"]),
        ] {
            let found = faults(text);
            let named: Vec<&str> = found.iter().filter_map(|message| message.split(' ').nth(1)).collect();
            assert_eq!(named, lines, "{text}: {found:?}");
            assert!(found[0].contains("double quotes"), "{found:?}");
        }
        let kept = EnvFile::parse(".env", "A=it's\nB=2\nC=don't\nD=4\n").values;
        assert_eq!(kept, map(&[("B", "2"), ("D", "4")]), "what stands between is read");
        let fine = "A=\"it's\"\nB='two\nlines' # don't\nC=\"x\ny\"\nD=it\\'s\nE=5\n";
        let expected = map(&[("A", "it's"), ("B", "two\nlines"), ("C", "x\ny"), ("D", "it's"), ("E", "5")]);
        assert_eq!(values(fine), expected);
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
