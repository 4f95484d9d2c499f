//! The end of the set-up: the key, once, and calls that work with it.

use leptos::{either::Either, prelude::*};

use crate::{
    api::help::help_facts,
    components::{code_block::ExampleTabs, fault::LoadFault, shown_key::ShownKey},
    examples::{self, MODEL_PLACEHOLDER},
    reading::reading,
};

#[component]
pub fn Finished(key: String) -> impl IntoView {
    let facts = reading(|| (), |()| help_facts());
    let for_examples = key.clone();
    view! {
        <h2 class="text-lg font-medium">"Your key"</h2>
        <ShownKey key/>
        <h2 class="text-lg font-medium">"Call the gateway"</h2>
        <Suspense>
            {move || {
                let key = for_examples.clone();
                Suspend::new(async move {
                    match facts.await {
                        Ok(facts) => {
                            let known = facts.model.is_some();
                            let model = facts.model.unwrap_or_else(|| MODEL_PLACEHOLDER.to_owned());
                            Either::Left(view! {
                                {(!known).then(|| view! { <p class="text-sm text-muted">"No backend has a model yet: replace " <code>{model.clone()}</code> " by one of yours."</p> })}
                                <ExampleTabs examples=examples::all(&facts.address, &key, &model)/>
                            })
                        }
                        Err(error) => Either::Right(view! { <LoadFault fault=error.to_string() retry=move || facts.refetch() /> }),
                    }
                })
            }}
        </Suspense>
        <p><a class="btn btn-primary" href="/admin">"Go to the dashboard"</a></p>
    }
}
