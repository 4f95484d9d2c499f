//! What a request asks of a model whose choice is the gateway's: whether there are pictures and tools in it, and whether its
//! last message is about code. Found in every dialect without a tree, and only for requests that leave the choice to us.

use domain::{
    auto::{Wanted, is_about_code},
    endpoint::Endpoint,
};

use super::json::{self, Kind};
use crate::error::Error;

/// Parts within parts that are looked into: the answers of tools hold parts of their own.
const DEPTH: usize = 2;

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    images: bool,
    tools: bool,
    goes_on: bool,
    /// Raw texts of the last message of the user that has any.
    last: Vec<&'a [u8]>,
}

/// Reads a body whose form was checked before.
pub(super) fn read(endpoint: Endpoint, body: &[u8]) -> Result<Wanted, Error> {
    match endpoint {
        Endpoint::OpenAiTranscriptions => {
            return Err(Error::BadRequest("model 'auto' picks no model for audio, name one".into()));
        }
        Endpoint::Embed | Endpoint::Embeddings | Endpoint::OpenAiEmbeddings => {
            return Ok(Wanted { embeddings: true, ..Wanted::default() });
        }
        Endpoint::Show => return Ok(Wanted::default()),
        _ => {}
    }
    let mut found = Found::default();
    json::scan(body, &mut |key, value| {
        let key = json::unescape(key);
        // As Go reads names.
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        if is("messages") || is("input") {
            found.messages(value);
        } else if is("prompt") {
            found.last = texts(value);
        } else if is("images") {
            found.images |= is_filled(value);
        } else if is("tools") || is("functions") {
            found.tools |= is_filled(value);
        } else if is("previous_response_id") {
            found.goes_on |= Kind::of(value) == Kind::String && value.len() > 2;
        }
    })
    .map_err(Error::BadRequest)?;
    if found.goes_on {
        let message =
            "model 'auto' cannot go on with an earlier answer (previous_response_id), name the model that gave it";
        return Err(Error::BadRequest(message.into()));
    }
    let code = found.last.iter().any(|text| is_about_code(&json::unescape(&text[1..text.len() - 1])));
    Ok(Wanted { embeddings: false, images: found.images, tools: found.tools, code })
}

/// A list with something in it.
fn is_filled(value: &[u8]) -> bool {
    let mut any = false;
    json::elements(value, &mut |_| any = true);
    any
}

/// A text, or all the texts of a list.
fn texts(value: &[u8]) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    let mut add = |value| {
        if Kind::of(value) == Kind::String {
            texts.push(value);
        }
    };
    add(value);
    json::elements(value, &mut add);
    texts
}

fn members<'a>(object: &'a [u8], member: &mut dyn FnMut(&str, &'a [u8])) {
    if Kind::of(object) == Kind::Object {
        // It is a part of a document that was walked before.
        _ = json::scan(object, &mut |key, value| member(&json::unescape(key).to_ascii_lowercase(), value));
    }
}

impl<'a> Found<'a> {
    fn messages(&mut self, value: &'a [u8]) {
        if Kind::of(value) == Kind::String {
            self.last = texts(value);
        }
        json::elements(value, &mut |message| {
            let (mut said, mut user) = (Vec::new(), true);
            members(message, &mut |key, value| match key {
                "role" => user = value == b"\"user\"",
                "images" => self.images |= is_filled(value),
                "content" => said = self.parts(value, DEPTH),
                _ => {}
            });
            if user && !said.is_empty() {
                self.last = said;
            }
        });
    }

