//! T01: what is sent to the database is written in the source. Values travel as parameters, never inside the text.

use std::{fs, path::Path};

/// Texts that are put together, because a parameter cannot stand there: of names that the address admits letters, digits,
/// - and _ in only.
const ALLOWED: [&str; 2] = [
    "db.query(format!(\"DEFINE NAMESPACE IF NOT EXISTS `{namespace}`\"))",
    "db.query(format!(\"DEFINE DATABASE IF NOT EXISTS `{database}`\"))",
];
/// What runs a text that another place gave it.
const CALLS: [&str; 3] = [".query(", ".run(", ".rows("];

/// Everything up to the first tests of each source below a folder, without blanks and comments.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.push((path.display().to_string(), lines.map(str::trim).collect::<String>()));
        }
    }
}

#[test]
fn no_statement_is_put_together_from_values_but_where_it_is_listed() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let mut looked_at = 0;
    for (path, mut program) in found {
        for allowed in ALLOWED {
            program = program.replace(allowed, "");
        }
        for call in CALLS {
            for argument in program.split(call).skip(1) {
                looked_at += 1;
                let argument = argument.trim_start_matches(['&', '(']);
                let built = ["format!", "concat", "String::", "[", "join", "text.to_owned() +"];
                assert!(!built.iter().any(|start| argument.starts_with(start)), "{path}: {call}{argument:.80}");
                let first = argument.split([',', ')']).next().unwrap();
                assert!(!first.contains('+') && !first.contains("format!"), "{path}: {call}{first}");
            }
        }
    }
    assert!(looked_at > 5, "the sources were looked at");
}
