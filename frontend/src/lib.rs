//! The browser's entry point: takes over the page that the server rendered.

use std::{cell::OnceCell, rc::Rc};

use leptos::{mount::hydrate_from_async, prelude::Owner, tachys::dom::body};

/// Called by the page once the WebAssembly is there.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    wasm_bindgen_futures::spawn_local(async {
        let shared = Rc::new(OnceCell::new());
        let found = Rc::clone(&shared);
        let app = move || {
            let _ = found.set(Owner::current_shared_context());
            app::App()
        };
        hydrate_from_async(body(), app).await.forget();
        // Leptos looks for what is shared in the owner of the moment; after waiting for the code of a page that is none.
        if let Some(Some(shared)) = shared.get() {
            shared.hydration_complete();
        }
    });
}
