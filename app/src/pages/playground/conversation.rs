//! What was asked and answered, in this page's memory only: one prompt at a time to one model or two, each with a stream of
//! its own.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::{
    ask::{Head, Stop, ask, now},
    markdown::Flow,
    options::{Faults, Options, Typed},
    pictures::Picture,
    wire::{Counts, Message, body},
    writer::Writer,
};
use crate::components::focus::focus_soon;

/// Where it is asked.
const ROUTE: &str = "/admin/playground/chat";
/// Models beside each other.
pub(super) const SIDES: usize = 2;
/// Turns of a conversation from a file that are drawn at once.
const DRAWN: usize = 20;
/// Id of the field where a prompt is written.
pub(super) const PROMPT: &str = "prompt";

/// How far an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Writing,
    Complete,
    Stopped,
    Failed(String),
}

impl State {
    pub fn runs(&self) -> bool {
        matches!(self, Self::Waiting | Self::Writing)
    }
}

/// What is known of an answer beside its words.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    pub head: Head,
    /// When it was asked for.
    pub started: Option<f64>,
    /// Milliseconds to the first words, and to the end.
    pub first_ms: Option<f64>,
    pub total_ms: Option<f64>,
    pub counts: Counts,
}

impl Figures {
    /// As the backend measured it.
    pub fn per_second(&self) -> Option<f64> {
        let (tokens, nanos) = (self.counts.completion?, self.counts.writing.filter(|nanos| *nanos > 0)?);
        Some(tokens as f64 * 1e9 / nanos as f64)
    }
}

/// One model's answer to one prompt.
#[derive(Clone)]
pub(super) struct Answer {
    /// No two are the same.
    pub id: u32,
    pub model: String,
    pub flow: ArcRwSignal<Flow>,
    pub thinking: ArcRwSignal<String>,
    pub state: ArcRwSignal<State>,
    pub figures: ArcRwSignal<Figures>,
    stop: Arc<Mutex<Option<Stop>>>,
}

impl Answer {
    pub fn new(model: String, state: State) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            model,
            flow: ArcRwSignal::default(),
            thinking: ArcRwSignal::default(),
            state: ArcRwSignal::new(state),
            figures: ArcRwSignal::default(),
            stop: Arc::default(),
        }
    }

    /// Gives it up; what came of it stays.
    pub fn stop(&self) {
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            stop.now();
            if self.state.with_untracked(State::runs) {
                self.end(State::Stopped);
            }
        }
    }

    /// It is over in this way.
    pub fn end(&self, state: State) {
        self.figures.update(|figures| figures.total_ms = figures.started.map(|started| now() - started));
        self.state.set(state);
    }

    fn runs(&self) -> bool {
        self.state.with(State::runs)
    }
}

/// One prompt and its answers.
#[derive(Clone)]
pub(super) struct Turn {
    pub prompt: String,
    pub pictures: Arc<[Picture]>,
    pub answers: [Option<Answer>; SIDES],
}

/// The page's state.
#[derive(Clone, Copy)]
pub(super) struct Chat {
    pub models: [RwSignal<String>; SIDES],
    /// Both models are asked.
    pub both: RwSignal<bool>,
    pub system: RwSignal<String>,
    pub options: RwSignal<Typed>,
    pub faults: RwSignal<Faults>,
    pub turns: RwSignal<Vec<Turn>>,
    pub prompt: RwSignal<String>,
    pub pictures: RwSignal<Vec<Picture>>,
    /// A file is held over the page.
    pub over: RwSignal<bool>,
    /// Why nothing was sent, or a picture not taken.
    pub notice: RwSignal<Option<String>>,
    /// Why a file was not taken as a conversation.
    pub refused: RwSignal<Option<String>>,
    /// The conversation that made room for this one.
    pub before: RwSignal<Vec<Turn>>,
    /// Turns before this one are not drawn.
    pub from: RwSignal<usize>,
    /// Counts up whenever something was added to what is shown.
    pub moved: RwSignal<u32>,
    /// Bytes that a request may have.
    pub room: RwSignal<usize>,
}

impl Chat {
    pub fn new(model: String) -> Self {
        Self {
            models: [RwSignal::new(model), RwSignal::default()],
            both: RwSignal::new(false),
            system: RwSignal::default(),
            options: RwSignal::default(),
            faults: RwSignal::default(),
            turns: RwSignal::default(),
            prompt: RwSignal::default(),
            pictures: RwSignal::default(),
            over: RwSignal::new(false),
            notice: RwSignal::default(),
            refused: RwSignal::default(),
            before: RwSignal::default(),
            from: RwSignal::new(0),
            moved: RwSignal::new(0),
            room: RwSignal::new(usize::MAX),
        }
    }

    pub fn runs(self) -> bool {
        self.turns.with(|turns| turns.iter().flat_map(|turn| turn.answers.iter().flatten()).any(Answer::runs))
    }

    pub fn stop_all(self) {
        // The page may be on its way out.
        let turns = self.turns.try_get_untracked().unwrap_or_default();
        turns.iter().flat_map(|turn| turn.answers.iter().flatten()).for_each(Answer::stop);
    }

