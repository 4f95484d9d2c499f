//! The rule that all names share, those of administrators, users, keys and backends: how they are written down, and
//! which two of them people would take for one.

use domain::error::FieldError;
use unicode_normalization::UnicodeNormalization;

/// Most characters of a name.
pub(crate) const MAX_NAME: usize = 100;

/// The trimmed name in Unicode's composed form (NFC), or what is wrong with it beside `field`.
pub(crate) fn check(field: &str, text: &str) -> Result<String, FieldError> {
    let name: String = text.trim().nfc().collect();
    if name.is_empty() {
        return Err(FieldError::new(field, "give a name"));
    }
    if name.chars().count() > MAX_NAME {
        return Err(FieldError::new(field, format!("must be at most {MAX_NAME} characters")));
    }
    if name.chars().any(|letter| letter.is_control() || is_invisible(letter)) {
        return Err(FieldError::new(field, "must not hold control characters or invisible ones"));
    }
    if fold(&name).is_empty() {
        return Err(FieldError::new(field, "give a name that can be seen"));
    }
    Ok(name)
}

/// Refuses a name that stands for somebody else: one of those in `taken`, but for case, spaces and signs, or one that
/// mixes letters of scripts that look alike.
pub(crate) fn check_unmistakable(field: &str, name: &str, taken: &[&str]) -> Result<(), FieldError> {
    let bare = |text: &str| fold(text).chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
    if let Some(taken) = taken.iter().find(|taken| bare(taken) == bare(name)) {
        return Err(FieldError::new(
            field,
            format!("is what the audit log calls somebody else ({taken}): take another"),
        ));
    }
    if name.split(|letter: char| !letter.is_alphanumeric()).any(is_mixed) {
        return Err(FieldError::new(
            field,
            "must not mix Latin letters with Greek or Cyrillic ones, which look the same",
        ));
    }
    Ok(())
}

/// A word with letters of two of the scripts that share shapes.
fn is_mixed(word: &str) -> bool {
    let script = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some(0),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(1),
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' => Some(2),
        _ => None,
    };
    let mut scripts = word.nfkc().filter_map(script);
    let first = scripts.next();
    scripts.any(|script| Some(script) != first)
}

/// Two names that people would take for the same.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left == right || fold(left) == fold(right)
}

/// The one of `rows` that `text` means. An older version may have stored two that are the same by today's rule, so the
/// spelling decides first, then the spelling but for case.
pub(crate) fn find<'a, T>(
    rows: impl Iterator<Item = &'a T> + Clone,
    text: &str,
    name: impl Fn(&T) -> &str,
) -> Option<&'a T> {
    let (text, lower) = (text.trim(), text.trim().to_lowercase());
    let exact = rows.clone().find(|row| name(row) == text);
    let cased = || rows.clone().find(|row| name(row).to_lowercase() == lower);
    exact.or_else(cased).or_else(|| rows.clone().find(|row| same(name(row), text)))
}

/// What is left of a name when everything is taken away that the eye passes over: case, wide and other compatible
/// forms, the choice among shapes of one character, the width of spaces.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        // The same, for the many names and notes that a search goes over.
        let lower = text.to_ascii_lowercase();
        return lower.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let plain: String = text.nfkc().filter(|letter| !is_shape(*letter)).collect();
    // Lower case may come apart again, as that of İ does.
    let lower: String = plain.to_lowercase().nfkc().collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks that turn the reading direction or show nothing, by which a name could pass for another.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Selects among the shapes of the character before it; emoji are often written with one.
fn is_shape(letter: char) -> bool {
    matches!(letter, '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(check("name", "  Ada Lovelace "), Ok("Ada Lovelace".into()));
        assert_eq!(check("name", &"é".repeat(100)).map(|name| name.chars().count()), Ok(100));
        assert_eq!(check("name", "❤\u{fe0f} gpu"), Ok("❤\u{fe0f} gpu".into()));
        let marks = ["a\u{202e}b", "a\u{200b}b", "a\u{ad}b", "a\u{61c}b", "a\u{2066}b", "\u{3164}", "a\u{e0041}"];
        for bad in ["", " \t", &"x".repeat(101), "a\nb", "a\u{0}", "a\u{85}b", "\u{fe0f}"].iter().chain(&marks) {
            assert_eq!(check("name", bad).unwrap_err().field, "name", "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_called_as_somebody_else() {
        let verdict = |name: &str| check_unmistakable("name", name, &["command line", "gateway"]);
        for bad in [
            "command line",
            "Command Line",
            "command-line",
            "command_line.",
            "COMMANDLINE",
            "Gateway",
            "g\u{ff41}teway",
        ] {
            assert_eq!(verdict(bad).unwrap_err().field, "name", "{bad}");
        }
        // Cyrillic o, a; Greek omicron.
        for bad in ["r\u{43e}ot", "g\u{430}teway", "r\u{3bf}ot", "two r\u{43e}ots"] {
            assert!(verdict(bad).unwrap_err().message.contains("must not mix"), "{bad}");
        }
        for good in ["root", "Ольга", "Ольга 2 Smith", "Ω", "Amélie", "gateway admin", "山田 taro", "µ"]
        {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn names_are_stored_composed() {
        assert_eq!(check("name", "Ame\u{301}lie"), Ok("Am\u{e9}lie".into()));
        assert_eq!(check("name", &"e\u{301}".repeat(100)).map(|name| name.chars().count()), Ok(100));
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for (left, right) in [
            ("ada", "ADA"),
            ("Am\u{e9}lie", "ame\u{301}LIE"),
            ("ada", "\u{ff41}\u{ff44}\u{ff41}"),
            ("gpu 1", "gpu\u{a0}1"),
            ("gpu 1", "gpu  1"),
            ("❤ gpu", "❤\u{fe0f} gpu"),
            ("\u{212b}", "\u{e5}"),
            ("\u{130}x", "i\u{307}x"),
        ] {
            assert!(same(left, right) && same(right, left), "{left:?} and {right:?}");
        }
        assert!(!same("ada", "adam") && !same("gpu 1", "gpu1") && !same("Strauß", "Strauss"));
    }

    #[test]
    fn of_two_old_names_the_one_that_is_written_is_found() {
        let rows = ["\u{ff41}\u{ff44}\u{ff41}".to_owned(), "Ada".to_owned()];
        let found = |text: &str| find(rows.iter(), text, |row| row).cloned();
        assert_eq!(found("ada").as_deref(), Some("Ada"));
        assert_eq!(found(" Ada ").as_deref(), Some("Ada"));
        assert_eq!(found("\u{ff41}\u{ff44}\u{ff41}").as_ref(), Some(&rows[0]));
        assert_eq!(found("\u{ff21}\u{ff24}\u{ff21}").as_ref(), Some(&rows[0]));
        assert_eq!(found("bob"), None);
    }
}
