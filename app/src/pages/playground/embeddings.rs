//! Embeddings of a few phrases by one model or two: how near they are to each other, as a table and on a plane.

use std::sync::Arc;

use leptos::{ev::SubmitEvent, prelude::*};
use serde::Deserialize;

use super::{
    ask::{Heard, Stop, ask, now},
    conversation::SIDES,
    geometry::{plane, similarities},
    json::{list, object, quote},
    parts::{fixed, part, said, when},
    setup::{Known, Model},
};
use crate::{
    decode::decode,
    format::{sentence, visible},
};

/// Where it is asked.
const ROUTE: &str = "/admin/playground/embed";
/// Most phrases, and letters of one.
const MOST: usize = 50;
const LONGEST: usize = 2_000;
/// No part of a vector is as large; the squares of larger ones are not numbers any more.
const MOST_VALUE: f64 = 1e100;
const EXAMPLE: &str = "The cat sleeps on the sofa\nA kitten naps on the couch\nShares fell on Monday";
/// Grounds from far to near.
const GROUNDS: [&str; 6] = ["", "bg-primary/10", "bg-primary/20", "bg-primary/30", "bg-primary/40", "bg-primary/50"];

/// What one model made of the phrases.
#[derive(Clone)]
enum Side {
    Nothing,
    Asked,
    Found(Arc<Found>),
    Failed(String),
}

struct Found {
    model: String,
    phrases: Vec<String>,
    near: Vec<Vec<f64>>,
    places: Vec<(f64, f64)>,
    dimensions: usize,
    ms: f64,
}

#[derive(Deserialize)]
struct Vectors {
    embeddings: Vec<Vec<f64>>,
}

/// The tab, with the models that are chosen at first.
#[component]
pub(super) fn Embeddings(models: [RwSignal<String>; SIDES], known: Known) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let both = RwSignal::new(false);
    let fault = RwSignal::new(None::<String>);
    let sides = [RwSignal::new(Side::Nothing), RwSignal::new(Side::Nothing)];
    let running = StoredValue::new(Vec::<Stop>::new());
    let stop =
        move || running.try_update_value(|running| running.drain(..).for_each(|stop| stop.now())).unwrap_or_default();
    on_cleanup(stop);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let phrases = match phrases(&text.get_untracked()) {
            Ok(phrases) => phrases,
            Err(why) => return fault.set(Some(why)),
        };
        let count = if both.get_untracked() { SIDES } else { 1 };
        if models.iter().take(count).any(|model| model.with_untracked(|model| model.trim().is_empty())) {
            return fault.set(Some("choose a model first".into()));
        }
        fault.set(None);
        stop();
        for (at, side) in sides.into_iter().enumerate() {
            side.set(Side::Nothing);
            if at < count {
                let model = models[at].with_untracked(|model| model.trim().to_owned());
                running.update_value(|running| running.extend(embed(model, phrases.clone(), side)));
            }
        }
    };
    let wrong = when(move || fault.with(Option::is_some));
    let asked = when(move || sides.iter().any(|side| side.with(|side| matches!(side, Side::Asked))));
    let two = move || sides[1].with(|side| !matches!(side, Side::Nothing));
    let class = move || if two() { "mt-4 grid items-start gap-4 xl:grid-cols-2" } else { "mt-4 grid gap-4" };
    view! {
        <form class="flex flex-col gap-4 rounded-box border border-base-300 bg-base-100 p-4" on:submit=submit>
            <div class="grid gap-4 md:grid-cols-2">
                <Model label="Embedding model" id="embed-model" model=models[0] known />
                <div class:hidden=when(move || !both.get())><Model label="Second embedding model" id="embed-model-2" model=models[1] known /></div>
            </div>
            <label class="flex w-fit items-center gap-2 text-sm">
                <input type="checkbox" class="checkbox checkbox-sm" prop:checked=both on:change=move |event| both.set(event_target_checked(&event))/>
                "Compare two embedding models"
            </label>
            <label class="text-sm font-medium" for="phrases">"Phrases, one a line"</label>
            <textarea
                id="phrases" class="textarea w-full" rows="6" placeholder=EXAMPLE aria-describedby="phrases-note"
                prop:value=text on:input=move |event| text.set(event_target_value(&event))
            ></textarea>
            <p id="phrases-note" class="text-sm" class:text-error=wrong class:text-muted=when(move || !wrong.get())>
                {said(move || Some(fault.get().map_or_else(|| format!("From two to {MOST} of them."), |fault| sentence(&fault))))}
            </p>
            <button class="btn btn-primary btn-sm w-fit" disabled=asked>"Compare"</button>
        </form>
        <div class=class>{sides.map(|side| part(move || side.with(shown))).into_iter().collect::<Vec<_>>()}</div>
    }
    .into_any()
}

/// The phrases of a text, or what is wrong with them.
fn phrases(text: &str) -> Result<Vec<String>, String> {
    let phrases: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if !(2..=MOST).contains(&phrases.len()) {
        return Err(format!("there must be from two to {MOST} phrases"));
    }
    if phrases.iter().any(|phrase| phrase.chars().count() > LONGEST) {
        return Err(format!("a phrase may have {LONGEST} letters at most"));
    }
    Ok(phrases)
}

fn embed(model: String, phrases: Vec<String>, side: RwSignal<Side>) -> Option<Stop> {
    let body = object([("model", quote(&model)), ("input", list(phrases.iter().map(|phrase| quote(phrase))))]);
    side.set(Side::Asked);
    let (started, mut bytes) = (now(), Vec::new());
    ask(ROUTE, body, move |heard| {
        let known = match heard {
            Heard::Begun(_) => return,
            Heard::Bytes(more) => return bytes.extend(more),
            Heard::Failed(why) => Side::Failed(why),
            Heard::Ended => match read(&bytes, phrases.len()) {
                Ok(vectors) => Side::Found(Arc::new(Found {
                    model: model.clone(),
                    phrases: phrases.clone(),
                    near: similarities(&vectors),
                    places: plane(&vectors),
                    dimensions: vectors.first().map_or(0, Vec::len),
                    ms: now() - started,
                })),
                Err(why) => Side::Failed(why.into()),
            },
        };
        side.try_set(known);
    })
}

