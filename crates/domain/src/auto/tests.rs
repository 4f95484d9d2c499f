//! The rules of the pick as tables, and what a form is refused for.

use std::collections::BTreeMap;

use super::*;

const TEXT: Abilities = Abilities { text: true, images: false, tools: false, embeddings: false };
const EYES: Abilities = Abilities { images: true, ..TEXT };
const HANDS: Abilities = Abilities { tools: true, ..TEXT };
const BOTH: Abilities = Abilities { images: true, tools: true, ..TEXT };
const VECTORS: Abilities = Abilities { text: false, embeddings: true, images: false, tools: false };

const GENERAL: Purposes = Purposes { general: true, code: false, images: false, tools: false, embeddings: false };
const CODE: Purposes = Purposes { general: false, code: true, ..GENERAL };
const EITHER: Purposes = Purposes { code: true, ..GENERAL };

const PLAIN: Wanted = Wanted { embeddings: false, images: false, tools: false, code: false };

fn entry(purposes: Purposes, can: Abilities) -> Entry {
    Entry { purposes, can, warm: false }
}

#[test]
fn who_can_answer_comes_in_the_stated_order() {
    // 0 general, 1 code, 2 general that sees, 3 either that sees and uses tools, 4 embeds, 5 general with tools.
    let fleet = [
        entry(GENERAL, TEXT),
        entry(CODE, TEXT),
        entry(GENERAL, EYES),
        entry(EITHER, BOTH),
        entry(GENERAL, VECTORS),
        entry(GENERAL, HANDS),
    ];
    for (wanted, expected) in [
        (PLAIN, &[0, 2, 3, 5, 1][..]),
        (Wanted { code: true, ..PLAIN }, &[1, 3, 0, 2, 5]),
        (Wanted { images: true, ..PLAIN }, &[2, 3]),
        (Wanted { images: true, code: true, ..PLAIN }, &[3, 2]),
        (Wanted { tools: true, ..PLAIN }, &[3, 5]),
        (Wanted { images: true, tools: true, ..PLAIN }, &[3]),
        (Wanted { embeddings: true, ..PLAIN }, &[4]),
        (Wanted { embeddings: true, code: true, ..PLAIN }, &[4]),
    ] {
        assert_eq!(wanted.rank(&fleet, true), expected, "{wanted:?}");
    }
    assert!(Wanted { images: true, ..PLAIN }.rank(&fleet[..2], true).is_empty());
}

#[test]
fn loaded_models_come_first_only_where_nobody_ordered_them() {
    let mut fleet = [entry(GENERAL, TEXT), entry(GENERAL, TEXT), entry(GENERAL, TEXT)];
    fleet[1].warm = true;
    assert_eq!(PLAIN.rank(&fleet, false), [1, 0, 2]);
    assert_eq!(PLAIN.rank(&fleet, true), [0, 1, 2]);
}

#[test]
fn the_reason_says_what_was_found_and_among_which_it_was_the_first() {
    let images = Wanted { images: true, ..PLAIN };
    for (wanted, first, ordered, expected) in [
        (PLAIN, entry(GENERAL, TEXT), true, "first of the models that are for general use"),
        (PLAIN, entry(CODE, TEXT), true, "first of all models"),
        (images, entry(GENERAL, EYES), true, "image in the request, first of the models that see images"),
        (
            Wanted { tools: true, code: true, ..images },
            entry(CODE, BOTH),
            true,
            "image in the request and tools in the request and code in the last message, \
             first of the models that see images and use tools and are for code",
        ),
        (Wanted { code: true, ..PLAIN }, entry(GENERAL, TEXT), true, "code in the last message, first of all models"),
        (
            Wanted { embeddings: true, ..PLAIN },
            entry(GENERAL, VECTORS),
            true,
            "first of the models that make embeddings",
        ),
        (PLAIN, entry(GENERAL, TEXT), false, "first by name of the models that are for general use"),
        (
            PLAIN,
            Entry { warm: true, ..entry(GENERAL, TEXT) },
            false,
            "first of the models that are for general use, loaded",
        ),
    ] {
        assert_eq!(wanted.reason(first, ordered), expected, "{wanted:?}");
    }
}

