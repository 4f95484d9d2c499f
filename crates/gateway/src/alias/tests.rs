//! What holds for every table of aliases, however it was filled.

use std::collections::{BTreeMap, HashSet};

use domain::{alias, model::Source};
use proptest::prelude::*;

use super::*;

/// A walk over aliases from one of them, and what it meets.
fn reached(stored: &BTreeMap<String, Vec<String>>, from: &str) -> HashSet<String> {
    let (mut reached, mut coming) = (HashSet::new(), vec![from.to_owned()]);
    while let Some(next) = coming.pop() {
        for target in stored.get(&next).into_iter().flatten() {
            if reached.insert(target.clone()) {
                coming.push(target.clone());
            }
        }
    }
    reached
}

proptest! {
    #[test]
    fn whatever_is_stored_every_name_leads_to_models_and_ends(
        stored in proptest::collection::btree_map("[a-h]", proptest::collection::vec("[a-l]", 1..8), 0..8),
        name in "[a-l]",
    ) {
        let all: alias::Aliases = stored.clone().into_iter().collect();
        let models = all.models(&name);
        prop_assert!(models.iter().all(|model| !stored.contains_key(model)), "{:?}", models);
        prop_assert_eq!(models.iter().collect::<HashSet<_>>().len(), models.len());
        let mut expected = reached(&stored, &name);
        expected.insert(name.clone());
        expected.retain(|model| !stored.contains_key(model));
        prop_assert_eq!(models.into_iter().collect::<HashSet<_>>(), expected);
    }

    #[test]
    fn a_circle_is_found_exactly_where_a_walk_comes_back(
        stored in proptest::collection::btree_map("[a-h]", proptest::collection::vec("[a-l]", 1..4), 0..8),
        name in "[a-l]",
    ) {
        let all: alias::Aliases = stored.clone().into_iter().collect();
        let circle = all.circle(&name);
        prop_assert_eq!(circle.is_some(), stored.contains_key(&name) && reached(&stored, &name).contains(&name));
        for pair in circle.iter().flat_map(|way| way.windows(2)) {
            prop_assert!(stored[&pair[0]].contains(&pair[1]), "{:?}", pair);
        }
    }

    #[test]
    fn a_short_name_is_the_one_of_lists_without_the_usual_tag(
        text in "((registry\\.ollama\\.ai|Hf\\.co)/)?((library|Me)/)?[a-zA-Z]{1,6}(:(latest|LATEST|8b|q-Cloud|local))?",
    ) {
        // A host is one only with a namespace behind it.
        let Ok((name, source)) = ModelName::parse(&text) else { return Ok(()) };
        let display = name.display();
        let expected = display.strip_suffix(":latest").unwrap_or(display).to_owned();
        let mut buffer = [0; SHORT];
        let short = ModelName::short(&text, &mut buffer);
        prop_assert_eq!(short.map(str::to_owned), (source != Source::Cloud).then_some(expected));
    }
}

#[test]
fn an_alias_is_found_by_every_spelling_that_a_model_would_be() {
    let aliases: Aliases =
        [("fast".to_owned(), vec!["llama3.2".to_owned()]), ("me/big:v2".to_owned(), vec![])].into_iter().collect();
    for text in
        ["fast", "FAST", " fast:latest ", "library/Fast", "registry.ollama.ai/library/fast:latest", "fast:local"]
    {
        assert_eq!(aliases.find(text).map(|alias| alias.display.as_str()), Some("fast:latest"), "{text}");
    }
    assert_eq!(aliases.find("ME/big:V2").map(|alias| alias.name.as_str()), Some("me/big:v2"));
    for text in ["", "fast:8b", "me/fast", "fast:cloud", "big:v2", "a b"] {
        assert_eq!(aliases.find(text), None, "{text}");
    }
    assert_eq!(Aliases::default().find("fast"), None);
}
