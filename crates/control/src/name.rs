//! The rule that all names share, those of administrators, users, keys and backends.

use domain::error::FieldError;

/// Most characters of a name.
pub(crate) const MAX_NAME: usize = 100;

/// The trimmed name, or what is wrong with it beside `field`.
pub(crate) fn check(field: &str, text: &str) -> Result<String, FieldError> {
    let name = text.trim();
    if name.is_empty() {
        return Err(FieldError::new(field, "give a name"));
    }
    if name.chars().count() > MAX_NAME {
        return Err(FieldError::new(field, format!("must be at most {MAX_NAME} characters")));
    }
    if name.chars().any(|letter| letter.is_control() || is_invisible(letter)) {
        return Err(FieldError::new(field, "must not hold control characters"));
    }
    Ok(name.to_owned())
}

/// Two names that people would take for the same.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left == right || left.to_lowercase() == right.to_lowercase()
}

/// Marks that turn the reading direction or show nothing, by which a name could pass for another.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(check("name", "  Ada Lovelace "), Ok("Ada Lovelace".into()));
        assert_eq!(check("name", &"é".repeat(100)).map(|name| name.chars().count()), Ok(100));
        for bad in ["", " \t", &"x".repeat(101), "a\nb", "a\u{0}", "a\u{202e}b"] {
            assert_eq!(check("name", bad).unwrap_err().field, "name", "{bad:?}");
        }
    }
}