/// A vector for each phrase, all of one length.
fn read(bytes: &[u8], count: usize) -> Result<Vec<Vec<f64>>, &'static str> {
    let text = std::str::from_utf8(bytes).ok();
    let vectors = text.and_then(|text| decode::<Vectors>(text).ok()).ok_or("the answer was not understood")?.embeddings;
    let length = vectors.first().map_or(0, Vec::len);
    let is_whole = |vector: &Vec<f64>| vector.len() == length && vector.iter().all(|value| value.abs() < MOST_VALUE);
    let whole = vectors.len() == count && length > 0 && vectors.iter().all(is_whole);
    if whole { Ok(vectors) } else { Err("the answer has not one vector for each phrase") }
}

fn shown(side: &Side) -> AnyView {
    match side {
        Side::Nothing => ().into_any(),
        Side::Asked => view! { <p role="status" class="text-muted">"Waiting for the vectors"</p> }.into_any(),
        Side::Failed(why) => view! { <p role="alert" class="text-error">{sentence(why)}</p> }.into_any(),
        Side::Found(found) => both_views(found),
    }
}

fn both_views(found: &Found) -> AnyView {
    let model = visible(&found.model);
    let facts = format!("{model} · {} dimensions · {} ms", found.dimensions, fixed(found.ms, 0));
    let head = (1..=found.phrases.len())
        .map(|number| view! { <th scope="col" class="text-center">{number}</th> })
        .collect::<Vec<_>>();
    let row = |(at, (phrase, row)): (usize, (&String, &Vec<f64>))| {
        let cells = row
            .iter()
            .map(
                |near| view! { <td class=format!("text-center tabular-nums {}", ground(*near))>{fixed(*near, 2)}</td> },
            )
            .collect::<Vec<_>>();
        view! { <tr><th scope="row" class="max-w-64 truncate font-normal" title=phrase.clone()>{format!("{}. {phrase}", at + 1)}</th>{cells}</tr> }
    };
    let rows = found.phrases.iter().zip(&found.near).enumerate().map(row).collect::<Vec<_>>();
    view! {
        <section class="flex min-w-0 flex-col gap-4 rounded-box border border-base-300 bg-base-100 p-4" aria-label=format!("Vectors of {model}")>
            <p class="text-sm text-muted">{facts}</p>
            <div class="overflow-x-auto" tabindex="0">
                <table class="table table-sm w-auto">
                    <caption class="mb-2 text-left text-sm font-medium">"How alike they are: 1 is the same direction, 0 nothing in common"</caption>
                    <thead><tr><td></td>{head}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {picture(found)}
        </section>
    }
    .into_any()
}

fn ground(near: f64) -> &'static str {
    let last = GROUNDS.len() - 1;
    GROUNDS[((near.max(0.0) * last as f64).round() as usize).min(last)]
}

/// The phrases by their numbers on the plane, as far apart as their vectors where two axes can show that.
fn picture(found: &Found) -> AnyView {
    let most = found.places.iter().fold(1e-9_f64, |most, (x, y)| most.max(x.abs()).max(y.abs()));
    let points = found
        .places
        .iter()
        .zip(&found.phrases)
        .enumerate()
        .map(|(at, ((x, y), phrase))| {
            let (x, y) = (200.0 + x / most * 170.0, 150.0 - y / most * 125.0);
            view! {
                <g>
                    <title>{phrase.clone()}</title>
                    <circle cx=fixed(x, 1) cy=fixed(y, 1) r="5" class="fill-primary"></circle>
                    <text x=fixed(x + 8.0, 1) y=fixed(y + 4.0, 1) class="fill-current text-xs">{at + 1}</text>
                </g>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <figure>
            <figcaption class="mb-2 text-sm font-medium">"The same on a plane: what is near is alike"</figcaption>
            <svg viewBox="0 0 400 300" class="w-full max-w-xl rounded-box border border-base-300" role="img" aria-label="The phrases by their numbers on a plane">
                {points}
            </svg>
        </figure>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_lines_and_bounded() {
        assert_eq!(phrases(" a \n\n b\r\n").unwrap(), ["a", "b"]);
        assert!(phrases("one").is_err() && phrases(&"x\n".repeat(MOST + 1)).is_err());
        assert!(phrases(&format!("a\n{}", "x".repeat(LONGEST + 1))).is_err());
        assert!(phrases(&"x\n".repeat(MOST)).is_ok());
    }

    #[test]
    fn an_answer_has_a_vector_for_each() {
        assert_eq!(
            read(br#"{"model":"m","embeddings":[[1,2.5],[0,-1]],"load_duration":1}"#, 2).unwrap()[0],
            [1.0, 2.5]
        );
        for (bad, count) in [
            (r#"{"embeddings":[[1],[1,2]]}"#, 2),
            (r#"{"embeddings":[[1]]}"#, 2),
            (r#"{"embeddings":[[],[]]}"#, 2),
            (r#"{"embeddings":[[1e999],[1]]}"#, 2),
            ("x", 1),
        ] {
            assert!(read(bad.as_bytes(), count).is_err(), "{bad}");
        }
        assert_eq!([ground(-0.5), ground(0.0), ground(0.5), ground(1.0)], ["", "", GROUNDS[3], GROUNDS[5]]);
    }
}