#[test]
fn what_a_model_can_do_is_what_lists_say_and_what_was_ticked() {
    for (capabilities, family, expected) in [
        (&["completion", "vision", "insert"][..], "llama", EYES),
        (&["completion", "tools", "thinking"], "qwen3", HANDS),
        (&["embedding"], "nomic-bert", VECTORS),
        (&["insert"], "llama", Abilities::default()),
        (&[], "llama", TEXT),
        (&[], "nomic-bert", VECTORS),
        (&[], "", TEXT),
    ] {
        assert_eq!(Abilities::told(capabilities.iter().copied(), family), expected, "{capabilities:?} {family}");
    }
    assert_eq!(TEXT.with(Purposes { images: true, ..GENERAL }), EYES);
    assert_eq!((BOTH.words().as_str(), Abilities::default().words().as_str()), ("text, images, tools", ""));
}

#[test]
fn a_message_is_about_code_by_its_fence_or_a_word_of_its_own() {
    for text in
        ["look:\n```\nlet x", "Write a PYTHON script", "why does this function fail?", "sql,please", "my_x in rust."]
    {
        assert!(is_about_code(text), "{text}");
    }
    for text in
        ["", "what is the postcode of Bern?", "`tick`", "decode my dream", "javascripts", "rusty code_of_honour"]
    {
        assert!(!is_about_code(text), "{text}");
    }
    assert!(CODE_WORDS.is_sorted());
}

fn form(rows: &[(&str, &str, &str, &[&str])]) -> SaveAuto {
    let mut input = SaveAuto { on: true, ..SaveAuto::default() };
    for (row, model, place, purposes) in rows {
        input.models.insert((*row).into(), (*model).into());
        input.places.insert((*row).into(), (*place).into());
        let boxes: BTreeMap<String, bool> = purposes.iter().map(|word| ((*word).to_owned(), true)).collect();
        input.purposes.insert((*row).into(), boxes);
    }
    input
}

#[test]
fn the_list_of_fields_is_whole() {
    let rows = SaveAuto::ROWS.map(|start| start.trim_end_matches("]["));
    crate::tests::assert_fields(&form(&[("r0", "a", "1", &["code"])]), &[&SaveAuto::FIELDS, &rows]);
}

#[test]
fn rows_are_put_in_the_order_of_their_places_and_empty_ones_left_out() {
    let checked = form(&[
        ("r0", "llama3.2:3b", "2", &["general"]),
        ("r1", " qwen2.5-coder ", "1", &["code", "tools"]),
        ("r2", "", "0", &[]),
        ("r10", "phi4", "", &["general"]),
        ("r9", "gemma3", "", &["general", "images"]),
    ]);
    let checked = checked.check().unwrap();
    let told: Vec<_> =
        checked.models.iter().map(|entry| format!("{}: {}", entry.model, entry.purposes.words())).collect();
    assert_eq!(
        told,
        ["qwen2.5-coder: code, tools", "llama3.2:3b: general", "gemma3: general, images", "phi4: general"]
    );
    assert!(checked.on);
    assert_eq!(SaveAuto::default().check(), Ok(Checked { on: false, models: Vec::new() }));
}

#[test]
fn what_cannot_be_is_refused_with_its_model() {
    let general: &[&str] = &["general"];
    for (rows, fault) in [
        (&[("r0", "llama*", "", general)][..], "\"llama*\" must be one model"),
        (&[("r0", "a b", "", general)], "\"a b\" must be one model"),
        (&[("r0", "gpt-oss:20b-cloud", "", general)], "\"gpt-oss:20b-cloud\" is a cloud model"),
        (&[("r0", "AUTO:latest", "", general)], "auto cannot pick itself"),
        (&[("r0", "a", "", general), ("r1", "library/A:latest", "", general)], "a is named twice"),
        (&[("r0", "a", "", &[])], "say what a is for"),
        (&[("r0", "a", "x", general)], "the place of a must be a whole number"),
        (&[("r0", "a", "", &["poetry"])], "\"poetry\" is nothing that a model is for"),
    ] {
        let faults = form(rows).check().unwrap_err();
        assert!(faults[0].field == "models" && faults[0].message.starts_with(fault), "{faults:?}");
    }
    let mut many = SaveAuto::default();
    for number in 0..=MAX_MODELS {
        many.models.insert(format!("r{number}"), format!("m{number}"));
        many.purposes.insert(format!("r{number}"), [("general".to_owned(), true)].into());
    }
    assert_eq!(many.check().unwrap_err()[0].message, "at most 32 models, these are 33");
}
