//! The model `auto`: whether clients may ask for it, which models it picks from, and how they stand.

use domain::{
    admin::Role,
    alias::TargetState,
    auto::{AutoModel, AutoTarget, AutoView, MAX_MODELS, Purposes, SaveAuto},
};
use leptos::prelude::*;

use super::card::state_badge;
use crate::{
    answer::{ticked, typed, typed_in},
    api::aliases::{ChangeAuto, get_auto},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, read_after},
        allowed::{Locked, may},
        fault::{FormFault, field_fault},
        field::{Hidden, input_name},
        form::FormCard,
        listing::{FormAnew, Saved},
        refresh::Refresh,
    },
    format::{sentence, visible},
    reading::reading,
};

/// Empty rows below those that are saved.
const SPARE: usize = 2;
/// Names of models that the fields suggest.
const LIST: &str = "auto-models";

#[component]
pub(super) fn AutoSection(refresh: Refresh) -> impl IntoView {
    let save = action::<ChangeAuto>();
    read_after(save, refresh);
    let stored = reading(move || refresh.count(), |_| get_auto());
    view! {
        <FormCard id="auto" title="The model auto">
            <p class="max-w-prose text-sm text-pretty text-muted">
                "Clients that ask for the model auto get one picked for each request. A picture needs a model that sees images, tools one that uses them, embeddings one that makes them; among those, a question about code prefers models for code, and any other those for general use. Then the order below counts."
            </p>
            <FormAnew stored refresh save form=move |view| view! { <AutoForm view save /> }.into_any() />
            <Saved save text="Saved. It counts from the next request on." />
        </FormCard>
    }
    .into_any()
}

#[component]
fn AutoForm(view: AutoView, save: FormAction<ChangeAuto>) -> impl IntoView {
    let AutoView { on, models, version, targets, more, shadows, names } = view;
    let rows = rows(models.len());
    let rows = (0..rows).map(|number| row(number, models.get(number))).collect_view();
    let suggested = names.into_iter().map(|name| view! { <option value=name></option> }).collect_view();
    view! {
        {shadows.then(|| view! {
            <p class="mt-2 text-sm text-pretty"><span class="status status-warning" aria-hidden="true"></span>" Backends have a model auto, too. While this is on, whoever asks for auto gets a model that is picked."</p>
        })}
        {on.then(|| standing(&targets, more))}
        <ActionForm action=save>
            <FormFault action=save fields=&["on", "models"] />
            // Whoever was told that somebody else changed it has seen what it is now, and may save over it.
            <Hidden name="version" value=version />
            <Locked role=Role::Operator><div class="flex flex-col gap-4">
                <label class="flex items-start gap-2">
                    <input type="checkbox" class="toggle toggle-sm mt-0.5" name=input_name("on") value="true" checked={ticked::<ChangeAuto>("on", on)} />
                    <span>"Clients may ask for auto"</span>
                </label>
                <Fault text=field_fault(save, "on") />
                <fieldset class="min-w-0">
                    <legend class="text-sm font-medium">"Models it picks from"</legend>
                    <p class="mb-3 max-w-prose text-sm text-pretty text-muted">
                        "The lowest place comes first. With no model here it picks from all of the fleet: one that is loaded, then by name. What a model can do its backends say; tick images, tools or embeddings where they do not. A row without a name is left out."
                    </p>
                    <ul role="list" class="flex flex-col gap-3">{rows}</ul>
                    <datalist id=LIST>{suggested}</datalist>
                    <Fault text=field_fault(save, "models") />
                </fieldset>
                {may(Role::Operator).then(|| view! {
                    <div><SubmitButton label="Save auto" pending=save.pending() /></div>
                })}
            </div></Locked>
        </ActionForm>
    }
    .into_any()
}

/// Rows for so many models, and as many as a refused form had.
fn rows(models: usize) -> usize {
    let typed = (0..MAX_MODELS).rev().find(|number| !typed::<ChangeAuto>(&field(0, *number)).is_empty());
    (models + SPARE).min(MAX_MODELS).max(typed.map_or(0, |last| last + 1))
}

fn field(kind: usize, number: usize) -> String {
    format!("{}r{number}", SaveAuto::ROWS[kind])
}

