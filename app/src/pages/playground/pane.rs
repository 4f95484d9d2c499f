//! The conversation with one model: prompts, answers as they come, and their figures.

use domain::playground::{SESSION_ENDED, SIGN_IN};
use leptos::{html, prelude::*};

use super::{
    conversation::{Answer, Chat, Figures, State, Turn},
    markdown::view::block,
    parts::{button, fixed, keyed, part, said, when},
    pictures::Picture,
};
use crate::{
    components::copy_button::CopyButton,
    format::{sentence, visible},
    session::encode_query_value,
};

/// So near to its end, in pixels, the conversation is followed.
const NEAR: i32 = 48;
/// Blocks that one frame draws.
const A_FRAME: usize = 8;

/// The column of one side.
#[component]
pub(super) fn Pane(chat: Chat, side: usize) -> impl IntoView {
    let column = NodeRef::<html::Div>::new();
    let follows = RwSignal::new(true);
    let to_end = move || {
        request_animation_frame(move || {
            // The page may be gone by then.
            if let Some(column) = column.try_get_untracked().flatten() {
                column.set_scroll_top(column.scroll_height());
            }
        });
    };
    Effect::new(move |_| {
        chat.turns.track();
        follows.set(true);
        to_end();
    });
    Effect::new(move |_| {
        chat.moved.track();
        if follows.get_untracked() {
            to_end();
        }
    });
    let before = StoredValue::new(0);
    let looked = move |_| {
        let Some(column) = column.get_untracked() else { return };
        let top = column.scroll_top();
        if column.scroll_height() - top - column.client_height() < NEAR {
            follows.set(true);
        } else if top < before.get_value() {
            // Only a reader scrolls up; that the end is far may also be because more has come.
            follows.set(false);
        }
        before.set_value(top);
    };
    let shown = move || {
        chat.turns.with(|turns| {
            let shown = turns.iter().skip(chat.from.get());
            shown.filter_map(|turn| Some(turn.answers.get(side)?.as_ref()?.id)).collect::<Vec<_>>()
        })
    };
    let draw = move |id: u32| {
        let found = chat.turns.with_untracked(|turns| {
            let mut all = turns.iter().filter_map(|turn| Some((turn, turn.answers.get(side)?.as_ref()?)));
            all.find(|(_, answer)| answer.id == id).map(|(turn, answer)| (turn.clone(), answer.clone()))
        });
        found.map_or_else(|| ().into_any(), |(turn, answer)| exchange(chat, side, turn, answer))
    };
    let is_empty = when(move || {
        chat.turns.with(|turns| turns.iter().all(|turn| turn.answers.get(side).is_none_or(Option::is_none)))
    });
    let all = when(move || chat.from.get() == 0);
    let newest = move || {
        follows.set(true);
        to_end();
    };
    let name = if side == 0 { "Conversation" } else { "Conversation with the second model" };
    view! {
        <section aria-label=name class="relative flex min-w-0 flex-col">
            <div
                node_ref=column tabindex="0" role="log" aria-live="off" aria-label=name on:scroll=looked
                class="flex h-[26rem] flex-col gap-5 overflow-y-auto rounded-box border border-base-300 bg-base-100 p-4 lg:h-[max(22rem,calc(100dvh-36rem))]"
            >
                <div class="m-auto flex max-w-sm flex-col gap-2 text-center text-muted" class:hidden=when(move || !is_empty.get())>
                    <p class="font-medium">"Ask something below"</p>
                    <p class="text-sm">"It goes the way of every request with a key, and usage counts it under your name. The conversation stays in this tab only: export it to keep it."</p>
                </div>
                {button("Show what was said before", "btn btn-xs self-center", all, false.into(), move || chat.earlier())}
                {keyed(shown, draw)}
            </div>
            {button("To the newest", "btn btn-sm absolute bottom-3 left-1/2 -translate-x-1/2 shadow", follows.into(), false.into(), newest)}
        </section>
    }
    .into_any()
}

