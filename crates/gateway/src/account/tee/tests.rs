//! What every dialect's answers tell, however they are cut.

use proptest::prelude::*;

use super::*;

fn hear(endpoint: Endpoint, framing: Framing, frames: &[&[u8]]) -> Heard {
    let mut tee = Tee::new(endpoint, framing);
    frames.iter().for_each(|frame| tee.feed(frame));
    tee.finish(0)
}

fn told(prompt: u64, completion: u64) -> Counts {
    Counts { prompt: Some(prompt), completion: Some(completion), ..Counts::default() }
}

const NDJSON: &str = concat!(
    r#"{"model":"m","message":{"role":"assistant","content":"a \"done\":true b"},"done":false}"#,
    "\n",
    r#"{"model":"m","message":{"role":"assistant","tool_calls":[{"function":{"arguments":{"done":true,"eval_count":7}}}]},"done":false}"#,
    "\n",
    r#"{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","load_duration":5000,"prompt_eval_count":26,"eval_count":282}"#,
    "\n",
);
const OPENAI: &str = concat!(
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1,\"total_tokens\":11}}\n\n",
    "data: [DONE]\n\n",
);
const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":99,\"output_tokens\":0}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":7,\"output_tokens\":3}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);
const WHOLE: &str = r#"{"message":{"content":"a"},"done":true,"prompt_eval_count":26,"eval_count":282}"#;
const RESPONSES: &str = concat!(
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":4,\"output_tokens\":2,\"total_tokens\":6}}}\n\n",
);

