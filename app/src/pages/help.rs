//! Page: Help & Credits. Every example holds this gateway's own address, a model it has and the values in force.

mod backup;
mod calls;
mod credits;
mod keys;
mod network;
mod playground;
mod port;
mod redis;
mod routing;
mod section;
mod start;

use domain::dashboard::HelpFacts;
use leptos::{either::Either, prelude::*};

use crate::{
    api::help::help_facts,
    components::{fault::LoadFault, page::PageHeader},
    reading::reading,
};

#[component]
pub fn HelpPage() -> impl IntoView {
    let facts = reading(|| (), |()| help_facts());
    view! {
        <PageHeader title="Help & Credits"/>
        <Suspense>
            {move || Suspend::new(async move {
                match facts.await {
                    Ok(facts) => Either::Left(view! { <Sections facts/> }),
                    Err(error) => Either::Right(view! { <LoadFault fault=error.to_string() retry=move || facts.refetch() /> }),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Sections(facts: HelpFacts) -> impl IntoView {
    let version = facts.version.clone();
    view! {
        <div class="flex flex-col gap-6">
            <section::Contents/>
            <start::Start facts=facts.clone()/>
            <routing::Routing facts=facts.clone()/>
            <keys::Keys facts=facts.clone()/>
            <calls::Calls facts/>
            <playground::Playground/>
            <port::ClosePort/>
            <network::Network/>
            <redis::Redis/>
            <backup::Backup/>
            <credits::Credits version/>
        </div>
    }
}