fn row(number: usize, saved: Option<&AutoModel>) -> AnyView {
    let (model, place) = (field(0, number), field(1, number));
    let stored = saved.map(|saved| saved.model.as_str()).unwrap_or_default();
    let typed = |field: &str, stored: &str| typed_in::<ChangeAuto>(&[], field, stored);
    let at = if saved.is_some() { (number + 1).to_string() } else { String::new() };
    let (value, at) = (typed(&model, stored), typed(&place, &at));
    let purposes = saved.map(|saved| saved.purposes).unwrap_or_default().boxes();
    let boxes = Purposes::WORDS.into_iter().zip(purposes).map(|(word, is)| {
        let field = format!("{}][{word}", field(2, number));
        view! {
            <label class="flex items-center gap-1.5 text-sm">
                <input type="checkbox" class="checkbox checkbox-sm" name=input_name(&field) value="true" checked={ticked::<ChangeAuto>(&field, is)} />
                {word}
            </label>
        }
    });
    let which = number + 1;
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-base-300 pb-3 last:border-0 last:pb-0" aria-label=format!("Row {which}")>
            <div class="flex w-full min-w-0 gap-2 sm:w-auto sm:flex-1">
                <input class="input input-sm w-14 shrink-0" inputmode="numeric" name=input_name(&place) value=at aria-label=format!("Place of row {which}") placeholder="#" autocomplete="off" />
                <input
                    class="input input-sm min-w-0 flex-1" name=input_name(&model) value=value list=LIST aria-label=format!("Model of row {which}")
                    placeholder="llama3.2:3b" autocomplete="off" autocapitalize="none" spellcheck="false"
                />
            </div>
            <div class="flex flex-wrap gap-x-4 gap-y-2">{boxes.collect_view()}</div>
        </li>
    }
    .into_any()
}

/// How the models stand, in the order of a plain question.
fn standing(targets: &[AutoTarget], more: usize) -> AnyView {
    if targets.iter().all(|target| target.state != TargetState::Next) {
        return view! {
            <p class="mt-2 mb-6 text-sm text-pretty"><span class="status status-error" aria-hidden="true"></span>" No model can be picked for a plain question now: such requests for auto are answered with an error."</p>
        }
        .into_any();
    }
    let rows = targets.iter().map(|target| {
        let AutoTarget { model, state, why, can } = target;
        let can = if can.is_empty() { String::new() } else { format!("({can})") };
        view! {
            <li class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <code class="min-w-0 text-sm break-all">{visible(model)}</code>
                {state_badge(*state)}
                <span class="min-w-0 text-sm break-words text-muted">{sentence(&visible(why))}" "{can}</span>
            </li>
        }
    });
    let more = (more > 0).then(|| view! { <li class="text-sm text-muted">{format!("And {more} more.")}</li> });
    view! {
        <div class="mt-2 mb-6">
            <h3 class="mb-2 text-sm font-medium">"Now, for a plain question"</h3>
            <ol class="flex flex-col gap-2">{rows.collect_view()}{more}</ol>
        </div>
    }
    .into_any()
}

#[component]
fn Fault(text: Signal<Option<String>>) -> impl IntoView {
    move || text.get().map(|text| view! { <p role="alert" class="mt-2 text-sm text-error">{sentence(&text)}</p> })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::html;

    fn section(change: impl FnOnce(&mut AutoView) + Send + 'static) -> String {
        let target = |model: &str, state, why: &str, can: &str| AutoTarget {
            model: model.into(),
            state,
            why: why.into(),
            can: can.into(),
        };
        let coder = Purposes::of([false, true, false, true, false]);
        let mut view = AutoView {
            on: true,
            models: vec![AutoModel { model: "qwen<b>".into(), purposes: coder }],
            version: "v1".into(),
            targets: vec![
                target("qwen<b>", TargetState::Next, "on <i>gpu-1, loaded there", "text, tools"),
                target("phi4", TargetState::Out, "gpu-2 is drained", "text"),
            ],
            more: 3,
            shadows: false,
            names: vec!["phi4".into()],
        };
        change(&mut view);
        html(move || view! { <AutoForm view save={action::<ChangeAuto>()} /> })
    }

    #[test]
    fn the_form_shows_what_is_saved_and_how_it_stands_and_all_of_it_is_text() {
        let page = section(|_| ()).replace("&gt;", ">");
        for text in [
            "qwen&lt;b>",
            "On &lt;i>gpu-1, loaded there.",
            "(text, tools)",
            "Gpu-2 is drained.",
            "And 3 more.",
            "input[models][r0]",
            "input[places][r2]",
            "input[purposes][r0][code]",
            "value=\"v1\"",
        ] {
            assert!(page.contains(text), "{text} is missing in {page}");
        }
        for absent in ["<i>", "<b>", "input[models][r3]", "Backends have", "No model can be picked"] {
            assert!(!page.contains(absent), "{absent} in {page}");
        }
    }

    #[test]
    fn what_is_hidden_and_what_cannot_be_picked_is_said() {
        let page = section(|view| {
            view.shadows = true;
            view.targets.remove(0);
        });
        for text in ["Backends have a model auto, too.", "No model can be picked for a plain question now"] {
            assert!(page.contains(text), "{text} is missing in {page}");
        }
        let off = section(|view| view.on = false);
        assert!(!off.contains("for a plain question"), "{off}");
    }
}
