//! "Limits and permissions" of a key and of a user: one form of all parts of a policy, closed until it is asked for, and in
//! a line what it says now.

use domain::{
    id::UserId,
    key::KeyView,
    policy::{PolicyInput, PolicyView},
    user::UserView,
};
use leptos::prelude::*;

use crate::{
    api::{keys::ChangeKeyPolicy, users::ChangeUserPolicy},
    components::{
        action::{ActionForm, AnyAction, SubmitButton, action_of},
        area::{Area, Choice},
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::FormDisclosure,
        refresh::Refresh,
    },
    format::sentence,
};

const LABEL: &str = "Limits and permissions";

/// What a policy says, a line a part; nothing where it says nothing.
#[component]
pub(super) fn PolicySummary(#[prop(into)] policy: Signal<PolicyView>) -> impl IntoView {
    let lines = move || policy.with(|policy| policy.lines.clone());
    view! {
        <ul class="flex flex-wrap gap-2 text-sm" aria-label=LABEL class:hidden=move || lines().is_empty()>
            {move || {
                lines().into_iter().map(|line| view! { <li class="badge badge-soft h-auto text-left break-all">{sentence(&line).trim_end_matches('.').to_owned()}</li> }).collect_view()
            }}
        </ul>
    }
    .into_any()
}

#[component]
pub(super) fn KeyPolicyForm(key: Signal<KeyView>, refresh: Refresh) -> impl IntoView {
    let id = key.with_untracked(|key| key.id.to_string());
    let action = action_of::<ChangeKeyPolicy>(&[("id", &id)]);
    let policy = Memo::new(move |_| key.with(|key| key.shown.clone().unwrap_or_default()));
    view! {
        <FormDisclosure action label=LABEL refresh>
            <ActionForm action>
                <PolicyFields action id policy what="this key" />
            </ActionForm>
        </FormDisclosure>
    }
    .into_any()
}

#[component]
pub(super) fn UserPolicyForm(user_id: UserId, user: Memo<UserView>, refresh: Refresh) -> impl IntoView {
    let id = user_id.to_string();
    let action = action_of::<ChangeUserPolicy>(&[("id", &id)]);
    let policy = Memo::new(move |_| user.with(|user| user.shown.clone().unwrap_or_default()));
    view! {
        <FormDisclosure action label=LABEL refresh>
            <ActionForm action>
                <PolicyFields action id policy what="all keys of this user together" />
            </ActionForm>
        </FormDisclosure>
    }
    .into_any()
}

/// Made anew from what is in force after every change of it; a save with faults leaves what was typed as it is.
#[component]
fn PolicyFields(
    #[prop(into)] action: AnyAction,
    /// Of the key or user.
    id: String,
    policy: Memo<PolicyView>,
    what: &'static str,
) -> impl IntoView {
    let fields = {
        let id = id.clone();
        move || policy.with(|policy| fields(action, &id, &policy.input))
    };
    view! {
        <Hidden name="id" value=id />
        <FormFault action fields=&PolicyInput::FIELDS />
        <p class="mb-4 max-w-prose text-sm">
            "For " {what} ", beside the request limit. An empty field restricts nothing. A key's own limits and its user's both count. Changes are in force at once."
        </p>
        {fields}
        <div class="mt-4">
            <SubmitButton label="Save limits and permissions" pending=action.pending() class="btn btn-sm btn-primary" />
        </div>
    }
    .into_any()
}

fn fields(action: AnyAction, id: &str, stored: &PolicyInput) -> AnyView {
    let typed = |name: &'static str, stored: &str| action.typed_in(&[("id", id)], name, stored);
    let text = |label: &'static str, name: &'static str, stored: &str, hint: &'static str| {
        view! { <Field label name id=format!("{name}-{id}") value=typed(name, stored) hint fault=field_fault(action, name) /> }.into_any()
    };
    let number = |label: &'static str, name: &'static str, stored: &str, hint: &'static str| {
        view! { <Field label name id=format!("{name}-{id}") inputmode="numeric" value=typed(name, stored) hint fault=field_fault(action, name) /> }.into_any()
    };
    let area = |label: &'static str, name: &'static str, stored: &str, hint: &'static str| {
        view! { <Area label name id=format!("{name}-{id}") value=typed(name, stored) hint fault=field_fault(action, name) /> }.into_any()
    };
    let requests =
        number("Requests at once", "concurrent", &stored.concurrent, "Streaming ones count until their end.");
    let gpu = number(
        "GPU seconds a day",
        "gpu_seconds_per_day",
        &stored.gpu_seconds_per_day,
        "Time that backends work: loading, reading the prompt, answering.",
    );
    let tokens = [
        number(
            "Tokens a minute",
            "tokens_per_minute",
            &stored.tokens_per_minute,
            "Prompt and answer, in any 60 seconds.",
        ),
        number("Tokens a day", "tokens_per_day", &stored.tokens_per_day, "From midnight to midnight, UTC."),
        number("Tokens a month", "tokens_per_month", &stored.tokens_per_month, "Calendar months, UTC."),
    ];
    let ceilings = [
        number(
            "Largest num_ctx",
            "num_ctx",
            &stored.num_ctx,
            "Requests that ask for more get this much; those that ask for none get the backend's own.",
        ),
        number(
            "Largest num_predict",
            "num_predict",
            &stored.num_predict,
            "Tokens of one answer, whatever the request says.",
        ),
        text("Longest keep_alive", "keep_alive_s", &stored.keep_alive_s, "Seconds, or a time like 90s, 5m or 1h."),
    ];
    let models = area(
        "Allowed models",
        "models",
        &stored.models,
        "Names or patterns like qwen3:* between commas or lines. Others are neither served nor listed. Empty: all.",
    );
    let networks = area(
        "Allowed networks",
        "networks",
        &stored.networks,
        "Addresses or networks like 10.0.0.0/8, between commas or lines. Empty: from anywhere.",
    );
    let permission = |label: &'static str, name: &'static str, stored: &str, hint: &'static str| {
        let stored = if stored.is_empty() { "no" } else { "yes" };
        view! {
            <Choice
                label name id=format!("{name}-{id}") value=typed(name, stored)
                options=&[("no", "Not allowed"), ("yes", "Allowed")] hint fault=field_fault(action, name)
            />
        }
        .into_any()
    };
    let permissions = [
        permission("Model management", "management", &stored.management, "Pull, push, create, copy and delete models."),
        permission(
            "See which backend answers",
            "topology",
            &stored.topology,
            "Answers name the backend, and with x-fortress-explain: 1 say why it was chosen.",
        ),
    ];
    let expiry = text(
        "Expires (UTC)",
        "expires_at",
        &stored.expires_at,
        "A day like 2026-12-31, a time like 2026-12-31T23:59, or from now on: 30d, 12h. Empty: never.",
    );
    view! {
        <div class="grid gap-x-6 gap-y-4 md:grid-cols-2">
            <Group title="Requests">{requests}</Group>
            <Group title="GPU time">{gpu}</Group>
            <Group title="Tokens">{tokens.into_iter().collect_view()}</Group>
            <Group title="Ceilings">{ceilings.into_iter().collect_view()}</Group>
            <Group title="Models">{models}</Group>
            <Group title="Where from">{networks}</Group>
            <Group title="Permissions">{permissions.into_iter().collect_view()}</Group>
            <Group title="Expiry">{expiry}</Group>
        </div>
    }
    .into_any()
}

#[component]
fn Group(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <fieldset class="flex flex-col gap-3">
            <legend class="mb-2 font-semibold">{title}</legend>
            {children()}
        </fieldset>
    }
    .into_any()
}
