//! Versions as backends tell them, compared: numbers between dots, and what comes before a release behind a dash.

use std::cmp::Ordering;

/// A version that can be compared with another.
#[derive(Debug, Clone)]
pub struct Version<'v> {
    numbers: Vec<u32>,
    /// `rc1` in `0.17.0-rc1`.
    candidate: Option<&'v str>,
}

impl<'v> Version<'v> {
    /// `None` for what is no version. What a build adds behind a plus does not count.
    pub fn parse(text: &'v str) -> Option<Self> {
        let text = text.trim();
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, candidate) = match text.split_once('-') {
            Some((numbers, candidate)) => (numbers, Some(candidate)),
            None => (text, None),
        };
        let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        let numbers: Vec<u32> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        candidate
            .is_none_or(|candidate| !candidate.is_empty() && word(candidate))
            .then_some(Self { numbers, candidate })
    }

    /// Digits and the rest of a candidate's name: `rc10` comes after `rc9`.
    fn candidate_parts(&self) -> Option<(&'v str, u32)> {
        let candidate = self.candidate?;
        let name = candidate.trim_end_matches(|letter: char| letter.is_ascii_digit());
        Some((name, candidate[name.len()..].parse().unwrap_or(0)))
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let padded = |version: &Self| (0..length).map(|at| version.numbers.get(at).copied().unwrap_or(0)).collect();
        let (left, right): (Vec<u32>, Vec<u32>) = (padded(self), padded(other));
        left.cmp(&right).then_with(|| match (self.candidate_parts(), other.candidate_parts()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => left.cmp(&right),
        })
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version<'_> {}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Both mean the same version; where one of them is none, whether they are the same text.
pub fn same_version(left: &str, right: &str) -> bool {
    match (Version::parse(left), Version::parse(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left.trim() == right.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_in_which_they_were_released() {
        let ordered = ["0.9.6", "0.10", "0.17.0-rc2", "0.17.0-rc10", "0.17.0", "0.17.1", "0.17.10", "1.0"];
        for (at, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                let found = Version::parse(left).unwrap().cmp(&Version::parse(right).unwrap());
                assert_eq!(found, at.cmp(&other), "{left} {right}");
            }
        }
        for none in ["", "latest", "1.", ".1", "1.x", "1-", "1-<b>", "99999999999"] {
            assert_eq!(Version::parse(none), None, "{none}");
        }
        assert!(same_version("0.17", " 0.17.0 ") && same_version("0.17.0+cuda", "0.17.0") && same_version("x", "x"));
        assert!(!same_version("0.17.0-rc1", "0.17.0") && !same_version("x", "0.1"));
    }
}
