//! Step 2: the first backend. What answers by itself is offered; any other address is tried before it is kept.

use domain::{
    backend::{ProbeReport, ProbeResult},
    setup::FoundBackends,
};
use leptos::{either::Either, prelude::*};

use super::Progress;
use crate::{
    answer::typed,
    api::setup::{UseBackend, find_backends},
    components::{
        action::{ActionForm, FormAction},
        fault::{FormFault, LoadFault, field_fault},
        field::{Field, Hidden},
    },
    format::{sentence, visible},
    reading::reading,
};

#[component]
pub fn BackendStep(action: FormAction<UseBackend>) -> impl IntoView {
    let found = reading(|| (), |()| find_backends());
    view! {
        <Progress step=2/>
        <h2 class="text-lg font-medium">"Your first backend"</h2>
        <Suspense fallback=|| view! { <p class="text-muted">"Looking for Ollama servers…"</p> }>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(FoundBackends { reports }) => Either::Left(view! { <Found reports action/> }),
                    Err(error) => Either::Right(view! { <LoadFault fault=error.to_string() retry=move || found.refetch() /> }),
                }
            })}
        </Suspense>
        <OtherAddress action/>
        <p class="text-sm text-muted">"No backend at hand? " <a class="link" href="/admin">"Go on without one"</a> " and add it later."</p>
    }
}

#[component]
fn Found(reports: Vec<ProbeReport>, action: FormAction<UseBackend>) -> impl IntoView {
    let reports = reports.into_iter().map(|report| view! { <li><FoundBackend report action/></li> }).collect_view();
    view! { <ul class="flex flex-col gap-3" aria-label="Found backends">{reports}</ul> }
}

/// One address that was looked at: with its models and a button, or with what is wrong.
#[component]
fn FoundBackend(report: ProbeReport, action: FormAction<UseBackend>) -> impl IntoView {
    let ProbeReport { url, result } = report;
    let message = sentence(&result.message());
    let offer = match result {
        ProbeResult::Ok { models, .. } => {
            let models = models
                .into_iter()
                .map(|model| view! { <li class="badge badge-ghost">{visible(&model)}</li> })
                .collect_view();
            let address = url.clone();
            Some(view! {
                <ul class="flex flex-wrap gap-1" aria-label="Models">{models}</ul>
                <ActionForm action>
                    <Hidden name="url" value=address/>
                    <button class="btn btn-primary" disabled=move || action.pending().get()>"Use this backend"</button>
                </ActionForm>
            })
        }
        _ => None,
    };
    view! {
        <div class="flex flex-col gap-2 rounded-box border border-base-300 p-4">
            <p class="font-mono">{url}</p>
            <p class="text-sm text-muted">{message}</p>
            {offer}
        </div>
    }
}

#[component]
fn OtherAddress(action: FormAction<UseBackend>) -> impl IntoView {
    view! {
        <ActionForm action>
            <div class="flex flex-col gap-3">
                <h3 class="font-medium">"At another address"</h3>
                <FormFault action=action fields=&["url", "token"] />
                <Field
                    label="Address" name="url" value={typed::<UseBackend>("url")} inputmode="url" placeholder="http://192.168.1.20:11434" required=true
                    hint="address of an Ollama server as this gateway reaches it" fault=field_fault(action, "url")
                />
                <Field
                    label="Token (optional)" name="token" kind="password"
                    hint="only where the server asks for a bearer token; it is stored encrypted" fault=field_fault(action, "token")
                />
                <button class="btn self-start" disabled=move || action.pending().get()>"Add this address"</button>
            </div>
        </ActionForm>
    }
}
