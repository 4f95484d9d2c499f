//! The backends as they are now.

use domain::{
    admin::Role,
    backend::BackendView,
    live::LiveStatus,
    models::act::{BOXES, Keep, box_of},
};
use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    api::models::SendKeep,
    components::{
        action::{ActionForm, AnyAction, action},
        allowed::may,
        backend_facts::{LastFault, ModelNames},
        badge::BackendBadge,
        breakers::Breakers,
        field::{Hidden, input_name},
        page::Empty,
        rows::Rows,
    },
    format::{number, visible},
    pages::models::keep::{Told, follow, press},
};

#[component]
pub(super) fn Fleet(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let backends = Memo::new(move |_| status.with(|status| status.backends.clone()));
    let is_empty = move || backends.with(Vec::is_empty);
    let keep = AnyAction::from(action::<SendKeep>());
    let told = follow(&[keep]);
    view! {
        <section aria-labelledby="fleet">
            <div class="mb-3 flex items-baseline justify-between gap-3">
                <h2 id="fleet" class="text-lg font-semibold">"Backends"</h2>
                <A href="/admin/backends" attr:class="link text-sm">"Manage backends"</A>
            </div>
            <div class:hidden=move || !is_empty()>
                <Empty text="No backend yet. Add one under Backends: until then every request is refused." />
            </div>
            <Told told pending=keep.pending() faults=vec![(keep, &[][..])] />
            <ul role="list" class="grid gap-3 lg:grid-cols-2">
                <Rows items=backends key=|backend: &BackendView| backend.id.to_string() row=move |backend| view! { <Member backend keep /> } />
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Member(backend: Signal<BackendView>, keep: AnyAction) -> impl IntoView {
    let name = move || backend.with(|backend| backend.name.clone());
    let version =
        move || backend.with(|backend| backend.version.as_deref().map_or_else(|| "unknown".to_owned(), visible));
    let in_flight = move || {
        let (running, limit) = backend.with(|backend| (number(backend.in_flight), backend.limit));
        limit.map_or_else(|| running.clone(), |limit| format!("{running} of {}", number(limit.into())))
    };
    let page = backend.with_untracked(|backend| format!("/admin/backends/{}", backend.id));
    let tokens = move || tenths(backend.with(|backend| backend.pace.tokens));
    let ttft = move || {
        backend.with(|backend| backend.pace.ttft_ms).map_or_else(|| "no answer lately".to_owned(), milliseconds)
    };
    view! {
        <li aria-label=name class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-3 p-4">
                <div class="flex flex-wrap items-center justify-between gap-2">
                    <h3 class="font-semibold break-all"><A href=page attr:class="link link-hover">{name}</A></h3>
                    <BackendBadge state=Signal::derive(move || backend.with(|backend| backend.state)) />
                </div>
                <dl class="flex flex-wrap gap-x-6 gap-y-1 text-sm">
                    <div class="flex gap-2">
                        <dt class="text-muted">"In flight"</dt>
                        <dd class="tabular-nums">{in_flight}</dd>
                    </div>
                    <div class="flex gap-2" title="Of requests that ended within the last minute">
                        <dt class="text-muted">"Tokens/s"</dt>
                        <dd class="tabular-nums">{tokens}</dd>
                    </div>
                    <div class="flex gap-2" title="Time to first token of streamed answers, on average over the last five minutes">
                        <dt class="text-muted">"TTFT"</dt>
                        <dd class="tabular-nums">{ttft}</dd>
                    </div>
                    <div class="flex gap-2"><dt class="text-muted">"Version"</dt><dd class="break-all">{version}</dd></div>
                </dl>
                <p class="text-sm font-medium" class:hidden=move || !backend.with(|backend| backend.draining)>
                    {move || backend.with(BackendView::drained)}
                </p>
                <Warm backend keep />
                <ModelNames backend />
                <Breakers backend />
                <LastFault backend />
            </div>
        </li>
    }
    .into_any()
}

/// What lies in its memory, and for how long; a click lets it go.
#[component]
fn Warm(backend: Signal<BackendView>, keep: AnyAction) -> impl IntoView {
    let warm = Memo::new(move |_| backend.with(|backend| (backend.warm.clone(), backend.warm_all)));
    let (id, name) = backend.with_untracked(|backend| (backend.id.clone(), backend.name.clone()));
    let field = input_name(&format!("{BOXES}{}", box_of(&id)));
    let unload = move |model: &str| {
        let of = format!(" {} on {}", visible(model), visible(&name));
        let (field, model) = (field.clone(), model.to_owned());
        may(Role::Operator).then(|| {
            view! {
                <ActionForm action=keep>
                    <Hidden name="model" value=model />
                    <input type="hidden" name=field value="true" />
                    {press(Keep::Unload, "Unload", &of, keep)}
                </ActionForm>
            }
        })
    };
    move || {
        warm.with(|(warm, all)| {
            let more = all.saturating_sub(warm.len() as u64);
            let rows = warm.iter().map(|model| {
                view! {
                    <li class="flex items-center justify-between gap-3">
                        <span class="flex min-w-0 flex-wrap gap-x-2">
                            <span class="font-medium break-all">{visible(&model.name)}</span>
                            <span class="text-muted">{model.text.clone()}</span>
                        </span>
                        {unload(&model.name)}
                    </li>
                }
            });
            (!warm.is_empty()).then(|| {
                view! {
                    <ul aria-label="In its memory" class="flex flex-col gap-1.5 text-sm">
                        {rows.collect_view()}
                        {(more > 0).then(|| view! { <li class="text-muted">{format!("and {} more", number(more))}</li> })}
                    </ul>
                }
            })
        })
    }
}

/// Tokens of a minute, as tokens a second.
fn tenths(tokens: u64) -> String {
    let tenths = tokens.div_ceil(6);
    format!("{}.{}", number(tenths / 10), tenths % 10)
}

fn milliseconds(ms: u64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { format!("{}.{} s", number(ms / 1_000), ms % 1_000 / 100) }
}