    /// Another conversation in place of this one, which can be brought back.
    pub fn replace(self, turns: Vec<Turn>) {
        self.stop_all();
        self.from.set(turns.len().saturating_sub(DRAWN));
        let before = self.turns.try_update(|now| std::mem::replace(now, turns)).unwrap_or_default();
        if !before.is_empty() {
            self.before.set(before);
        }
        self.notice.set(None);
        self.refused.set(None);
    }

    /// Exchanges this conversation with the one before.
    pub fn bring_back(self) {
        let before = self.before.try_update(std::mem::take).unwrap_or_default();
        self.replace(before);
    }

    /// Draws as many of the turns before as at first.
    pub fn earlier(self) {
        self.from.update(|from| *from = from.saturating_sub(DRAWN));
    }

    /// To where one goes on writing; a button that was pressed may have gone.
    pub fn go_on(self) {
        focus_soon(|| document().get_element_by_id(PROMPT).and_then(|field| field.dyn_into().ok()));
    }

    /// The options, or their faults beside their fields.
    fn chosen(self) -> Option<Options> {
        let read = self.options.with_untracked(Options::read);
        self.faults.set(read.as_ref().err().copied().unwrap_or_default());
        if read.is_err() {
            self.notice.set(Some("something in the options is not right".into()));
        }
        read.ok()
    }

    /// Asks all models that are on; says whether it did.
    pub fn send(self) -> bool {
        self.notice.set(None);
        let Some(options) = self.chosen() else { return false };
        let (prompt, pictures) = (self.prompt.get_untracked(), self.pictures.get_untracked());
        let sides = if self.both.get_untracked() { SIDES } else { 1 };
        let models: Vec<String> =
            self.models.iter().take(sides).map(|model| model.with_untracked(|model| model.trim().to_owned())).collect();
        if models.iter().any(String::is_empty) {
            self.notice.set(Some("choose a model first".into()));
            return false;
        }
        if prompt.trim().is_empty() && pictures.is_empty() {
            return false;
        }
        let at = self.turns.with_untracked(Vec::len);
        let turn = Turn { prompt, pictures: pictures.into(), answers: [const { None }; SIDES] };
        self.turns.update(|turns| turns.push(turn));
        let bodies: Vec<String> =
            models.iter().enumerate().map(|(side, model)| self.body(at, side, model, &options)).collect();
        if bodies.iter().any(|body| body.len() > self.room.get_untracked()) {
            self.turns.update(|turns| turns.truncate(at));
            let bound = self.room.get_untracked() / 1_000_000;
            self.notice.set(Some(format!("a request may have {bound} MB: leave pictures out, or begin anew")));
            return false;
        }
        for (side, (model, body)) in models.into_iter().zip(bodies).enumerate() {
            self.begin(at, side, model, body);
        }
        self.prompt.set(String::new());
        self.pictures.set(Vec::new());
        true
    }

    /// Asks one model once more for its last answer.
    pub fn again(self, side: usize) {
        self.notice.set(None);
        let Some(options) = self.chosen() else { return };
        let last = self.turns.with_untracked(|turns| {
            let at = turns.len().checked_sub(1)?;
            Some((at, turns.get(at)?.answers.get(side)?.as_ref()?.model.clone()))
        });
        if let Some((at, model)) = last {
            let body = self.body(at, side, &model, &options);
            self.begin(at, side, model, body);
        }
    }

    /// What the model of `side` is asked with the prompt at `at`: its own answers before, and no other's.
    fn body(self, at: usize, side: usize, model: &str, options: &Options) -> String {
        let system = self.system.get_untracked();
        self.turns.with_untracked(|turns| {
            let mut said: Vec<(&Turn, Option<String>)> = Vec::new();
            for (place, turn) in turns.iter().enumerate().take(at + 1) {
                let answer = turn.answers.get(side).and_then(Option::as_ref);
                let text = answer.map(|answer| answer.flow.with_untracked(|flow| flow.text().to_owned()));
                if place == at {
                    said.push((turn, None));
                } else if text.as_ref().is_some_and(|text| !text.is_empty()) {
                    said.push((turn, text));
                }
            }
            let mut messages = Vec::new();
            if !system.trim().is_empty() {
                messages.push(Message { role: "system", content: &system, images: Vec::new() });
            }
            for (turn, answer) in &said {
                let images = turn.pictures.iter().map(|picture| picture.data.as_str()).collect();
                messages.push(Message { role: "user", content: &turn.prompt, images });
                if let Some(answer) = answer {
                    messages.push(Message { role: "assistant", content: answer, images: Vec::new() });
                }
            }
            body(model, &messages, options)
        })
    }

    fn begin(self, at: usize, side: usize, model: String, body: String) {
        let answer = Answer::new(model, State::Waiting);
        self.turns.update(|turns| {
            if let Some(place) = turns.get_mut(at).and_then(|turn| turn.answers.get_mut(side)) {
                *place = Some(answer.clone());
            }
        });
        answer.figures.update(|figures| figures.started = Some(now()));
        let stop = ask(ROUTE, body, Writer::of(&answer, self.moved));
        *answer.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }
}