fn exchange(chat: Chat, side: usize, turn: Turn, answer: Answer) -> AnyView {
    let (id, state, flow) = (answer.id, answer.state.clone(), answer.flow.clone());
    let state = Memo::new(move |_| state.get());
    let runs = when(move || state.with(State::runs));
    let is_last = move || chat.turns.with(|turns| Some(turns.last()?.answers.get(side)?.as_ref()?.id)) == Some(id);
    let stop = {
        let answer = answer.clone();
        move || {
            answer.stop();
            chat.go_on();
        }
    };
    let again = move || {
        chat.again(side);
        chat.go_on();
    };
    let text = Signal::derive(move || flow.with(|flow| flow.text().to_owned()));
    view! {
        <article class="flex flex-col gap-3" aria-label="Prompt and answer">
            <div class="flex max-w-[90%] flex-col gap-2 self-end rounded-box bg-base-200 px-4 py-2">
                {pictures(&turn.pictures)}
                <p class="break-words whitespace-pre-wrap">{turn.prompt}</p>
            </div>
            <p class="text-xs font-medium break-words text-muted">{visible(&answer.model)}</p>
            {thinking(answer.thinking.clone())}
            {words(chat, &answer)}
            {standing(state)}
            {told(answer.figures)}
            <div class="flex flex-wrap gap-2">
                {button("Stop", "btn btn-xs", when(move || !runs.get()), false.into(), stop)}
                {button("Ask again", "btn btn-xs", when(move || runs.get() || !is_last()), false.into(), again)}
                <span class:hidden=runs><CopyButton text class="btn btn-xs"/></span>
            </div>
        </article>
    }
    .into_any()
}

fn pictures(pictures: &[Picture]) -> AnyView {
    if pictures.is_empty() {
        return ().into_any();
    }
    let shown = |picture: &Picture| {
        view! { <img src=picture.address() alt="Picture sent with the prompt" class="max-h-32 rounded"/> }.into_any()
    };
    view! { <div class="flex flex-wrap gap-2">{pictures.iter().map(shown).collect::<Vec<_>>()}</div> }.into_any()
}

/// What the model thought before it answered.
fn thinking(thinking: ArcRwSignal<String>) -> AnyView {
    let is_empty = {
        let thinking = thinking.clone();
        when(move || thinking.with(String::is_empty))
    };
    view! {
        <details class="text-sm text-muted" class:hidden=is_empty>
            <summary class="cursor-pointer">"Thinking"</summary>
            <p class="mt-2 border-l-2 border-base-300 pl-3 break-words whitespace-pre-wrap">{said(move || Some(thinking.get()))}</p>
        </details>
    }
    .into_any()
}

/// The answer: what is finished is drawn once and never again, a few blocks a frame where many came at once.
fn words(chat: Chat, answer: &Answer) -> AnyView {
    let (flow, state) = (answer.flow.clone(), answer.state.clone());
    let ended = Memo::new(move |_| !state.with(State::runs));
    let finished = {
        let flow = flow.clone();
        Memo::new(move |_| flow.with(|flow| flow.finished().len()))
    };
    let (shown, frame) = (RwSignal::new(0), RwSignal::new(0_usize));
    Effect::new(move |_| {
        frame.track();
        let (all, before) = (finished.get(), shown.get_untracked());
        let next = all.min(before + A_FRAME);
        if next > before {
            shown.set(next);
            chat.moved.update(|moved| *moved = moved.wrapping_add(1));
        }
        if next < all {
            // The page may be gone by then.
            request_animation_frame(move || frame.try_update(|frame| *frame += 1).unwrap_or_default());
        }
    });
    let drawn = {
        let flow = flow.clone();
        move |at: u32| {
            let found = flow.with_untracked(|flow| flow.finished().get(at as usize).cloned());
            found.map_or_else(|| ().into_any(), |finished| block(&finished, true))
        }
    };
    let open = move || {
        let ended = ended.get();
        if shown.get() < finished.get() {
            return ().into_any();
        }
        flow.with(|flow| flow.open().iter().map(|open| block(open, ended)).collect::<Vec<_>>()).into_any()
    };
    view! {
        <div class="flex min-w-0 flex-col gap-3 break-words" data-answer="">
            {keyed(move || (0..shown.get() as u32).collect(), drawn)}
            {part(open)}
        </div>
    }
    .into_any()
}

