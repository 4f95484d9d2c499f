//! An event stream of the server: one `EventSource`, opened in the browser, opened again when it ends, closed while the
//! page cannot be seen and with the page.

use std::{sync::Arc, time::Duration};

use leptos::{
    prelude::*,
    web_sys::{EventSource, MessageEvent},
};
use wasm_bindgen::{JsCast, closure::Closure};

use crate::api::session::current_session;

/// Pause before a stream that ended for good is opened again.
const PAUSE: Duration = Duration::from_secs(3);

/// State of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Nothing is open yet: on the server, and where no script ever runs.
    Still,
    Opening,
    Open,
    Lost,
}

/// Hears of every message of the stream at `address`, as long as the component lives; nothing is open where there is none.
pub(super) fn listen(
    address: Signal<Option<String>>,
    heard: Arc<dyn Fn(String) + Send + Sync>,
) -> ReadSignal<Connection> {
    let (connection, set_connection) = signal(Connection::Still);
    let attempt = RwSignal::new(0_u32);
    let visible = visibility();
    // The effect itself keeps the stream: what belongs to the browser's one thread must not exist on the server.
    Effect::new(move |last: Option<Option<Stream>>| {
        drop(last);
        attempt.track();
        let Some(address) = address.get() else {
            set_connection.try_set(Connection::Still);
            return None;
        };
        if !visible.get() {
            set_connection.try_set(Connection::Opening);
            return None;
        }
        set_connection.try_update(|connection| {
            if *connection == Connection::Still {
                *connection = Connection::Opening;
            }
        });
        let heard = heard.clone();
        Stream::open(&address, move |event| match event {
            Event::Opened => {
                set_connection.try_set(Connection::Open);
            }
            Event::Message(text) => heard(text),
            // The browser tries again by itself.
            Event::Interrupted => {
                set_connection.try_set(Connection::Lost);
            }
            Event::Ended => {
                set_connection.try_set(Connection::Lost);
                leptos::task::spawn_local(async move {
                    // Finds out whether the session ended; then the answer itself leads to the sign-in page.
                    let _ = current_session().await;
                    // Nothing happens then if the page is gone by that time.
                    set_timeout(move || attempt.try_update(|count| *count += 1).unwrap_or_default(), PAUSE);
                });
            }
        })
    });
    connection
}

/// Whether the page can be seen. Over HTTP/1.1 a browser keeps six connections to a server: six tabs with a stream each
/// would leave none for anything else, so a hidden one has none.
fn visibility() -> ReadSignal<bool> {
    let (visible, set_visible) = signal(true);
    Effect::new(move |_| {
        let listener = window_event_listener_untyped("visibilitychange", move |_| {
            set_visible.try_set(!document().hidden());
        });
        on_cleanup(move || listener.remove());
    });
    visible
}

enum Event {
    Opened,
    Message(String),
    Interrupted,
    Ended,
}

/// An open event stream with its listeners; closed when dropped.
struct Stream {
    source: EventSource,
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut()>,
}

impl Stream {
    fn open(address: &str, heard: impl Fn(Event) + Clone + 'static) -> Option<Self> {
        let source = EventSource::new(address).ok()?;
        let open = Closure::<dyn FnMut()>::new({
            let heard = heard.clone();
            move || heard(Event::Opened)
        });
        let message = Closure::<dyn FnMut(MessageEvent)>::new({
            let heard = heard.clone();
            move |message: MessageEvent| {
                if let Some(text) = message.data().as_string() {
                    heard(Event::Message(text));
                }
            }
        });
        let error = Closure::<dyn FnMut()>::new({
            let source = source.clone();
            move || heard(if source.ready_state() == EventSource::CLOSED { Event::Ended } else { Event::Interrupted })
        });
        source.set_onopen(Some(open.as_ref().unchecked_ref()));
        source.set_onmessage(Some(message.as_ref().unchecked_ref()));
        source.set_onerror(Some(error.as_ref().unchecked_ref()));
        Some(Self { source, _open: open, _message: message, _error: error })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.set_onopen(None);
        self.source.set_onmessage(None);
        self.source.set_onerror(None);
        self.source.close();
    }
}
