//! Where a prompt is written: its text, its pictures, and the button that sends it.

use leptos::{
    ev::{ClipboardEvent, DragEvent, KeyboardEvent, MouseEvent, SubmitEvent},
    html,
    prelude::*,
};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileList};

use super::{
    conversation::{Chat, PROMPT},
    parts::{button, part, said, when},
    pictures::{LARGEST, MOST, Picture},
};
use crate::format::sentence;

#[component]
pub(super) fn Composer(chat: Chat) -> impl IntoView {
    let field = NodeRef::<html::Textarea>::new();
    let chooser = NodeRef::<html::Input>::new();
    let runs = Memo::new(move |_| chat.runs());
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let send = move || {
        if !runs.get_untracked()
            && chat.send()
            && let Some(field) = field.get_untracked()
        {
            let _ = field.focus();
        }
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    let key = move |event: KeyboardEvent| {
        // While a word is being composed the key belongs to it.
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            send();
        }
    };
    let paste = move |event: ClipboardEvent| {
        let files = event.clipboard_data().and_then(|data| data.files());
        if let Some(files) = files.filter(|files| files.length() > 0) {
            event.prevent_default();
            take(chat, &files);
        }
    };
    let stop_all = move || {
        chat.stop_all();
        chat.go_on();
    };
    let chosen = move |_| {
        if let Some(chooser) = chooser.get_untracked() {
            if let Some(files) = chooser.files() {
                take(chat, &files);
            }
            // The same file may be chosen again.
            chooser.set_value("");
        }
    };
    let remove = move |at: usize| -> Box<dyn FnMut(MouseEvent)> {
        Box::new(move |_| {
            chat.pictures.update(|pictures| {
                pictures.remove(at);
            });
            chat.go_on();
        })
    };
    let pictures = move || {
        let shown = chat.pictures.get().into_iter().enumerate().map(|(at, picture)| view! {
            <li class="relative">
                <img src=picture.address() alt=format!("Picture {}", at + 1) class="size-20 rounded border border-base-300 object-cover"/>
                <button
                    type="button" class="btn btn-circle btn-xs absolute -top-2 -right-2" aria-label=format!("Remove picture {}", at + 1)
                    on:click=remove(at)
                >
                    "×"
                </button>
            </li>
        });
        shown.map(IntoAny::into_any).collect::<Vec<_>>().into_any()
    };
    view! {
        <form
            class="flex flex-col gap-3 rounded-box border bg-base-100 p-4" class:border-base-300=when(move || !chat.over.get()) class:border-primary=when(move || chat.over.get())
            on:submit=submit
        >
            <label class="text-sm font-medium" for=PROMPT>"Message"</label>
            <textarea
                id=PROMPT node_ref=field class="textarea w-full" rows="3" aria-describedby="prompt-note"
                prop:value=chat.prompt on:input=move |event| chat.prompt.set(event_target_value(&event)) on:keydown=key on:paste=paste
            ></textarea>
            <ul class="flex flex-wrap gap-3 empty:hidden" aria-label="Pictures to send">{part(pictures)}</ul>
            <p role="alert" class="text-sm text-error empty:hidden">{said(move || chat.notice.get().map(|notice| sentence(&notice)))}</p>
            <div class="flex flex-wrap items-center justify-between gap-3">
                <p id="prompt-note" class="text-sm text-muted">"Enter sends, Shift and Enter begins a new line. Pictures can be pasted or dropped here."</p>
                <div class="flex flex-wrap gap-2">
                    <label class="btn btn-sm focus-within:outline-2">
                        "Add pictures"
                        <input type="file" class="sr-only" node_ref=chooser accept="image/png,image/jpeg,image/webp" multiple on:change=chosen/>
                    </label>
                    {button("Stop all", "btn btn-sm", when(move || !runs.get()), false.into(), stop_all)}
                    <button class="btn btn-primary btn-sm" disabled=when(move || runs.get() || !alive.get())>"Send"</button>
                </div>
            </div>
        </form>
    }
    .into_any()
}

/// What is held over the page is a file, and no text from elsewhere on it.
pub(super) fn holds_file(event: &DragEvent) -> bool {
    event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
}

/// Adds what is a picture among `files`, and says what is wrong with the others.
pub(super) fn take(chat: Chat, files: &FileList) {
    chat.notice.set(None);
    let room = MOST.saturating_sub(chat.pictures.with_untracked(Vec::len));
    let files: Vec<File> = (0..files.length()).filter_map(|at| files.get(at)).collect();
    if files.len() > room {
        chat.notice.set(Some(format!("a message may have {MOST} pictures at most")));
    }
    for file in files.into_iter().take(room) {
        if file.size() > LARGEST as f64 {
            chat.notice.set(Some("a picture may have 5 MB at most".into()));
            continue;
        }
        leptos::task::spawn_local(async move {
            let bytes = JsFuture::from(file.array_buffer()).await.map(|bytes| js_sys::Uint8Array::new(&bytes).to_vec());
            match bytes.map_err(|_| "a file could not be read").and_then(|bytes| Picture::of(&bytes)) {
                // The page may be gone by now.
                Ok(picture) => chat.pictures.try_update(|pictures| {
                    if pictures.len() < MOST {
                        pictures.push(picture);
                    }
                }),
                Err(why) => chat.notice.try_update(|notice| *notice = Some(why.into())),
            };
        });
    }
}
