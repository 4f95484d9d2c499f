//! What is read is what serde_json wrote, and what serde_json refuses is refused.

use std::collections::BTreeMap;

use domain::{error::AdminError, live::LiveStatus};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::decode;
use crate::error::AppError;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Alone,
    One(String),
    Two(u8, bool),
    Named { at: i64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Whole(u16);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct All {
    text: String,
    letter: char,
    most: u64,
    least: i64,
    part: f64,
    is: bool,
    maybe: Option<Box<All>>,
    none: Option<String>,
    kinds: Vec<Kind>,
    pair: (Whole, ()),
    map: BTreeMap<String, Vec<u32>>,
    #[serde(default)]
    defaulted: u64,
}

fn all() -> All {
    let inner = All {
        text: "\"\\/ \u{8}\u{c}\n\r\t\u{1} ä模🎉 \u{202e}".into(),
        letter: '🎉',
        most: u64::MAX,
        least: i64::MIN,
        part: -0.1e-7,
        is: true,
        maybe: None,
        none: None,
        kinds: vec![],
        pair: (Whole(0), ()),
        map: BTreeMap::new(),
        defaulted: 3,
    };
    let kinds = vec![Kind::Alone, Kind::One(String::new()), Kind::Two(255, false), Kind::Named { at: -1 }];
    let map = BTreeMap::from([(String::new(), vec![]), ("\"ä\"".to_owned(), vec![0, 1, u32::MAX])]);
    All { maybe: Some(Box::new(inner.clone())), kinds, map, is: false, letter: '"', ..inner }
}

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    for text in [serde_json::to_string(value).unwrap(), serde_json::to_string_pretty(value).unwrap()] {
        assert_eq!(decode::<T>(&text).as_ref(), Ok(value), "{text}");
        // No part of it is taken for the whole.
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(decode::<T>(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
}

#[test]
fn what_was_written_is_read() {
    reads_back(&all());
    reads_back(&LiveStatus { read_only: Some("the disk is full".into()), ..LiveStatus::default() });
    reads_back(&Ok::<_, AppError>(vec![Some(1_u8), None]));
    reads_back(&Err::<(), _>(AppError(AdminError::invalid("name", "is \"taken\""))));
}

#[test]
fn escapes_and_spaces_are_read_as_serde_json_reads_them() {
    for text in [
        r#""\ud83c\udf89\u00e4\/""#,
        r#" "\u0000" "#,
        r#""\ud83c""#,
        r#""\ud83cx""#,
        r#""\udf89""#,
        r#""\x""#,
        "\"\n\"",
    ] {
        assert_eq!(decode::<String>(text).ok(), serde_json::from_str::<String>(text).ok(), "{text}");
    }
    assert_eq!(decode::<Vec<u8>>(" [ 1 ,\n2\t] \r"), Ok(vec![1, 2]));
}

#[test]
fn what_is_not_known_is_passed_over() {
    let text = r#"{"x":{"y":[1.5e3,"]}",null,{}],"z":true},"id":7,"w":[]}"#;
    #[derive(Debug, PartialEq, Deserialize)]
    struct Id {
        id: u8,
    }
    assert_eq!(decode::<Id>(text), Ok(Id { id: 7 }));
}

#[test]
fn what_is_no_json_or_another_type_is_a_fault() {
    let lists = [
        "", "[", "[1,]", "[,1]", "[1 2]", "[1}", "[01]", "[+1]", "[-1]", "[256]", "[1.0]", "[1]]", "[1],", "{}",
        "null", "[\"1\"]",
    ];
    for text in lists {
        assert!(decode::<Vec<u8>>(text).is_err() && serde_json::from_str::<Vec<u8>>(text).is_err(), "{text}");
    }
    for text in [
        r#"{"Alone":1}"#,
        r#""One""#,
        r#""None""#,
        r#"{"One":"a","Two":[1,true]}"#,
        r#"{"Two":[1]}"#,
        r#"{"Two":[1,true,2]}"#,
    ] {
        assert!(decode::<Kind>(text).is_err() && serde_json::from_str::<Kind>(text).is_err(), "{text}");
    }
    for text in [r#"{"map":{"a":[]}}"#, r#"{"text":"a","text":"b"}"#] {
        assert!(decode::<All>(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_nested_without_end_is_a_fault() {
    let deep = format!("{{\"x\":{}}}", "[".repeat(100_000));
    #[derive(Debug, Deserialize)]
    struct Nothing {}
    assert!(decode::<Nothing>(&deep).is_err());
}
