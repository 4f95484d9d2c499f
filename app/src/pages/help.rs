//! Page: Help & Credits. Every example holds this gateway's own address, a model it has and the values in force.

mod backup;
mod calls;
mod credits;
mod keys;
mod network;
mod pages;
mod playground;
mod port;
mod redis;
mod routing;
mod section;
mod start;

pub use self::section::SECTIONS;
use domain::dashboard::HelpFacts;
use leptos::{either::Either, ev::SubmitEvent, prelude::*};

use self::section::Unfound;
use crate::{
    api::help::help_facts,
    components::{
        contents::{Contents, follow_hash},
        fault::LoadFault,
        page::PageHeader,
    },
    reading::reading,
};

#[component]
pub fn HelpPage() -> impl IntoView {
    let facts = reading(|| (), |()| help_facts());
    let unfound = RwSignal::new(Vec::new());
    provide_context(Unfound(unfound));
    let query = RwSignal::new(String::new());
    Effect::new(move |_| unfound.set(query.with(|query| without(query))));
    follow_hash(move || facts.get().is_some(), move || query.set(String::new()));
    let hidden = Callback::new(move |id: &'static str| unfound.with(|unfound| unfound.contains(&id)));
    view! {
        <PageHeader title="Help & Credits"/>
        <Search query unfound/>
        <div class="lg:grid lg:grid-cols-[13rem_minmax(0,1fr)] lg:gap-8">
            <Contents entries=SECTIONS hidden/>
            <Suspense>
                {move || Suspend::new(async move {
                    match facts.await {
                        Ok(facts) => Either::Left(view! { <Sections facts/> }),
                        Err(error) => Either::Right(view! { <LoadFault fault=error.to_string() retry=move || facts.refetch() /> }),
                    }
                })}
            </Suspense>
        </div>
    }
}

/// The sections that do not have every word of `query` somewhere in their text, as it stands on the page.
fn without(query: &str) -> Vec<&'static str> {
    let query = query.to_lowercase();
    let has = |id: &str| {
        let text = document().get_element_by_id(id).and_then(|section| section.text_content()).unwrap_or_default();
        let text = text.to_lowercase();
        query.split_whitespace().all(|word| text.contains(word))
    };
    SECTIONS.iter().map(|(id, _)| *id).filter(|id| !has(id)).collect()
}

/// Narrows the sections as one types. Without scripts the browser's own search does.
#[component]
fn Search(query: RwSignal<String>, unfound: RwSignal<Vec<&'static str>>) -> impl IntoView {
    let found = move || {
        let count = SECTIONS.len() - unfound.with(Vec::len);
        query.with(|query| !query.trim().is_empty()).then(|| match count {
            0 => "Nothing here speaks of that.".to_owned(),
            count => format!("{count} of {} sections", SECTIONS.len()),
        })
    };
    view! {
        <form role="search" class="mb-6 flex flex-wrap items-center gap-3 noscript:hidden" on:submit=|event: SubmitEvent| event.prevent_default()>
            <input
                type="search" class="input w-full max-w-md" aria-label="Search the help" placeholder="Search the help" maxlength="100"
                autocomplete="off" autocapitalize="none" spellcheck="false" prop:value=query on:input=move |event| query.set(event_target_value(&event))
            />
            <p role="status" class="text-sm text-muted">{found}</p>
        </form>
    }
    .into_any()
}

#[component]
fn Sections(facts: HelpFacts) -> impl IntoView {
    let version = facts.version.clone();
    view! {
        <div class="flex min-w-0 flex-col gap-6">
            <start::Start facts=facts.clone()/>
            <pages::Dashboard/>
            <routing::Routing facts=facts.clone()/>
            <pages::Fleet/>
            <pages::Models/>
            <pages::AliasNames/>
            <keys::Keys facts=facts.clone()/>
            <pages::Requests/>
            <pages::Usage/>
            <calls::Calls facts/>
            <playground::Playground/>
            <port::ClosePort/>
            <network::Network/>
            <pages::Settings/>
            <redis::Redis/>
            <backup::Backup/>
            <credits::Credits version/>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{components::page::help_of, pages::layout::PAGES};

    #[test]
    fn every_page_has_a_section_that_speaks_of_it() {
        for (href, name, _) in PAGES {
            let section = help_of(href).and_then(|help| help.strip_prefix("/admin/help#").map(str::to_owned));
            match section {
                Some(section) => assert!(SECTIONS.iter().any(|(id, _)| *id == section), "{name}: {section}"),
                None => assert_eq!(href, "/admin/help", "{name}"),
            }
        }
        assert_eq!(help_of("/admin/backends/0123456789ab/history").as_deref(), Some("/admin/help#fleet"));
        assert_eq!(help_of("/admin/confirm"), None);
    }
}
