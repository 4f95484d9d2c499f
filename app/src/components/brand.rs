//! What the product is called, with its logo. Both come with the document, so that the browser draws what the server drew.

use domain::look::{Logo, Look};
use leptos::prelude::*;

use crate::visit::Visit;

/// Title and logo of this document.
pub fn look() -> Look {
    match use_context::<Visit>() {
        Some(visit) => visit.look,
        None if cfg!(feature = "hydrate") => of_document(),
        None => Look::default(),
    }
}

fn of_document() -> Look {
    let Some(root) = document().document_element() else { return Look::default() };
    let title = root.get_attribute("data-title").unwrap_or_default();
    let logo = root.get_attribute("data-logo").and_then(|text| {
        let mut parts = text.split(' ');
        let (address, width, height) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Logo { address: address.to_owned(), width: width.parse().ok()?, height: height.parse().ok()? })
    });
    Look { title, logo }
}

/// The logo, where there is one, and the title beside it.
#[component]
pub fn Brand() -> impl IntoView {
    let Look { title, logo } = look();
    let logo = logo.map(|Logo { address, width, height }| {
        // The title beside it says what it shows.
        view! { <img src=address width=width.to_string() height=height.to_string() alt="" class="h-7 w-auto max-w-20 shrink-0 object-contain"/> }
    });
    view! { <span class="flex min-w-0 items-center gap-2">{logo}<bdi class="min-w-0 leading-tight break-words">{title}</bdi></span> }
        .into_any()
}
