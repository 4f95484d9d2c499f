//! The command palette: Ctrl-K, Cmd-K or a button, and what one types is found. Here is what every page has of it; the dialog is
//! a part of the program that the browser fetches when it is first opened.

mod dialog;
#[cfg(feature = "ssr")]
mod places;

use leptos::{
    __reexports::send_wrapper::SendWrapper,
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};

use self::dialog::Dialog;
#[cfg(feature = "ssr")]
pub use self::places::places;
use crate::components::icon::{Icon, IconView};

#[wasm_split(palette, wasm_split_path = leptos::wasm_split, fallible)]
fn palette() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <Dialog/> }.into_any())
}

/// Whether it is wanted. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Palette {
    open: RwSignal<bool>,
}

impl Palette {
    /// Known to the parts of the frame that come after it. Listens for its keys as long as the frame is there.
    pub fn provide() -> Self {
        let palette = Self { open: RwSignal::new(false) };
        provide_context(palette);
        Effect::new(move |_| {
            let keys = window_event_listener(leptos::ev::keydown, move |event| {
                let held = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
                if held && event.key().eq_ignore_ascii_case("k") {
                    // Browsers have a search of their own behind these keys.
                    event.prevent_default();
                    palette.switch();
                }
            });
            on_cleanup(move || keys.remove());
        });
        palette
    }

    /// Opens it, or closes it where it is open. Above another dialog it does not open: that one waits for an answer.
    fn switch(self) {
        let other = || document().query_selector("dialog[open]").ok().flatten().is_some();
        self.open.update(|open| *open = !*open && !other());
    }
}

/// Opens it by mouse or touch.
#[component]
pub(super) fn PaletteButton(palette: Palette, #[prop(optional)] small: bool) -> impl IntoView {
    let open = move |_| palette.open.set(true);
    if small {
        view! {
            <button type="button" class="btn btn-ghost btn-square ml-auto noscript:hidden" aria-label="Find anything" aria-haspopup="dialog" on:click=open>
                <IconView icon=Icon::Search/>
            </button>
        }
        .into_any()
    } else {
        view! {
            <button
                type="button" aria-haspopup="dialog" aria-keyshortcuts="Control+K Meta+K" on:click=open
                class="btn btn-sm mx-3 my-2 justify-start font-normal text-muted noscript:hidden"
            >
                <IconView icon=Icon::Search/>"Find anything"<kbd aria-hidden="true" class="kbd kbd-xs ml-auto max-lg:hidden">"Ctrl K"</kbd>
            </button>
        }
        .into_any()
    }
}

/// The place of the dialog. Empty until it is first wanted.
#[component]
pub(super) fn PalettePlace(palette: Palette) -> impl IntoView {
    let wanted = Memo::new(move |before: Option<&bool>| before.is_some_and(|before| *before) || palette.open.get());
    move || {
        wanted.get().then(|| {
            Suspend::new(SendWrapper::new(async move {
                match self::palette().await {
                    Ok(dialog) => dialog,
                    Err(_) => view! { <NotFetched/> }.into_any(),
                }
            }))
        })
    }
}

#[component]
fn NotFetched() -> impl IntoView {
    view! {
        <div role="alert" class="alert alert-error fixed right-4 bottom-4 z-50">
            "The search could not be fetched: the gateway does not answer, or is another version now. Load this page again."
        </div>
    }
}
