//! Merged bodies, byte for byte where clients read them.

use serde_json::{Value, json};

use super::*;
use crate::backend::tests::{ollama, ollama_with, openai};

const NONE: &str = r#"{"models":[]}"#;

fn built(seen: &[Seen]) -> Listings {
    Listings::build(&seen.iter().collect::<Vec<_>>(), &Aliases::default())
}

fn parsed(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn column(body: &Bytes, list: &str, member: &str) -> Vec<Value> {
    parsed(body)[list].as_array().unwrap().iter().map(|row| row[member].clone()).collect()
}

#[test]
fn an_empty_fleet_has_empty_lists_and_never_null() {
    let listings = Listings::default();
    assert_eq!(listings.tags.whole, r#"{"models":[]}"#);
    assert_eq!(listings.ps.whole, r#"{"models":[]}"#);
    assert_eq!(listings.openai.whole, r#"{"object":"list","data":[]}"#);
    assert_eq!(listings.version, r#"{"version":"0.0.0"}"#);
    assert_eq!(listings.openai_model("a"), None);
}

#[test]
fn a_row_passes_as_it_came() {
    let row = r#"{"name":"llama3.2:latest","model":"llama3.2:latest","modified_at":"2025-05-04T17:37:44.706015396-07:00","size":2019393189,"digest":"a80c","details":{"parent_model":"","format":"gguf"},"capabilities":["completion"]}"#;
    let list = format!(r#"{{"models":[{row}]}}"#);
    let listings = built(&[ollama(&list, NONE, "0.5.1")]);
    assert_eq!(listings.tags.whole, list);
    let openai = r#"{"created":1746405464,"id":"llama3.2:latest","object":"model","owned_by":"library"}"#;
    assert_eq!(listings.openai.whole, format!(r#"{{"object":"list","data":[{openai}]}}"#));
}

#[test]
fn one_name_is_one_row_and_the_last_modified_comes_first() {
    let one = r#"{"models":[
        {"name":"a:latest","digest":"d1","modified_at":"2025-01-01T00:00:00Z"},
        {"name":"old:latest","digest":"o","modified_at":"2024-01-01T00:00:00Z"},
        {"name":"drift:latest","digest":"first","modified_at":"2023-01-01T00:00:00Z"}]}"#;
    let two = r#"{"models":[
        {"name":"A","digest":"d1","modified_at":"2025-01-01T02:00:00+01:00"},
        {"name":"new:latest","digest":"n","modified_at":"2026-01-01T00:00:00Z"},
        {"name":"drift:latest","digest":"second","modified_at":"2025-06-01T00:00:00Z"}]}"#;
    let listings = built(&[ollama(one, NONE, "1"), ollama(two, NONE, "1")]);
    assert_eq!(column(&listings.tags.whole, "models", "name"), ["new:latest", "A", "old:latest", "drift:latest"]);
    assert_eq!(column(&listings.tags.whole, "models", "digest"), ["n", "d1", "o", "first"]);
    assert_eq!(column(&listings.openai.whole, "data", "id"), ["new:latest", "A", "old:latest", "drift:latest"]);
}

#[test]
fn foreign_rows_pass_as_they_came_and_get_rows_of_tags() {
    let list = r#"{"object":"list","data":[{"id":"Qwen/Qwen3-8B","object":"model","created":1700000000,"owned_by":"vllm","max_model_len":40960},{"id":"b"}]}"#;
    let listings = built(&[openai(list), ollama_with(&["b"])]);
    let data = parsed(&listings.openai.whole)["data"].clone();
    assert_eq!(
        data[0],
        json!({"id":"Qwen/Qwen3-8B","object":"model","created":1700000000,"owned_by":"vllm","max_model_len":40960})
    );
    assert_eq!(column(&listings.openai.whole, "data", "id"), ["Qwen/Qwen3-8B", "b"], "one row an id");
    let row = &parsed(&listings.tags.whole)["models"][0];
    assert_eq!((row["model"].as_str(), row["size"].as_u64()), (Some("Qwen/Qwen3-8B"), Some(0)));
    assert!(row["digest"].as_str().unwrap().len() >= 12);
}

#[test]
fn one_model_is_found_under_every_spelling_and_answers_in_the_clients() {
    let listings = built(&[ollama_with(&["me/llama3:8b", "b:latest"]), openai(r#"{"data":[{"id":"My.Org/X"}]}"#)]);
    for (asked, owner) in [("b", "library"), ("B:latest", "library"), ("library/b", "library"), ("ME/llama3:8B", "me")]
    {
        let row = parsed(&listings.openai_model(asked).unwrap());
        assert_eq!((row["id"].as_str(), row["owned_by"].as_str()), (Some(asked), Some(owner)));
    }
    assert_eq!(parsed(&listings.openai_model("My.Org/X").unwrap())["id"], "My.Org/X");
    for unknown in ["my.org/x", "llama3", "", "b:8b", "b:cloud"] {
        assert_eq!(listings.openai_model(unknown), None, "{unknown}");
    }
}

#[test]
fn stubs_of_models_that_are_not_served_are_not_listed() {
    let list = r#"{"models":[{"name":"a:20b-cloud"},{"name":"b","remote_host":"https://ollama.com"},{"name":"c"}]}"#;
    let listings = built(&[ollama(list, NONE, "1")]);
    assert_eq!(column(&listings.tags.whole, "models", "name"), ["c"]);
    assert_eq!(listings.openai_model("b"), None);
}

#[test]
fn loaded_models_are_added_up_over_the_backends_that_answer() {
    let row = |name: &str, digest: &str, size: u64, expires: &str| {
        format!(
            r#"{{"name":"{name}","model":"{name}","size":{size},"digest":"{digest}","expires_at":"{expires}","size_vram":{size},"context_length":4096}}"#
        )
    };
    let list = |rows: &[String]| format!(r#"{{"models":[{}]}}"#, rows.join(","));
    let alone = row("c:latest", "c", 1, "2026-01-01T12:00:00Z");
    let one = list(&[row("a:latest", "d", 10, "2026-01-01T10:00:00Z"), alone.clone()]);
    let two = list(&[
        row("A:latest", "d", 5, "2026-01-01T13:00:00+00:00"),
        row("a:latest", "other", 7, "2026-01-01T09:00:00Z"),
    ]);
    let mut down = ollama(NONE, &list(&[row("gone", "g", 1, "2027-01-01T00:00:00Z")]), "1");
    down.lose(true);
    let listings = built(&[ollama(NONE, &one, "1"), ollama(NONE, &two, "1"), down]);
    assert_eq!(column(&listings.ps.whole, "models", "name"), ["a:latest", "c:latest", "a:latest"]);
    assert_eq!(column(&listings.ps.whole, "models", "size"), [15, 1, 7]);
    assert_eq!(parsed(&listings.ps.whole)["models"][0]["size_vram"], 15);
    assert_eq!(parsed(&listings.ps.whole)["models"][0]["expires_at"], "2026-01-01T13:00:00+00:00");
    assert!(
        listings.ps.whole.windows(alone.len()).any(|window| window == alone.as_bytes()),
        "a single row passes as it came"
    );
}

#[test]
fn the_version_is_the_lowest_that_answers() {
    let version = |seen: &[Seen]| built(seen).version;
    let at = |version: &str| ollama(NONE, NONE, version);
    let mut down = at("0.1.0");
    down.lose(true);
    assert_eq!(version(&[at("0.12.0"), at("0.9.3"), down.clone()]), r#"{"version":"0.9.3"}"#);
    assert_eq!(version(&[at("0.12.0"), at("0.12.0-rc1")]), r#"{"version":"0.12.0-rc1"}"#);
    assert_eq!(version(&[down]), r#"{"version":"0.1.0"}"#, "better than none");
    assert_eq!(version(&[openai(r#"{"data":[]}"#)]), r#"{"version":"0.0.0"}"#);
}
