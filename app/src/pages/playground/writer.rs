//! Between what comes of an answer and what is shown of it: it is shown once a frame, and less often the longer the block is
//! that is still being written, because that one is drawn as a whole each time.

use std::{cell::RefCell, rc::Rc, time::Duration};

use leptos::prelude::*;

use super::{
    ask::{Heard, now},
    conversation::{Answer, State},
    wire::{Counts, Lines, Said},
};

/// Bytes of an unfinished block that a frame draws without a pause after it.
const A_FRAME: usize = 8_192;
/// How long a frame is, and the longest pause, in milliseconds.
const FRAME_MS: usize = 16;
const LONGEST_PAUSE_MS: usize = 500;
/// Longest answer with its thoughts, in bytes.
pub(super) const LONGEST: usize = 1_000_000;

/// What came and is not shown yet.
pub(super) struct Writer {
    answer: Answer,
    /// Counts up whenever something is shown.
    moved: RwSignal<u32>,
    lines: Lines,
    content: String,
    thinking: String,
    /// Bytes that came in all.
    length: usize,
    drawing: bool,
    failed: Option<String>,
    counts: Option<Counts>,
}

impl Writer {
    /// What is to hear of the request.
    pub fn of(answer: &Answer, moved: RwSignal<u32>) -> impl FnMut(Heard) + use<> {
        let writer = Rc::new(RefCell::new(Self {
            answer: answer.clone(),
            moved,
            lines: Lines::default(),
            content: String::new(),
            thinking: String::new(),
            length: 0,
            drawing: false,
            failed: None,
            counts: None,
        }));
        move |heard| hear(&writer, heard)
    }

    fn take(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Words { content, thinking } => {
                    self.length += content.len() + thinking.len();
                    self.content.push_str(&content);
                    self.thinking.push_str(&thinking);
                }
                Said::Done(counts) => self.counts = Some(counts),
                Said::Failed(why) => self.failed = Some(why),
            }
        }
    }

    fn draw(&mut self) {
        self.drawing = false;
        let (content, thinking) = (std::mem::take(&mut self.content), std::mem::take(&mut self.thinking));
        if !thinking.is_empty() {
            self.answer.thinking.update(|all| all.push_str(&thinking));
        }
        if !content.is_empty() {
            self.answer.flow.update(|flow| flow.push(&content));
        }
        // The page may be gone by now.
        self.moved.try_update(|moved| *moved = moved.wrapping_add(1));
    }

    /// How long the next drawing waits for its frame.
    fn pause(&self) -> Duration {
        let written = self.answer.flow.with_untracked(|flow| flow.unfinished())
            + self.answer.thinking.with_untracked(String::len);
        Duration::from_millis((written / A_FRAME * FRAME_MS).min(LONGEST_PAUSE_MS) as u64)
    }

    fn end(&mut self, why: Option<String>) {
        self.draw();
        let cut = self.counts.is_none().then(|| "the answer broke off before its end".to_owned());
        let fault = self.failed.take().or(why).or(cut);
        let counts = self.counts.take().unwrap_or_default();
        self.answer.figures.update(|figures| figures.counts = counts);
        self.answer.end(fault.map_or(State::Complete, State::Failed));
    }
}

fn hear(writer: &Rc<RefCell<Writer>>, heard: Heard) {
    let mut this = writer.borrow_mut();
    // What was given up stays as it was then.
    if !this.answer.state.with_untracked(State::runs) {
        return;
    }
    match heard {
        Heard::Begun(head) => this.answer.figures.update(|figures| figures.head = head),
        Heard::Bytes(bytes) => {
            let said = this.lines.feed(&bytes);
            this.take(said);
            let begun = !(this.content.is_empty() && this.thinking.is_empty());
            if begun && this.answer.state.with_untracked(|state| *state == State::Waiting) {
                this.answer.state.set(State::Writing);
                this.answer.figures.update(|figures| figures.first_ms = figures.started.map(|started| now() - started));
            }
            if this.length > LONGEST {
                this.answer.stop();
                let bound = LONGEST / 1_000_000;
                return this.end(Some(format!("it was stopped here: an answer may have {bound} MB on this page")));
            }
            if begun && !std::mem::replace(&mut this.drawing, true) {
                let (writer, pause) = (Rc::clone(writer), this.pause());
                let frame = move || request_animation_frame(move || writer.borrow_mut().draw());
                if pause.is_zero() { frame() } else { set_timeout(frame, pause) }
            }
        }
        Heard::Ended | Heard::Failed(_) => {
            let rest = std::mem::take(&mut this.lines).end();
            this.take(rest);
            this.end(if let Heard::Failed(why) = heard { Some(why) } else { None });
        }
    }
}
