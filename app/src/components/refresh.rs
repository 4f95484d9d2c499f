//! Reading the data of a page again, and saying when the page had fallen behind.

use leptos::prelude::*;

use crate::{answer, error::AppError, format::sentence};

/// Counts how often the page was read again. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Refresh {
    count: RwSignal<u32>,
    behind: RwSignal<Option<String>>,
}

impl Refresh {
    /// Begins with what a plain form of this page met.
    pub fn new() -> Self {
        let behind = answer::stale().map(|error| error.to_string());
        Self { count: RwSignal::new(0), behind: RwSignal::new(behind) }
    }

    /// To be tracked by the page's resource.
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// Reads again.
    pub fn again(self) {
        self.behind.set(None);
        self.count.update(|count| *count += 1);
    }

    /// Reads again because `error` says that the page shows what is not so any more.
    pub fn after(self, error: &AppError) {
        self.again();
        self.behind.set(Some(error.to_string()));
    }
}

impl Default for Refresh {
    fn default() -> Self {
        Self::new()
    }
}

/// Says that the page had fallen behind, and that it no longer is.
#[component]
pub fn Behind(refresh: Refresh) -> impl IntoView {
    move || {
        refresh.behind.get().map(|what| {
            view! {
                <div role="alert" class="alert alert-warning alert-soft mb-4">
                    <span>{sentence(&what)} " It was changed or removed elsewhere, and nothing was done. This page now shows what there is."</span>
                </div>
            }
        })
    }
}
