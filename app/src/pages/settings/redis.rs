//! The Redis address, which is stored and tested but not used yet, and says so.

use domain::settings::{RedisState, Sourced};
use leptos::prelude::*;

use super::fields::origin;
use crate::{
    api::settings::{StoreSettings, TestRedis},
    components::{
        fault::{Fault, field_fault, form_fault},
        field::Field,
    },
    format::sentence,
};

/// Id of the form that the test button submits: a form cannot be inside another.
pub(super) const REDIS_TEST: &str = "redis-test";

#[component]
pub(super) fn RedisSetting(
    save: ServerAction<StoreSettings>,
    test: ServerAction<TestRedis>,
    url: Sourced<String>,
    has_password: bool,
) -> impl IntoView {
    let password = if has_password { " A password is stored; leave the address as it is to keep it." } else { "" };
    let hint =
        format!("Used from the next release on, for limits shared by several gateways. {}{password}", origin(&url));
    let pending = test.pending();
    view! {
        <Field
            label="Redis address" name="redis_url" value=url.value inputmode="url" placeholder="redis://127.0.0.1:6379/0" hint
            fault=field_fault(save, "redis_url")
        />
        <div class="flex flex-col items-start gap-2">
            <p class="text-sm">"Not in use yet: this gateway counts limits in its own memory. You can store and test the address today."</p>
            <button type="submit" form=REDIS_TEST class="btn btn-sm" aria-disabled=move || pending.get().then_some("true")>
                {move || if pending.get() { "Testing…" } else { "Test the saved address" }}
            </button>
            <TestResult test />
        </div>
    }
    .into_any()
}

#[component]
pub(super) fn RedisTestForm(test: ServerAction<TestRedis>, id: &'static str) -> impl IntoView {
    view! { <ActionForm action=test attr:id=id>""</ActionForm> }
}

#[component]
fn TestResult(test: ServerAction<TestRedis>) -> impl IntoView {
    let found = move || {
        test.value().with(|value| match value.as_ref()?.as_ref().ok()? {
            RedisState::NotConfigured => Some("No address is saved.".to_owned()),
            RedisState::Reachable { version } => Some(format!("Redis {version} answers.")),
            RedisState::Unreachable { detail } => Some(sentence(detail)),
        })
    };
    view! {
        <p role="status" class="text-sm">{found}</p>
        <Fault fault=form_fault(test, &[]) />
    }
}
