//! What administrators have a backend do with one of its models: load it, let go of it, copy it, delete it. Control
//! traffic, so through reqwest and never twice, also to backends that are drained. What a backend answers is not believed:
//! its lists are read again, and decide.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{backend::BackendState, id::BackendId, model::ModelName, words::plural};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Gateway,
    backend::{Backend, SendError},
    holdings::{Holdings, InMemory},
};

/// How long a backend may take for what needs no loading.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes of an answer that are looked at.
const MAX_ANSWER: usize = 64 * 1024;
/// Most characters of a backend's own words.
const MAX_WORDS: usize = 200;

/// What is to be done with a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// For as long as the backend keeps models by itself.
    Load,
    /// Until it is told otherwise.
    Pin,
    Unload,
    Copy(ModelName),
    Delete,
}

/// A backend did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// How the model lies in its memory afterwards; after [`Work::Unload`] because requests still run.
    pub in_memory: Option<InMemory>,
    /// Its lists could not be read afterwards: it says so itself.
    pub unseen: bool,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Gateway {
    /// Has a backend do this with the model that people know as `model`, and returns when its lists show it. A cold
    /// model may take as long to load as a request that waits for it may. The error is a few words for people.
    pub async fn tend(&self, backend: &BackendId, model: &str, work: &Work) -> Result<Done, String> {
        let view = self.0.fleet.view();
        let found = view.backends.iter().find(|other| other.id() == backend);
        let backend = found.ok_or("the backend is not there any more")?;
        let name = allowed(&Holdings::of(backend), model, work)?;
        let patience = match work {
            Work::Load | Work::Pin => backend.first_byte_timeout(&view.snapshot.settings),
            Work::Unload | Work::Copy(_) | Work::Delete => PATIENCE,
        };
        let _in_flight = backend.enter_beside();
        match work {
            Work::Load => self.load(backend, &name, None, patience).await,
            Work::Pin => self.load(backend, &name, Some(-1), patience).await,
            Work::Unload => {
                let body = json!({ "model": name, "keep_alive": 0, "stream": false });
                is_done(self.ask(backend, Method::POST, "/api/generate", &body, patience).await?)
            }
            Work::Copy(to) => {
                let body = json!({ "source": name, "destination": to.display() });
                self.ask(backend, Method::POST, "/api/copy", &body, patience).await.and_then(good).map(drop)
            }
            Work::Delete => {
                let body = json!({ "model": name });
                self.ask(backend, Method::DELETE, "/api/delete", &body, patience).await.and_then(good).map(drop)
            }
        }?;
        self.shows(backend, model, work).await
    }

    /// What the backend's lists say after it said that it is done.
    async fn shows(&self, backend: &Backend, model: &str, work: &Work) -> Result<Done, String> {
        self.refresh(Some(backend.id().clone())).await;
        let seen = Holdings::of(backend);
        if backend.is_unsure() || seen.state == BackendState::Down {
            return Ok(Done { in_memory: None, unseen: true });
        }
        let in_memory = seen.find(model).and_then(|held| held.in_memory());
        match work {
            Work::Load | Work::Pin if in_memory.is_none() => {
                Err("it says that it has loaded the model, but does not list it as loaded".into())
            }
            Work::Copy(to) if seen.find(to.display()).is_none() => {
                Err("it says that it has made the copy, but does not list it".into())
            }
            Work::Delete if seen.find(model).is_some() => {
                Err("it says that it has deleted the model, but still lists it".into())
            }
            Work::Unload if in_memory.is_some() => {
                // It goes once what runs has ended: the page is to hear of it.
                backend.loads();
                Ok(Done { in_memory, unseen: false })
            }
            _ => Ok(Done { in_memory, unseen: false }),
        }
    }

    /// Has a backend load a model, for so many seconds where it is told.
    pub(crate) async fn load(
        &self,
        backend: &Backend,
        model: &str,
        keep_alive_s: Option<i64>,
        patience: Duration,
    ) -> Result<(), String> {
        let asks = |mut body: Value| {
            if let (Some(seconds), Some(members)) = (keep_alive_s, body.as_object_mut()) {
                members.insert("keep_alive".to_owned(), seconds.into());
            }
            body
        };
        let nothing = asks(json!({ "model": model, "stream": false }));
        let answer = self.ask(backend, Method::POST, "/api/generate", &nothing, patience).await?;
        // A model that only embeds refuses to generate.
        if answer.0 != StatusCode::BAD_REQUEST {
            return is_done(answer);
        }
        let nothing = asks(json!({ "model": model, "input": "" }));
        let body = good(self.ask(backend, Method::POST, "/api/embed", &nothing, patience).await?)?;
        has(&body, "embeddings", Value::is_array)
    }

    /// The status and the body of an answer, as far as both are of use.
    async fn ask(
        &self,
        backend: &Backend,
        method: Method,
        path: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), String> {
        let settings = &self.snapshot().settings;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let answer = backend.errand(settings, method, path, headers, body.to_string().into(), patience).await;
        let answer = answer.map_err(|error| match error {
            SendError::FirstByteTimeout => format!("it did not answer within {}", plural(patience.as_secs(), "second")),
            error => error.to_string(),
        })?;
        Ok((answer.status(), body_of(answer.into(), patience).await))
    }
}

