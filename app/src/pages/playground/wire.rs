//! What goes to `/admin/playground/chat` and what comes back, as text: Ollama's own body, and its lines.

use serde::Deserialize;

use super::{
    json::{list, object, quote},
    options::Options,
};
use crate::decode::decode;

/// One message of what a model is to answer.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub role: &'static str,
    pub content: &'a str,
    /// In base64.
    pub images: Vec<&'a str>,
}

impl Message<'_> {
    fn json(&self) -> String {
        let mut members = vec![("role", quote(self.role)), ("content", quote(self.content))];
        if !self.images.is_empty() {
            members.push(("images", list(self.images.iter().map(|image| quote(image)))));
        }
        object(members)
    }
}

/// The body of a request.
pub(super) fn body(model: &str, messages: &[Message<'_>], options: &Options) -> String {
    let Options { keep_alive, think, numbers } = options.clone();
    let messages = list(messages.iter().map(Message::json));
    let mut members = vec![("model", quote(model)), ("messages", messages), ("stream", "true".to_owned())];
    members.extend(keep_alive.map(|time| ("keep_alive", time)));
    members.extend(think.map(|think| ("think", think)));
    if !numbers.is_empty() {
        members.push(("options", object(numbers)));
    }
    object(members)
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Words { content: String, thinking: String },
    Done(Counts),
    Failed(String),
}

/// What a backend counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub prompt: Option<u64>,
    pub completion: Option<u64>,
    /// Nanoseconds.
    pub writing: Option<u64>,
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    message: Option<Words>,
    #[serde(default)]
    done: bool,
    error: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    eval_duration: Option<u64>,
    done_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Words {
    content: Option<String>,
    thinking: Option<String>,
}

/// Longest line of an answer, in bytes.
const LONGEST: usize = 4_000_000;

/// Puts lines together out of what comes.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// What the lines say that are whole now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.0.extend_from_slice(bytes);
        // Only what is new can end a line.
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|end| self.0.len() - bytes.len() + end);
        let Some(end) = end else {
            if self.0.len() > LONGEST {
                self.0.clear();
                return vec![Said::Failed("a line of the answer does not end".into())];
            }
            return Vec::new();
        };
        let rest = self.0.split_off(end + 1);
        let whole = std::mem::replace(&mut self.0, rest);
        whole.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).flat_map(read).collect()
    }

    /// What is left without an end of its line.
    pub fn end(self) -> Vec<Said> {
        if self.0.trim_ascii().is_empty() { Vec::new() } else { read(&self.0) }
    }
}

fn read(line: &[u8]) -> Vec<Said> {
    let Some(line) = std::str::from_utf8(line).ok().and_then(|line| decode::<Line>(line).ok()) else {
        return vec![Said::Failed("a line of the answer was not understood".into())];
    };
    let Line { message, done, error, .. } = line;
    let Words { content, thinking } = message.unwrap_or_default();
    let (content, thinking) = (content.unwrap_or_default(), thinking.unwrap_or_default());
    let mut said = Vec::new();
    if !content.is_empty() || !thinking.is_empty() {
        said.push(Said::Words { content, thinking });
    }
    if let Some(error) = error {
        said.push(Said::Failed(error));
    } else if done {
        let (prompt, completion, writing) = (line.prompt_eval_count, line.eval_count, line.eval_duration);
        said.push(Said::Done(Counts { prompt, completion, writing, reason: line.done_reason }));
    }
    said
}

/// What an answer that is none says of why.
pub(super) fn refusal(status: u16, text: &str) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    match decode::<Refusal>(text) {
        Ok(refusal) => refusal.error,
        Err(_) => format!("the gateway answered with status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(content: &str) -> Said {
        Said::Words { content: content.into(), thinking: String::new() }
    }

    #[test]
    fn lines_are_read_however_they_are_cut() {
        let stream = "{\"message\":{\"content\":\"é \"},\"done\":false}\n\n{\"message\":{\"content\":\"\",\"thinking\":\"hm\"}}\n\
            {\"message\":{\"content\":\"b\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":2,\"eval_duration\":5}";
        let thought = Said::Words { content: String::new(), thinking: "hm".into() };
        let counts = Counts { completion: Some(2), writing: Some(5), reason: Some("stop".into()), ..Counts::default() };
        let expected = [words("é "), thought, words("b"), Said::Done(counts)];
        for step in 1..stream.len() {
            let mut lines = Lines::default();
            let mut said: Vec<Said> = stream.as_bytes().chunks(step).flat_map(|bytes| lines.feed(bytes)).collect();
            said.extend(lines.end());
            assert_eq!(said, expected, "{step}");
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_told_and_not_kept() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; LONGEST / 2];
        assert!(lines.feed(&piece).is_empty() && lines.feed(&piece).is_empty());
        assert!(matches!(lines.feed(b"x").as_slice(), [Said::Failed(why)] if why.contains("does not end")));
        assert!(lines.end().is_empty());
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"{\"message\":{\"content\":null},\"done\":true}\n"), [Said::Done(Counts::default())]);
    }

    #[test]
    fn an_error_in_the_middle_and_a_line_that_is_none_are_told() {
        let mut lines = Lines::default();
        let said = lines.feed(b"{\"message\":{\"content\":\"a\"}}\n{\"error\":\"gone\"}\nnonsense\n");
        assert_eq!(said[..2], [words("a"), Said::Failed("gone".into())]);
        assert!(matches!(&said[2], Said::Failed(why) if why.contains("not understood")));
        assert_eq!(refusal(429, r#"{"error":"rate limit exceeded"}"#), "rate limit exceeded");
        assert_eq!(refusal(502, "<html>"), "the gateway answered with status 502");
    }

    #[test]
    fn a_body_says_what_was_chosen_and_nothing_else() {
        let messages = [
            Message { role: "system", content: "be \"brief\"", images: Vec::new() },
            Message { role: "user", content: "hi", images: vec!["AA=="] },
        ];
        let options = Options::read(&["0.5", "", "4096", "", "", "5m", ""].map(str::to_owned)).unwrap();
        assert_eq!(
            body("m", &messages, &options),
            r#"{"model":"m","messages":[{"role":"system","content":"be \"brief\""},
{"role":"user","content":"hi","images":["AA=="]}],"stream":true,"keep_alive":"5m","options":{"temperature":0.5,"num_ctx":4096}}"#
        );
        let nothing = Options::read(&Default::default()).unwrap();
        assert_eq!(body("m", &[], &nothing), r#"{"model":"m","messages":[],"stream":true}"#);
    }
}
