//! Models that are kept on some backends: how each stands, and saying so.

use domain::{
    admin::Role,
    pull::{KeepCopies, PullOverview, PullPlace, WishView},
};
use leptos::prelude::*;

use super::{Boxes, Wrong};
use crate::{
    answer::{ticked, typed},
    api::pulls::WishModel,
    components::{
        action::{ActionForm, SubmitButton, action, action_of, refresh_after},
        allowed::may,
        badge::Badge,
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::{FormCard, emptied_after},
        page::Empty,
        refresh::Refresh,
        rows::Rows,
    },
    format::{plural, sentence, visible},
};

#[component]
pub(super) fn Kept(overview: Memo<PullOverview>, places: Memo<Vec<PullPlace>>, refresh: Refresh) -> impl IntoView {
    let wishes = Signal::derive(move || overview.with(|overview| overview.wishes.clone()));
    let is_empty = move || overview.with(|overview| overview.wishes.is_empty());
    view! {
        <section aria-labelledby="kept">
            <h2 id="kept" class="mb-1 text-lg font-semibold">"Keep available"</h2>
            <p class="mb-3 max-w-prose text-sm text-muted">
                "A model that is kept is pulled by the gateway wherever it is missing, one pull at a time, to the backend with the fewest models first. Nothing is ever removed from a backend."
            </p>
            <div class:hidden=move || !is_empty()>
                <Empty text="No model is kept yet. Say on how many backends a model should be, and the gateway sees to it when a backend is added or loses it." />
            </div>
            <ul role="list" class="flex flex-col gap-3" class:hidden=is_empty>
                <Rows items=wishes key=|wish: &WishView| wish.model.clone() row=move |wish| view! { <Wish wish refresh /> } />
            </ul>
            {may(Role::Operator).then(|| view! {
                <div class="mt-3" class:hidden=move || places.with(Vec::is_empty)><KeepForm places refresh /></div>
            })}
        </section>
    }
    .into_any()
}

#[component]
fn Wish(wish: Signal<WishView>, refresh: Refresh) -> impl IntoView {
    let model = wish.with_untracked(|wish| wish.model.clone());
    let look = move || {
        let short = wish.with(|wish| wish.short.is_some());
        if short { ("Short", "status status-warning") } else { ("Met", "status status-success") }
    };
    let names = |names: &[String]| names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
    let told = move || {
        wish.with(|wish| {
            let mut text = format!("On {} of {}", wish.on.len(), plural(u64::from(wish.copies), "backend"));
            if !wish.on.is_empty() {
                text += &format!(": {}", names(&wish.on));
            }
            if !wish.only.is_empty() {
                text += &format!(". Only on {}", names(&wish.only));
            }
            sentence(&text)
        })
    };
    let short = move || wish.with(|wish| wish.short.as_ref().map(|why| sentence(&visible(why))));
    let stop = action_of::<WishModel>(&[("model", model.as_str()), ("copies", "0")]);
    refresh_after(stop, refresh);
    let name = visible(&model);
    let label = name.clone();
    view! {
        <li aria-label=label class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-1 p-4">
                <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                    <span class="font-semibold break-all">{name}</span>
                    <span aria-live="polite"><Badge look=Signal::derive(look) /></span>
                    {may(Role::Operator).then(|| view! {
                        <div class="ml-auto">
                            <ActionForm action=stop>
                                <Hidden name="model" value=model />
                                <Hidden name="copies" value="0".to_owned() />
                                <SubmitButton label="Keep no longer" pending=stop.pending() class="btn btn-sm" />
                                <FormFault action=stop />
                            </ActionForm>
                        </div>
                    })}
                </div>
                <p class="text-sm break-words">{told}</p>
                <p class="text-sm break-words text-muted">{short}</p>
            </div>
        </li>
    }
    .into_any()
}

#[component]
fn KeepForm(places: Memo<Vec<PullPlace>>, refresh: Refresh) -> impl IntoView {
    let keep = action::<WishModel>();
    let form = emptied_after(keep, refresh);
    view! {
        <FormCard id="keep-model" title="Keep a model">
            <ActionForm action=keep node_ref=form>
                <FormFault action=keep fields=&KeepCopies::FIELDS />
                <div class="flex flex-col gap-4">
                    <div class="grid max-w-2xl gap-4 md:grid-cols-2">
                        <Field
                            label="Model" name="model" id="kept-model" value={typed::<WishModel>("model")} placeholder="qwen3:8b" fault=field_fault(keep, "model")
                            hint="One that is kept already gets what you say here."
                        />
                        <Field
                            label="On at least" name="copies" id="kept-copies" value={typed::<WishModel>("copies")} inputmode="numeric" placeholder="2" fault=field_fault(keep, "copies")
                            hint="So many backends."
                        />
                    </div>
                    <Boxes legend="Only on these backends; on any where none is ticked" places ticked=is_ticked />
                    <Wrong text=field_fault(keep, "backends") />
                </div>
                <div class="mt-4">
                    <SubmitButton label="Keep it" pending=keep.pending() />
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}

fn is_ticked(field: &str, _: &str) -> bool {
    ticked::<WishModel>(field, false)
}
