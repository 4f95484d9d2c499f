//! One request to the Playground's routes, in the browser: its answer as it comes, until it ends or is given up.

use js_sys::{Reflect, Uint8Array};
use leptos::{__reexports::send_wrapper::SendWrapper, prelude::*};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestInit, Response};

use super::wire::refusal;

/// What is heard of a request.
pub(super) enum Heard {
    /// The answer has begun; what the gateway says of it.
    Begun(Head),
    Bytes(Vec<u8>),
    Ended,
    /// In words.
    Failed(String),
}

/// What the gateway says of an answer beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub backend: Option<String>,
    pub warm: Option<bool>,
    pub queue_ms: Option<u64>,
    pub request: Option<String>,
}

/// A way to give a request up. It belongs to the browser's one thread, where alone it is made.
#[derive(Clone)]
pub(super) struct Stop(SendWrapper<AbortController>);

impl Stop {
    pub fn now(&self) {
        self.0.abort();
    }
}

/// Milliseconds by the browser's clock.
pub(super) fn now() -> f64 {
    js_sys::Date::now()
}

/// Sends `body` and tells `heard` of everything, the last of it an end or a failure; nothing more once it is given up.
pub(super) fn ask(path: &'static str, body: String, mut heard: impl FnMut(Heard) + 'static) -> Option<Stop> {
    let stop = AbortController::new().ok()?;
    let signal = stop.signal();
    leptos::task::spawn_local(async move {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from_str(&body));
        init.set_signal(Some(&signal));
        if let Ok(headers) = Headers::new() {
            let _ = headers.set("content-type", "application/json");
            init.set_headers(&headers);
        }
        let last = match JsFuture::from(window().fetch_with_str_and_init(path, &init)).await {
            Ok(answer) => follow(answer.unchecked_into(), &mut heard).await,
            Err(_) => Heard::Failed("the gateway does not answer; is it still running?".into()),
        };
        if !signal.aborted() {
            heard(last);
        }
    });
    Some(Stop(SendWrapper::new(stop)))
}

/// Reads an answer to its end, and says how that was.
async fn follow(answer: Response, heard: &mut impl FnMut(Heard)) -> Heard {
    if !answer.ok() {
        let text = match answer.text() {
            Ok(text) => JsFuture::from(text).await.ok().and_then(|text| text.as_string()).unwrap_or_default(),
            Err(_) => String::new(),
        };
        return Heard::Failed(refusal(answer.status(), &text));
    }
    let header = |name: &str| answer.headers().get(name).ok().flatten();
    heard(Heard::Begun(Head {
        backend: header("x-fortress-backend"),
        warm: header("x-fortress-warm").map(|warm| warm == "true"),
        queue_ms: header("x-fortress-queue-ms").and_then(|text| text.parse().ok()),
        request: header("x-request-id"),
    }));
    let Some(body) = answer.body() else { return Heard::Ended };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let Ok(piece) = JsFuture::from(reader.read()).await else {
            return Heard::Failed("the connection broke off before the end of the answer".into());
        };
        match Reflect::get(&piece, &"value".into()) {
            Ok(bytes) if !bytes.is_undefined() => heard(Heard::Bytes(Uint8Array::new(&bytes).to_vec())),
            _ => return Heard::Ended,
        }
    }
}