#[test]
fn every_dialect_s_final_numbers_are_found() {
    let native = Counts { load_ns: 5000, ..told(26, 282) };
    assert_eq!(
        hear(Endpoint::Chat, Framing::Ndjson, &[NDJSON.as_bytes()]),
        Heard { counts: native, proper_end: true, error: None }
    );
    for (endpoint, text, counts) in [
        (Endpoint::OpenAiChat, OPENAI, told(10, 1)),
        (Endpoint::AnthropicMessages, ANTHROPIC, told(7, 3)),
        (Endpoint::OpenAiResponses, RESPONSES, told(4, 2)),
    ] {
        assert_eq!(
            hear(endpoint, Framing::Sse, &[text.as_bytes()]),
            Heard { counts, proper_end: true, error: None },
            "{endpoint:?}"
        );
    }
    let whole = |endpoint, text: &str| hear(endpoint, Framing::Whole, &[text.as_bytes()]).counts;
    assert_eq!(
        whole(Endpoint::Generate, r#"{"response":"x","done":true,"prompt_eval_count":3,"eval_count":4}"#),
        told(3, 4)
    );
    assert_eq!(whole(Endpoint::Generate, r#"{"response":"x","done":true,"eval_count":4}"#), told(0, 4));
    assert_eq!(whole(Endpoint::Chat, r#"{"done":true,"done_reason":"load"}"#), Counts::default());
    assert_eq!(whole(Endpoint::Embed, r#"{"embeddings":[[1.0]],"prompt_eval_count":3}"#).prompt, Some(3));
    assert_eq!(whole(Endpoint::OpenAiChat, r#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#), told(3, 4));
    assert_eq!(whole(Endpoint::AnthropicMessages, r#"{"usage":{"input_tokens":3,"output_tokens":4}}"#), told(3, 4));
}

#[test]
fn an_answer_that_counts_nothing_is_estimated_by_its_length_and_says_so() {
    let estimate = |tokens| Counts { completion: Some(tokens), estimated: true, ..Counts::default() };
    for (endpoint, text) in [
        (Endpoint::Generate, r#"{"model":"m","response":"twelve bytes","done":true,"total_duration":7}"#),
        (Endpoint::Chat, r#"{"message":{"role":"assistant","content":"twelve bytes"},"done":true}"#),
        (Endpoint::Chat, r#"{"message":{"thinking":"twelve","content":" bytes"},"done":true}"#),
        (Endpoint::OpenAiChat, r#"{"id":"x","choices":[{"message":{"role":"assistant","content":"twelve bytes"}}]}"#),
        (Endpoint::OpenAiChat, r#"{"choices":[{"message":{"content":"twelve bytes"}}],"usage":null}"#),
        (
            Endpoint::OpenAiChat,
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\"city\":1 }"}}]}}]}"#,
        ),
        (Endpoint::OpenAiCompletions, r#"{"choices":[{"text":"twelve bytes"}]}"#),
        (Endpoint::OpenAiResponses, r#"{"output":[{"content":[{"type":"output_text","text":"twelve bytes"}]}]}"#),
        (Endpoint::AnthropicMessages, r#"{"content":[{"type":"text","text":"twelve bytes"}]}"#),
        (Endpoint::AnthropicMessages, r#"{"content":[{"type":"tool_use","input":{"city":123}}]}"#),
    ] {
        let heard = hear(endpoint, Framing::Whole, &[text.as_bytes()]);
        assert_eq!(Counts { total_ns: 0, ..heard.counts }, estimate(3), "{text}");
        assert!(heard.proper_end);
    }
    let large = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "a".repeat(2 * LARGEST));
    let counts = hear(Endpoint::OpenAiChat, Framing::Whole, &[large.as_bytes()]).counts;
    let length = 2 * LARGEST as u64 / TOKEN_BYTES;
    assert!(counts.estimated && counts.completion.is_some_and(|count| count.abs_diff(length) < 100), "{counts:?}");
    // Not what no model wrote.
    for (endpoint, text) in [
        (Endpoint::OpenAiChat, r#"{"error":{"message":"twelve bytes"}}"#),
        (Endpoint::Show, r#"{"content":"twelve bytes"}"#),
        (Endpoint::Chat, r#"{"message":{"content":""},"done":true,"done_reason":"unload"}"#),
    ] {
        assert_eq!(hear(endpoint, Framing::Whole, &[text.as_bytes()]).counts, Counts::default(), "{text}");
    }
    // A stream whose last message counts nothing is counted by its messages.
    let stream = concat!(r#"{"response":"a","done":false}"#, "\n", r#"{"response":"","done":true}"#, "\n");
    let heard = hear(Endpoint::Generate, Framing::Ndjson, &[stream.as_bytes()]);
    assert_eq!(heard, Heard { counts: estimate(1), proper_end: true, error: None });
    let mut tee = Tee::new(Endpoint::Generate, Framing::Whole);
    tee.feed(br#"{"response":"twelve bytes","done":true}"#);
    assert_eq!(tee.finish(9).counts, Counts { prompt: Some(3), ..estimate(3) });
}

#[test]
fn numbers_that_no_sum_could_hold_are_no_numbers() {
    let whole = |endpoint, text: &str| hear(endpoint, Framing::Whole, &[text.as_bytes()]).counts;
    let large = "1,".repeat(LARGEST);
    for number in ["18446744073709551615", "9007199254740993", "99999999999999999999", "-1", "1.5"] {
        let native =
            format!(r#"{{"done":true,"prompt_eval_count":{number},"eval_count":{number},"load_duration":{number}}}"#);
        assert_eq!(whole(Endpoint::Chat, &native), Counts::default(), "{number}");
        let openai = format!(r#"{{"usage":{{"prompt_tokens":{number},"completion_tokens":4}}}}"#);
        let expected = Counts { completion: Some(4), ..Counts::default() };
        assert_eq!(whole(Endpoint::OpenAiChat, &openai), expected, "{number}");
        if number.bytes().all(|byte| byte.is_ascii_digit()) {
            let searched = format!(r#"{{"context":[{large}0],"eval_count":4,"prompt_eval_count":{number}}}"#);
            assert_eq!(whole(Endpoint::Generate, &searched), expected, "{number}");
        }
    }
    let largest = r#"{"usage":{"prompt_tokens":9007199254740992,"completion_tokens":4}}"#;
    assert_eq!(whole(Endpoint::OpenAiChat, largest), told(1 << 53, 4));
}

#[test]
fn a_stream_that_ends_early_is_counted_by_its_pieces() {
    let half = &NDJSON.as_bytes()[..NDJSON.find("{\"model\":\"m\",\"message\":{\"content\"").unwrap()];
    let heard = hear(Endpoint::Chat, Framing::Ndjson, &[half]);
    assert_eq!(heard.counts, Counts { completion: Some(2), estimated: true, ..Counts::default() });
    assert!(!heard.proper_end);
    let heard = hear(
        Endpoint::OpenAiChat,
        Framing::Sse,
        &[&OPENAI.as_bytes()[..OPENAI.find("data: {\"choices\":[],").unwrap()]],
    );
    assert_eq!(heard.counts, Counts { completion: Some(1), estimated: true, ..Counts::default() });
    assert!(!heard.proper_end);
}

#[test]
fn an_error_in_the_stream_is_no_proper_end() {
    let failed = hear(Endpoint::Pull, Framing::Ndjson, &[b"{\"error\":\"x\"}\n"]);
    assert_eq!((failed.proper_end, failed.error.as_deref()), (false, Some("x")));
    let responses = b"data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"no room\"}}}\n\n";
    let failed = hear(Endpoint::OpenAiResponses, Framing::Sse, &[responses]);
    assert_eq!((failed.proper_end, failed.error.as_deref()), (false, Some("no room")));
    let mute = hear(Endpoint::Chat, Framing::Ndjson, &[b"{\"error\":5}\n"]);
    assert_eq!(mute.error.as_deref(), Some("the backend reported an error"));
    assert!(hear(Endpoint::Pull, Framing::Ndjson, &[b"{\"status\":\"success\"}\n"]).proper_end);
}

#[test]
fn legacy_embeddings_are_estimated_by_their_prompt() {
    let mut tee = Tee::new(Endpoint::Embeddings, Framing::Whole);
    tee.feed(b"{\"embedding\":[0.1]}");
    assert_eq!(tee.finish(9).counts, Counts { prompt: Some(3), estimated: true, ..Counts::default() });
}

#[test]
fn a_message_too_large_to_parse_is_searched_in_bounded_memory() {
    let context = "1,".repeat(2 * LARGEST);
    let line = format!(
        "{{\"response\":\"\",\"done\":true,\"context\":[{context}0],\"load_duration\":9,\"prompt_eval_count\":3,\"eval_count\":4}}"
    );
    for (framing, end) in [(Framing::Ndjson, "\n"), (Framing::Whole, "")] {
        let text = line.clone() + end;
        let mut tee = Tee::new(Endpoint::Generate, framing);
        for frame in text.as_bytes().chunks(7_919) {
            tee.feed(frame);
            assert!(tee.partial.capacity() <= 4 * LARGEST);
        }
        assert_eq!(tee.finish(0), Heard { counts: Counts { load_ns: 9, ..told(3, 4) }, proper_end: true, error: None });
    }
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_counts(cuts in prop::collection::vec(0_usize..2_000, 0..12), which in 0_usize..5) {
        let (endpoint, framing, text) = [
            (Endpoint::Chat, Framing::Ndjson, NDJSON),
            (Endpoint::OpenAiChat, Framing::Sse, OPENAI),
            (Endpoint::AnthropicMessages, Framing::Sse, ANTHROPIC),
            (Endpoint::OpenAiResponses, Framing::Sse, RESPONSES),
            (Endpoint::Chat, Framing::Whole, WHOLE),
        ][which];
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut tee = Tee::new(endpoint, framing);
        let mut from = 0;
        for cut in cuts {
            tee.feed(&text.as_bytes()[from..cut]);
            from = cut;
        }
        tee.feed_last(&text.as_bytes()[from..]);
        prop_assert_eq!(tee.finish(0), hear(endpoint, framing, &[text.as_bytes()]));
    }

    #[test]
    fn no_bytes_make_the_listener_fail(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8), sse in any::<bool>()) {
        let mut tee = Tee::new(Endpoint::OpenAiChat, if sse { Framing::Sse } else { Framing::Ndjson });
        frames.iter().for_each(|frame| tee.feed(frame));
        let heard = tee.finish(0);
        prop_assert_eq!(heard.counts.load_ns, 0);
    }
}