    /// Looks for pictures among the parts of a message; what the user wrote there.
    fn parts(&mut self, value: &'a [u8], depth: usize) -> Vec<&'a [u8]> {
        let mut said = Vec::new();
        if Kind::of(value) == Kind::String {
            said.push(value);
        }
        json::elements(value, &mut |part| {
            let (mut text, mut inner) = (None, None);
            members(part, &mut |key, value| match (key, value) {
                ("type", b"\"image\"" | b"\"image_url\"" | b"\"input_image\"") => self.images = true,
                ("text", value) if Kind::of(value) == Kind::String => text = Some(value),
                ("content", value) => inner = Some(value),
                _ => {}
            });
            said.extend(text);
            if let Some(inner) = inner.filter(|_| depth > 0) {
                // What a tool said is not what the user wrote.
                self.parts(inner, depth - 1);
            }
        });
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Wanted = Wanted { embeddings: false, images: false, tools: false, code: false };
    const IMAGES: Wanted = Wanted { images: true, ..PLAIN };
    const TOOLS: Wanted = Wanted { tools: true, ..PLAIN };
    const CODE: Wanted = Wanted { code: true, ..PLAIN };

    #[test]
    fn pictures_tools_and_code_are_found_in_every_dialect() {
        use Endpoint::*;
        for (endpoint, body, expected) in [
            (Chat, r#"{"messages":[{"role":"user","content":"why"}],"tools":[],"x":{"images":["a"]}}"#, PLAIN),
            (
                Chat,
                r#"{"messages":[{"role":"user","content":"why","images":["aGk="]},{"role":"user","content":"x"}]}"#,
                IMAGES,
            ),
            (Chat, r#"{"messages":[{"role":"user","content":"why","images":[]}],"tools":null}"#, PLAIN),
            (Chat, r#"{"MESSAGES":[{"Role":"user","Images":["a"]}],"Tools":[{}]}"#, Wanted { tools: true, ..IMAGES }),
            (Generate, r#"{"prompt":"a \u0070ython script","images":null}"#, CODE),
            (Generate, r#"{"prompt":"x","images":["aGk="]}"#, IMAGES),
            (OpenAiCompletions, r#"{"prompt":["x","in Rust"]}"#, CODE),
            (
                OpenAiChat,
                r#"{"messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:"}}]}]}"#,
                IMAGES,
            ),
            (OpenAiChat, r#"{"messages":[{"role":"user","content":"go"}],"functions":[{"name":"f"}]}"#, TOOLS),
            (OpenAiChat, r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a regex"}]}]}"#, CODE),
            (OpenAiResponses, r#"{"input":"debug it","instructions":"sql"}"#, CODE),
            (
                OpenAiResponses,
                r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"data:"}]}],"previous_response_id":null}"#,
                IMAGES,
            ),
            (
                AnthropicMessages,
                r#"{"messages":[{"role":"user","content":[{"type":"image","source":{}},{"type":"text","text":"```a```"}]}],"tools":[{"name":"t"}]}"#,
                Wanted { images: true, tools: true, code: true, embeddings: false },
            ),
            (
                AnthropicMessages,
                r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image"}]}]}]}"#,
                IMAGES,
            ),
            (Show, r#"{"model":"auto","prompt":"sql"}"#, PLAIN),
        ] {
            assert_eq!(read(endpoint, body.as_bytes()), Ok(expected), "{body}");
        }
        for endpoint in [Embed, Embeddings, OpenAiEmbeddings] {
            let wanted = read(endpoint, br#"{"input":"sql","prompt":"sql"}"#);
            assert_eq!(wanted, Ok(Wanted { embeddings: true, ..PLAIN }));
        }
    }

    #[test]
    fn only_what_the_user_said_last_is_looked_at_for_code() {
        let wanted = |messages: &str| read(Endpoint::Chat, format!(r#"{{"messages":[{messages}]}}"#).as_bytes());
        for (messages, expected) in [
            (
                r#"{"role":"user","content":"sql"},{"role":"assistant","content":"x"},{"role":"user","content":"thanks"}"#,
                PLAIN,
            ),
            (r#"{"role":"system","content":"you write code"},{"role":"user","content":"hello"}"#, PLAIN),
            (
                r#"{"role":"user","content":"sql"},{"role":"assistant","content":"x"},{"role":"tool","content":"y"}"#,
                CODE,
            ),
            (
                r#"{"role":"user","content":[{"type":"text","text":"fix the code"}]},{"role":"user","content":[{"type":"tool_result","content":"fine"}]}"#,
                CODE,
            ),
            (r#"{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"sql"}]}]}"#, PLAIN),
            (r#"{"content":"sql"}"#, CODE),
        ] {
            assert_eq!(wanted(messages), Ok(expected), "{messages}");
        }
    }

    #[test]
    fn what_auto_cannot_do_is_said() {
        let goes_on = read(Endpoint::OpenAiResponses, br#"{"input":"x","previous_response_id":"resp_1"}"#).unwrap_err();
        assert!(goes_on.to_string().contains("previous_response_id"), "{goes_on}");
        let audio = read(Endpoint::OpenAiTranscriptions, b"--XX").unwrap_err();
        assert!(audio.to_string().contains("audio"), "{audio}");
    }
}
