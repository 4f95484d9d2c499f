//! A conversation as a file, and back. What comes back was perhaps written by somebody else: it is read strictly and bounded.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::Deserialize;

use super::{
    conversation::{Answer, Chat, SIDES, State, Turn},
    json::{list, object, quote},
    markdown::Flow,
    options::{Faults, OPTIONS, Options, Typed},
    pictures::{self, Picture},
    writer::LONGEST as LONGEST_ANSWER,
};
use crate::decode::decode;

const FORMAT: &str = "ollama-fortress-conversation-1";
/// Largest file that is read, in bytes.
pub(super) const LARGEST: f64 = 40e6;
/// Most turns, bytes of all that is said, and of the name of a model.
const TURNS: usize = 1_000;
const TEXT: usize = 8 * LONGEST_ANSWER;
const NAME: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transcript {
    format: String,
    models: Vec<String>,
    both: bool,
    system: String,
    /// What was typed, by the names of the options.
    options: BTreeMap<String, String>,
    turns: Vec<Exchange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    prompt: String,
    images: Vec<String>,
    answers: Vec<Option<Reply>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    model: String,
    thinking: String,
    text: String,
    /// It came to its end.
    complete: bool,
}

impl Exchange {
    /// Bytes of all that is said.
    fn words(&self) -> usize {
        let answers = self.answers.iter().flatten();
        self.prompt.len() + answers.map(|answer| answer.text.len() + answer.thinking.len()).sum::<usize>()
    }
}

/// The conversation as JSON.
pub(super) fn write(chat: Chat) -> String {
    let reply = |answer: &Option<Answer>| {
        answer.as_ref().map_or("null".to_owned(), |answer| {
            object([
                ("model", quote(&answer.model)),
                ("thinking", answer.thinking.with_untracked(|text| quote(text))),
                ("text", answer.flow.with_untracked(|flow| quote(flow.text()))),
                ("complete", answer.state.with_untracked(|state| *state == State::Complete).to_string()),
            ])
        })
    };
    let turn = |turn: &Turn| {
        object([
            ("prompt", quote(&turn.prompt)),
            ("images", list(turn.pictures.iter().map(|picture| quote(&picture.data)))),
            ("answers", list(turn.answers.iter().map(reply))),
        ])
    };
    let models = chat.models.iter().map(|model| model.with_untracked(|model| quote(model)));
    // What was left empty is left out.
    let options = chat.options.with_untracked(|typed| {
        let typed = OPTIONS.iter().zip(typed).filter(|(_, text)| !text.trim().is_empty());
        object(typed.map(|((name, ..), text)| (*name, quote(text))))
    });
    object([
        ("format", quote(FORMAT)),
        ("models", list(models)),
        ("both", chat.both.get_untracked().to_string()),
        ("system", chat.system.with_untracked(|system| quote(system))),
        ("options", options),
        ("turns", chat.turns.with_untracked(|turns| list(turns.iter().map(turn)))),
    ])
}

/// Puts a conversation in place of the present one, or says what is wrong and changes nothing.
pub(super) fn read(chat: Chat, text: &str) -> Result<(), String> {
    let read: Transcript = decode(text).map_err(|_| {
        "the file is no conversation of this page, or not all of one: choose one that Export has saved".to_owned()
    })?;
    if read.format != FORMAT {
        return Err(format!("the file is no conversation of this page: its format must be {FORMAT}"));
    }
    let models: [String; SIDES] = read.models.try_into().map_err(|_| "there must be two models".to_owned())?;
    let mut typed = Typed::default();
    for (name, text) in read.options {
        let at = OPTIONS.iter().position(|(known, ..)| *known == name);
        let place = at.and_then(|at| typed.get_mut(at)).ok_or("an option is not one of this page")?;
        *place = text;
    }
    if Options::read(&typed).is_err() {
        return Err("something in the options is not right".into());
    }
    let words = read.turns.iter().map(Exchange::words).sum::<usize>() + read.system.len();
    if read.turns.len() > TURNS || words > TEXT || models.iter().any(|model| model.len() > NAME) {
        return Err("the conversation is too long".into());
    }
    let turns = read.turns.into_iter().map(turn).collect::<Result<Vec<Turn>, String>>()?;
    chat.replace(turns);
    for (signal, model) in chat.models.into_iter().zip(models) {
        signal.set(model);
    }
    chat.both.set(read.both);
    chat.system.set(read.system);
    chat.options.set(typed);
    chat.faults.set(Faults::default());
    Ok(())
}

