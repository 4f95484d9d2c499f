use proptest::prelude::*;
use serde_json::Value;

use super::*;

const ALL: Ceilings = Ceilings { num_ctx: Some(4_096), num_predict: Some(100), keep_alive_s: Some(300) };

fn apply(endpoint: Endpoint, body: &str) -> String {
    let changed = ALL.apply(endpoint, &Bytes::from(body.to_owned())).unwrap();
    String::from_utf8(changed.to_vec()).unwrap()
}

fn refusal(endpoint: Endpoint, body: &str) -> String {
    ALL.apply(endpoint, &Bytes::from(body.to_owned())).unwrap_err().to_string()
}

#[test]
fn only_what_asks_for_too_much_is_written_anew() {
    for (body, expected) in [
        (r#"{"model":"m"}"#, r#"{"options":{"num_predict":100},"model":"m"}"#),
        (r#" { "model":"m","options":null }"#, r#" { "model":"m","options":{"num_predict":100} }"#),
        (r#"{"model":"m","options":{}}"#, r#"{"model":"m","options":{"num_predict":100}}"#),
        (r#"{"model":"m","options":{ "a" : 1 }}"#, r#"{"model":"m","options":{"num_predict":100, "a" : 1 }}"#),
        (r#"{"options":{"num_predict":-1},"model":"m"}"#, r#"{"options":{"num_predict":100},"model":"m"}"#),
        (r#"{"options":{"num_predict":null},"model":"m"}"#, r#"{"options":{"num_predict":100},"model":"m"}"#),
        (r#"{"options":{"num_predict":0}}"#, r#"{"options":{"num_predict":100}}"#),
        (r#"{"options":{"num_predict":0.5}}"#, r#"{"options":{"num_predict":100}}"#),
        (r#"{"options":{"num_predict":1e999}}"#, r#"{"options":{"num_predict":100}}"#),
        (r#"{"options":{"num_predict":1e2}}"#, r#"{"options":{"num_predict":1e2}}"#),
        (
            r#"{"options":{"num_ctx":131072,"num_predict":5},"keep_alive":-1}"#,
            r#"{"options":{"num_ctx":4096,"num_predict":5},"keep_alive":300}"#,
        ),
        (
            r#"{"keep_alive" : "24h" ,"options":{"num_predict":5,"num_ctx":2048}}"#,
            r#"{"keep_alive" : "300s" ,"options":{"num_predict":5,"num_ctx":2048}}"#,
        ),
        (
            r#"{"messages":[{"options":{"num_predict":9999},"keep_alive":-1}],"options":{"num_predict":1,"x":{"num_ctx":9999}}}"#,
            r#"{"messages":[{"options":{"num_predict":9999},"keep_alive":-1}],"options":{"num_predict":1,"x":{"num_ctx":9999}}}"#,
        ),
    ] {
        assert_eq!(apply(Endpoint::Chat, body), expected);
        assert_eq!(apply(Endpoint::Generate, body), expected);
    }
}

#[test]
fn a_keep_alive_in_any_form_ends_at_the_ceiling() {
    for (value, expected) in [
        ("-1", "300"),
        ("-0.001", "300"),
        ("301", "300"),
        ("1e300", "300"),
        ("300", "300"),
        ("0", "0"),
        ("-0", "-0"),
        ("null", "null"),
        ("\"-1m\"", "\"300s\""),
        ("\"-1ns\"", "\"300s\""),
        ("\"5m1ms\"", "\"300s\""),
        ("\"1h\"", "\"300s\""),
        ("\"1\\u0068\"", "\"300s\""),
        ("\"99999999999h\"", "\"300s\""),
        ("\"5m\"", "\"5m\""),
        ("\"0\"", "\"0\""),
        ("\"+4m59.5s\"", "\"+4m59.5s\""),
        ("\".5h\"", "\"300s\""),
    ] {
        let body = format!(r#"{{"keep_alive":{value},"model":"m"}}"#);
        assert_eq!(apply(Endpoint::Embed, &body), format!(r#"{{"keep_alive":{expected},"model":"m"}}"#));
    }
    for value in
        ["\"\"", "\"60\"", "\"forever\"", "\"5x\"", "\"1h \"", "\"--1m\"", "\".s\"", "\"1.2.3s\"", "true", "[1]", "{}"]
    {
        let body = format!(r#"{{"keep_alive":{value}}}"#);
        assert!(refusal(Endpoint::Chat, &body).contains("keep_alive"), "{value}");
    }
}

#[test]
fn answers_on_v1_have_a_length_under_every_name() {
    for (endpoint, body, expected) in [
        (Endpoint::OpenAiChat, r#"{"a":1}"#, r#"{"max_tokens":100,"a":1}"#),
        (Endpoint::OpenAiChat, r#"{"max_tokens":1000}"#, r#"{"max_tokens":100}"#),
        (Endpoint::OpenAiChat, r#"{"max_tokens":null}"#, r#"{"max_tokens":100}"#),
        (Endpoint::OpenAiChat, r#"{"max_completion_tokens":50}"#, r#"{"max_tokens":50,"max_completion_tokens":50}"#),
        (
            Endpoint::OpenAiChat,
            r#"{"max_tokens":5,"max_completion_tokens":500,"n_predict":-1}"#,
            r#"{"max_tokens":5,"max_completion_tokens":100,"n_predict":100}"#,
        ),
        (Endpoint::OpenAiCompletions, r#"{"prompt":"x"}"#, r#"{"max_tokens":100,"prompt":"x"}"#),
        (Endpoint::OpenAiResponses, r#"{"input":"x"}"#, r#"{"max_output_tokens":100,"input":"x"}"#),
        (Endpoint::OpenAiResponses, r#"{"max_output_tokens":101}"#, r#"{"max_output_tokens":100}"#),
        (Endpoint::AnthropicMessages, r#"{"max_tokens":4096}"#, r#"{"max_tokens":100}"#),
        (Endpoint::OpenAiEmbeddings, r#"{"input":"x"}"#, r#"{"input":"x"}"#),
        (Endpoint::Show, r#"{"model":"x"}"#, r#"{"model":"x"}"#),
    ] {
        assert_eq!(apply(endpoint, body), expected);
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for body in [
        r#"{"options":{"num_predict":1},"options":{"num_predict":9999}}"#,
        r#"{"options":{"num_predict":1},"OPTIONS":{"num_predict":9999}}"#,
        r#"{"options":{"num_predict":1},"option\u017f":{"num_predict":9999}}"#,
        r#"{"Options":{"num_predict":9999}}"#,
        r#"{"options":{"num_predict":1,"num_predict":9999}}"#,
        r#"{"options":{"num_predict":1,"num_pr\u0065dict":9999}}"#,
        r#"{"options":{"NUM_CTX":9999}}"#,
        r#"{"keep_alive":1,"keep_alive":-1}"#,
        r#"{"\u212aeep_alive":-1}"#,
        r#"{"options":[]}"#,
        r#"{"options":"x"}"#,
        r#"{"options":{"num_predict":"9999"}}"#,
        r#"{"options":{"num_ctx":true}}"#,
    ] {
        refusal(Endpoint::Generate, body);
    }
    refusal(Endpoint::OpenAiChat, r#"{"max_tokens":1,"MAX_TOKENS":9999}"#);
    refusal(Endpoint::OpenAiChat, r#"{"max_tokens":"9999"}"#);
}

#[test]
fn without_a_ceiling_the_same_bytes_are_passed_on() {
    let body = Bytes::from_static(br#"{"options":1,"options":2,"keep_alive":[]}"#);
    assert_eq!(Ceilings::default().apply(Endpoint::Chat, &body).unwrap(), body);
    let only_context = Ceilings { num_ctx: Some(1), ..Ceilings::default() };
    let body = Bytes::from_static(br#"{"model":"m","keep_alive":-1}"#);
    assert_eq!(only_context.apply(Endpoint::Chat, &body).unwrap(), body);
}

fn text() -> impl Strategy<Value = String> {
    "[ -~\u{e9}]{0,12}"
}

fn other() -> impl Strategy<Value = (String, Value)> {
    let value = prop_oneof![
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(serde_json::json!({"num_predict": 5_000, "options": {"num_ctx": 1_000_000}, "keep_alive": -1})),
        Just(serde_json::json!([{"keep_alive": "24h"}, null, 1.5])),
    ];
    (text().prop_map(|name| format!("x{name}")), value)
}

/// An object written with any spaces, as text.
fn object(members: &[(String, String)], space: &str) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("{space}{}{space}:{space}{value}", Value::from(name.as_str())))
        .collect();
    format!("{space}{{{}{space}}}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn all_other_bytes_are_unchanged_and_the_rest_obeys(
        others in prop::collection::vec(other(), 1..6),
        at in any::<prop::sample::Index>(),
        num_predict in prop::option::of(-5_i64..5_000),
        num_ctx in prop::option::of(0_i64..100_000),
        keep_alive in prop::option::of(-5_i64..100_000),
        with_options in any::<bool>(),
        space in "[ \t\n]{0,2}",
    ) {
        // Marks stand where a member may be written anew; the text around them must come out as it was.
        let number = |value: Option<i64>| value.map(|value| value.to_string());
        let mut inner: Vec<(String, String)> = others.iter().take(2).map(|(name, value)| (name.clone(), value.to_string())).collect();
        for (name, value) in [("num_predict", number(num_predict)), ("num_ctx", number(num_ctx))] {
            if let Some(value) = value {
                inner.push((name.into(), value));
            }
        }
        let mut members: Vec<(String, String)> = others.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        let at = at.index(members.len());
        if with_options {
            members.insert(at, ("options".into(), object(&inner, &space).trim_start().to_owned()));
        }
        if let Some(value) = keep_alive {
            members.insert(at, ("keep_alive".into(), value.to_string()));
        }
        let body = object(&members, &space);
        let changed = apply(Endpoint::Chat, &body);
        let parsed: Value = serde_json::from_str(&changed).unwrap();
        let predict = parsed["options"]["num_predict"].as_i64().unwrap();
        let asked = num_predict.filter(|_| with_options);
        prop_assert_eq!(predict, asked.filter(|n| (1..=100).contains(n)).unwrap_or(100));
        if with_options {
            prop_assert_eq!(parsed["options"]["num_ctx"].as_i64(), num_ctx.map(|n| n.min(4_096)));
        }
        prop_assert_eq!(parsed["keep_alive"].as_i64(), keep_alive.map(|n| if n < 0 { 300 } else { n.min(300) }));
        // Undo by hand what was allowed: what is left must be the body, byte for byte.
        let mut undone = changed;
        let mut back = |from: String, to: String| {
            if from != to {
                prop_assert_eq!(undone.matches(&from).count(), 1, "{} in {}", from, undone);
                undone = undone.replacen(&from, &to, 1);
            }
            Ok(())
        };
        let colon = format!("{space}:{space}");
        match (with_options, asked) {
            (false, _) => back("\"options\":{\"num_predict\":100},".into(), String::new())?,
            (true, None) => back("{\"num_predict\":100,".into(), "{".into())?,
            (true, Some(asked)) => {
                let end = if num_ctx.is_some() { ",".to_owned() } else { format!("{space}}}") };
                back(format!("\"num_predict\"{colon}{predict}{end}"), format!("\"num_predict\"{colon}{asked}{end}"))?;
            }
        }
        if let (true, Some(asked)) = (with_options, num_ctx) {
            back(format!("{space}\"num_ctx\"{colon}{}{space}}}", asked.min(4_096)), format!("{space}\"num_ctx\"{colon}{asked}{space}}}"))?;
        }
        if let Some(asked) = keep_alive {
            let now = if asked < 0 { 300 } else { asked.min(300) };
            back(format!("{space}\"keep_alive\"{colon}{now},"), format!("{space}\"keep_alive\"{colon}{asked},"))?;
        }
        prop_assert_eq!(undone, body);
    }
}
