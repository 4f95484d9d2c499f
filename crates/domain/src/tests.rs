//! What holds for inputs of every page: lists of their fields are whole, and whatever holds a secret cannot be printed.

use std::{collections::BTreeSet, fs, path::Path};

use serde::Serialize;

/// The lists together name every field of `input` once, and nothing else.
pub fn assert_fields(input: &impl Serialize, lists: &[&[&str]]) {
    let value = serde_json::to_value(input).unwrap();
    let fields: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let listed: Vec<&str> = lists.concat();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), fields);
    assert_eq!(listed.len(), fields.len(), "none is listed twice");
}

/// Names that say what a text is.
const SECRET: [&str; 7] = ["password", "token", "secret", "private_key", "passphrase", "code", "recovery"];

/// Every struct of this crate with what it derives and the names of its text fields.
fn structs(folder: &Path, found: &mut Vec<(String, String, Vec<String>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            structs(&path, found);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let mut derives = String::new();
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("#[derive(") {
                derives = line.to_owned();
            } else if let Some(rest) = line.strip_prefix("pub struct ").filter(|rest| rest.ends_with('{')) {
                let body = lines.by_ref().take_while(|line| *line != "}");
                let texts = body.filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
                let texts =
                    texts.filter(|(_, kind)| ["String,", "Option<String>,"].contains(kind)).map(|(name, _)| name);
                let texts = texts.map(str::to_owned).collect();
                found.push((rest.trim_end_matches(" {").to_owned(), std::mem::take(&mut derives), texts));
            } else if !line.starts_with("#[") && !line.starts_with("///") {
                derives.clear();
            }
        }
    }
}

#[test]
fn what_holds_a_secret_cannot_be_printed() {
    let mut found = Vec::new();
    structs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let secret = |name: &String| SECRET.iter().any(|word| name == word || name.ends_with(&format!("_{word}")));
    let holders: Vec<_> = found
        .iter()
        .filter(|(_, _, texts)| texts.iter().any(|name| secret(name) && !name.contains("forget")))
        .collect();
    let printable: Vec<_> = holders.iter().filter(|(_, derives, _)| derives.contains("Debug")).collect();
    assert!(printable.is_empty(), "{printable:?}");
    // The look is not blind.
    for expected in ["SaveSettings", "SavePair", "AddBackend", "Login", "CreatedKey"] {
        assert!(holders.iter().any(|(name, _, _)| name == expected), "{expected} in {holders:?}");
    }
}