fn turn(Exchange { prompt, images, answers }: Exchange) -> Result<Turn, String> {
    if images.len() > pictures::MOST {
        return Err("a prompt has too many pictures".into());
    }
    let pictures = images.into_iter().map(Picture::of_text).collect::<Option<Vec<_>>>();
    let pictures = pictures.ok_or("an image is no picture in PNG, JPEG or WebP")?;
    let answers: [Option<Reply>; SIDES] =
        answers.try_into().map_err(|_| "there must be two places for answers".to_owned())?;
    let mut places = [const { None }; SIDES];
    for (place, reply) in places.iter_mut().zip(answers) {
        let Some(reply) = reply else { continue };
        if reply.model.len() > NAME {
            return Err("the name of a model is too long".into());
        }
        let answer = Answer::new(reply.model, if reply.complete { State::Complete } else { State::Stopped });
        answer.flow.set(Flow::from(reply.text.as_str()));
        answer.thinking.set(reply.thinking);
        *place = Some(answer);
    }
    Ok(Turn { prompt, pictures: pictures.into(), answers: places })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: &str = "iVBORw0KGgowMTIzNDU2Nzg5";

    fn file(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut file = serde_json::json!({
            "format": FORMAT, "models": ["a", ""], "both": false, "system": "be brief",
            "options": { "temperature": "0.5", "keep_alive": "5m" },
            "turns": [{
                "prompt": "hi", "images": [PICTURE],
                "answers": [{ "model": "a", "thinking": "hm", "text": "# Yes\n\nindeed", "complete": true }, null],
            }],
        });
        change(&mut file);
        file.to_string()
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        Owner::new().with(|| {
            let chat = Chat::new("before".into());
            read(chat, &file(|_| ())).unwrap();
            let again = write(chat);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&again).unwrap(),
                serde_json::from_str::<serde_json::Value>(&file(|_| ())).unwrap()
            );
            let blocks = chat.turns.with_untracked(|turns| {
                turns[0].answers[0].as_ref().unwrap().flow.with_untracked(|flow| flow.open().len())
            });
            assert_eq!(blocks, 2);
            for (what, bad) in [
                ("no conversation", "nonsense".to_owned()),
                ("its format must be", file(|file| file["format"] = "other".into())),
                ("no conversation", file(|file| file["script"] = "x".into())),
                ("no conversation", file(|file| file["turns"][0]["role"] = "system".into())),
                ("two models", file(|file| file["models"] = vec!["a"].into())),
                ("options", file(|file| file["options"]["temperature"] = "9".into())),
                ("not one of this page", file(|file| file["options"]["tools"] = "x".into())),
                ("not all of one", file(|_| ()).split_at(120).0.to_owned()),
                ("no picture", file(|file| file["turns"][0]["images"][0] = "PHN2Zz48L3N2Zz4=AAAAAAAA".into())),
                ("too many", file(|file| file["turns"][0]["images"] = vec![PICTURE; 5].into())),
                ("too long", file(|file| file["turns"][0]["answers"][0]["text"] = "x".repeat(TEXT + 1).into())),
            ] {
                let fault = read(chat, &bad).unwrap_err();
                assert!(fault.contains(what), "{what}: {fault}");
                assert_eq!(write(chat), again, "nothing has changed");
            }
        });
    }
}
