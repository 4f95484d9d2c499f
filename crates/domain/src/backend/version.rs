//! What is known against versions of Ollama.

/// What to say about an Ollama of this version, `None` where nothing is known against it or the text is no version. One
/// that was built from its sources calls itself 0.0.0.
pub fn ollama_warning(version: &str) -> Option<&'static str> {
    let (numbers, candidate) = version.trim().split_once('-').map_or((version.trim(), false), |(left, _)| (left, true));
    let mut numbers = numbers.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?, numbers.next()?);
    let old = version < (0, 17, 1) || version == (0, 17, 1) && candidate;
    (old && version != (0, 0, 0)).then_some(
        "Ollama before 0.17.1 lets whoever may create and push models read its memory (CVE-2026-7482): update it, and \
         let nobody but this gateway reach it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_known_faults_are_warned_of() {
        for old in ["0.1.33", "0.9.0", "0.17.0", "0.17.0-rc2", "0.17.1-rc0"] {
            assert!(ollama_warning(old).is_some(), "{old}");
        }
        for good in ["0.17.1", "0.17.10", "0.18.0-rc1", "1.0.0", "0.0.0", "", "<b>0.12", "0.12", "latest"] {
            assert_eq!(ollama_warning(good), None, "{good}");
        }
    }
}