/// How far it is, and what went wrong.
fn standing(state: Memo<State>) -> AnyView {
    let told = said(move || {
        state.with(|state| {
            Some(match state {
                State::Waiting => "Waiting for the first words".to_owned(),
                State::Writing => return None,
                State::Complete => "The answer is complete".to_owned(),
                State::Stopped => "Stopped".to_owned(),
                State::Failed(why) => sentence(why),
            })
        })
    });
    let waits = when(move || state.with(|state| *state == State::Waiting));
    let is_quiet = when(move || state.with(|state| *state == State::Complete));
    let failed = when(move || state.with(|state| matches!(state, State::Failed(_))));
    // In another tab, because this one keeps the conversation.
    let sign_in = when(move || {
        state.with(|state| matches!(state, State::Failed(why) if [SIGN_IN, SESSION_ENDED].contains(&why.as_str())))
    });
    view! {
        <span class="loading loading-dots loading-sm text-muted" class:hidden=when(move || !waits.get()) aria-hidden="true"></span>
        <p role="status" class="text-sm break-words empty:hidden" class:sr-only=is_quiet class:text-error=failed>{told}</p>
        <p class="text-sm" class:hidden=when(move || !sign_in.get())>
            <a class="link" href="/admin/login" target="_blank">"Sign in in another tab"</a>
            ", then ask again here: the conversation stays."
        </p>
    }
    .into_any()
}

fn told(figures: ArcRwSignal<Figures>) -> AnyView {
    let words = {
        let figures = figures.clone();
        said(move || Some(figures.with(facts).join(" · ")).filter(|words| !words.is_empty()))
    };
    let request = move || {
        let id = figures.with(|figures| figures.total_ms.and(figures.head.request.clone()));
        let Some(id) = id else { return ().into_any() };
        let to = format!("/admin/requests?from=1h&request={}", encode_query_value(&id));
        view! { " · " <a href=to class="link" target="_blank" rel="noopener">"In the log"</a> }.into_any()
    };
    view! { <p class="text-xs text-muted tabular-nums empty:hidden">{words}{part(request)}</p> }.into_any()
}

/// What is known so far, in the order in which it becomes known.
fn facts(figures: &Figures) -> Vec<String> {
    let seconds =
        |ms: f64| if ms < 1_000.0 { format!("{} ms", fixed(ms, 0)) } else { format!("{} s", fixed(ms / 1_000.0, 1)) };
    let Figures { head, first_ms, total_ms, counts, .. } = figures;
    let mut facts = Vec::new();
    facts.extend(head.backend.as_ref().map(|backend| format!("on {backend}")));
    facts.extend(head.warm.map(|warm| if warm { "warm" } else { "cold" }.to_owned()));
    facts.extend(head.queue_ms.filter(|ms| *ms > 0).map(|ms| format!("waited {} for a slot", seconds(ms as f64))));
    facts.extend(first_ms.map(|ms| format!("first words after {}", seconds(ms))));
    facts.extend(total_ms.map(|ms| format!("{} in all", seconds(ms))));
    facts.extend(counts.completion.map(|tokens| format!("{tokens} tokens")));
    facts.extend(figures.per_second().map(|speed| format!("{} tokens/s", fixed(speed, 1))));
    facts.extend(counts.prompt.map(|tokens| format!("{tokens} in the prompt")));
    facts.extend((counts.reason.as_deref() == Some("length")).then(|| "cut at the longest answer".to_owned()));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::playground::{ask::Head, wire::Counts};

    #[test]
    fn figures_are_told_as_they_become_known() {
        let mut figures = Figures::default();
        assert_eq!(facts(&figures), Vec::<String>::new());
        figures.head = Head { backend: Some("gpu".into()), warm: Some(false), queue_ms: Some(1_500), request: None };
        figures.first_ms = Some(640.4);
        assert_eq!(facts(&figures), ["on gpu", "cold", "waited 1.5 s for a slot", "first words after 640 ms"]);
        figures.total_ms = Some(2_000.0);
        figures.counts = Counts {
            prompt: Some(9),
            completion: Some(30),
            writing: Some(2_000_000_000),
            reason: Some("length".into()),
        };
        assert_eq!(
            facts(&figures)[4..],
            ["2.0 s in all", "30 tokens", "15.0 tokens/s", "9 in the prompt", "cut at the longest answer"]
        );
    }
}
