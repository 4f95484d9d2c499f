//! One model of a list: what it is, where it lies, and whether it is the same everywhere.

use domain::models::{Holder, ModelRow, Version};
use leptos::prelude::*;
use leptos_router::components::A;

use crate::format::{number, visible};

/// `to` is the address of the model itself.
pub(super) fn row(model: &ModelRow, to: &str) -> AnyView {
    let name = visible(&model.name);
    let on = model.on.iter().map(holder).collect_view();
    let more = (model.more > 0)
        .then(|| view! { <li class="text-sm text-muted">{format!("and {} more", number(model.more))}</li> });
    view! {
        <li class="grid gap-x-6 gap-y-2 px-4 py-3 md:grid-cols-2">
            <div class="min-w-0">
                <A href=to.to_owned() attr:class="link font-medium break-all">{name}</A>
                {about(model)}
            </div>
            <ul aria-label="Backends" class="flex min-w-0 flex-col gap-1">{on}{more}</ul>
            {drift(&model.versions)}
        </li>
    }
    .into_any()
}

/// What it is, in a line or two.
pub(in crate::pages) fn about(model: &ModelRow) -> AnyView {
    let digest = match model.versions.as_slice() {
        [Version { digest, .. }] => Some(view! { <code class="ml-2 text-xs">{visible(digest)}</code> }),
        _ => None,
    };
    let facts: Vec<String> = model.facts.iter().map(|fact| visible(fact)).collect();
    let can =
        model.capabilities.iter().map(|word| view! { <li class="badge badge-ghost badge-sm">{visible(word)}</li> });
    let can = (!model.capabilities.is_empty())
        .then(|| view! { <ul aria-label="Can do" class="mt-1 flex flex-wrap gap-1">{can.collect_view()}</ul> });
    view! { <p class="text-sm break-words text-muted">{facts.join(" · ")}{digest}</p> {can} }.into_any()
}

fn holder(holder: &Holder) -> AnyView {
    let (dot, text) = warmth(holder);
    view! {
        <li class="flex min-w-0 items-baseline gap-2 text-sm">
            <span class=dot aria-hidden="true"></span>
            <span class="min-w-0 break-words"><span class="font-medium break-all">{visible(&holder.name)}</span>" "<span class="text-muted">{text}</span></span>
        </li>
    }
    .into_any()
}

/// The dot and the words for how it lies there.
pub(in crate::pages) fn warmth(holder: &Holder) -> (&'static str, String) {
    use domain::backend::BackendState::{Disabled, Down, Draining, Unknown, Up};
    match (&holder.warm, holder.state) {
        (_, Disabled) => ("status status-neutral", "disabled".to_owned()),
        (_, Down) => ("status status-error", "down; it had the model when it last answered".to_owned()),
        (_, Unknown) => ("status status-warning", "not looked at yet".to_owned()),
        _ if holder.remote => ("status status-neutral", "a stub: it runs at ollama.com and is not served".to_owned()),
        _ if holder.foreign => {
            ("status status-neutral", "speaks OpenAI's API only, which does not say what is loaded".to_owned())
        }
        (Some(warm), Draining) => ("status status-success", format!("warm: {warm}; draining")),
        (Some(warm), Up) => ("status status-success", format!("warm: {warm}")),
        (None, Draining) => ("status status-neutral", "cold; draining".to_owned()),
        (None, Up) => ("status status-neutral", "cold".to_owned()),
    }
}

/// Which backends have which, where a name does not mean the same everywhere.
pub(in crate::pages) fn drift(versions: &[Version]) -> Option<AnyView> {
    let version = |Version { digest, on, more }: &Version| {
        let on: Vec<String> = on.iter().map(|name| visible(name)).collect();
        let more = if *more > 0 { format!(" and {} more", number(*more)) } else { String::new() };
        view! { <li class="break-words"><code class="text-xs">{visible(digest)}</code>{format!(" on {}{more}", on.join(", "))}</li> }
            .into_any()
    };
    (versions.len() > 1).then(|| {
        view! {
            <div role="note" class="alert alert-warning alert-soft col-span-full items-start py-2 text-sm">
                <div class="min-w-0">
                    <p>"Not the same on every backend:"</p>
                    <ul class="list-inside list-disc">{versions.iter().map(version).collect_view()}</ul>
                </div>
            </div>
        }
        .into_any()
    })
}