/// The beginning of a body, as far as it is of use and comes in time.
pub(crate) async fn body_of(mut answer: reqwest::Response, patience: Duration) -> Bytes {
    let mut text = BytesMut::new();
    let read = async {
        while let Ok(Some(piece)) = answer.chunk().await {
            if text.len() + piece.len() > MAX_ANSWER {
                break;
            }
            text.extend_from_slice(&piece);
        }
    };
    // The status is known by then.
    let _ = tokio::time::timeout(patience, read).await;
    text.freeze()
}

/// A backend's own words, as far as they are shown.
pub fn words_of(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_WORDS).collect()
}

/// The name under which the backend knows the model, if this can be done there at all.
fn allowed(holdings: &Holdings, model: &str, work: &Work) -> Result<String, String> {
    if holdings.state == BackendState::Disabled {
        return Err("it is disabled: enable the backend first".into());
    }
    if holdings.foreign {
        return Err("it speaks OpenAI's API only, which has no such command: do it on that server itself".into());
    }
    let held = holdings.find(model).ok_or("it does not list this model")?;
    match work {
        Work::Load | Work::Pin | Work::Unload if held.remote() => {
            Err("there it is only a stub of a model that runs at ollama.com".into())
        }
        Work::Copy(to) if holdings.find(to.display()).is_some() => {
            Err(format!("it already has a model called {}: delete that first, or choose another name", to.display()))
        }
        _ => Ok(held.name().to_owned()),
    }
}

/// The body of an answer that is no refusal.
pub(crate) fn good((status, body): (StatusCode, Bytes)) -> Result<Bytes, String> {
    if status.is_success() {
        return Ok(body);
    }
    let said = serde_json::from_slice::<Refusal>(&body)
        .map_or_else(|_| String::new(), |Refusal { error }| format!(": {}", words_of(&error)));
    Err(format!("it answered {}{said}", status.as_u16()))
}

/// It says that it is done, as Ollama says it.
fn is_done(answer: (StatusCode, Bytes)) -> Result<(), String> {
    has(&good(answer)?, "done", |done| done == &Value::Bool(true))
}

fn has(body: &[u8], member: &str, fits: impl Fn(&Value) -> bool) -> Result<(), String> {
    let read: Option<Value> = serde_json::from_slice(body).ok();
    match read.as_ref().and_then(|body| body.get(member)) {
        Some(value) if fits(value) => Ok(()),
        _ => Err("its answer is not Ollama's: is something else at this address?".into()),
    }
}

#[cfg(test)]
mod tests;
