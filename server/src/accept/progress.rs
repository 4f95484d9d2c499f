//! How far a connection is with its requests: begun when its head was understood, ended when the body of the answer was
//! handed over or given up. Two counters of its own per connection; nothing here is shared with another one.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway::{Body, BodyError};
use http_body::{Frame, SizeHint};

/// Only the connection's own task counts and looks, so that any order of memory will do.
#[derive(Debug, Default)]
pub struct Progress {
    begun: AtomicU32,
    ended: AtomicU32,
    heard: AtomicBool,
}

impl Progress {
    pub fn begin(&self) {
        self.begun.fetch_add(1, Relaxed);
        self.heard.store(false, Relaxed);
    }

    /// Requests that were begun, modulo 2^32.
    pub fn begun(&self) -> u32 {
        self.begun.load(Relaxed)
    }

    /// At least one request was understood.
    pub fn was_asked(&self) -> bool {
        self.begun() > 0
    }

    /// Bytes came. Those of a request's body do not count.
    pub fn hear(&self) {
        if self.is_idle() {
            self.heard.store(true, Relaxed);
        }
    }

    /// Bytes came that are no request yet.
    pub fn was_heard(&self) -> bool {
        self.heard.load(Relaxed)
    }

    /// No request is being answered.
    pub fn is_idle(&self) -> bool {
        self.begun() == self.ended.load(Relaxed)
    }
}

/// The body of an answer, whose end is counted: when its last frame is taken, because hyper may keep it until it is woken
/// for something else.
pub struct Counted {
    body: Body,
    progress: Arc<Progress>,
    ended: bool,
}

impl Counted {
    pub fn new(body: Body, progress: Arc<Progress>) -> Self {
        Self { body, progress, ended: false }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.progress.ended.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.end();
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() && (!matches!(frame, Poll::Ready(Some(Ok(_)))) || self.body.is_end_stream()) {
            self.end();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    fn counted(progress: &Arc<Progress>, body: Body) -> Counted {
        progress.begin();
        Counted::new(body, Arc::clone(progress))
    }

    #[tokio::test]
    async fn an_answer_has_ended_with_its_last_frame_or_its_end_and_only_once() {
        let progress = Arc::new(Progress::default());
        assert!(progress.is_idle() && !progress.was_asked());
        let whole = Full::new(Bytes::from_static(b"x")).map_err(|never: Infallible| match never {}).boxed_unsync();
        let mut whole = counted(&progress, whole);
        assert!(!progress.is_idle());
        whole.frame().await.unwrap().unwrap();
        assert!(progress.is_idle(), "though it is still there");
        drop(whole);
        assert!(progress.is_idle());

        let frames = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"x")))]);
        let mut stream = counted(&progress, StreamBody::new(frames).boxed_unsync());
        stream.frame().await.unwrap().unwrap();
        assert!(!progress.is_idle());
        assert!(stream.frame().await.is_none());
        assert!(progress.is_idle());

        let given_up = counted(&progress, StreamBody::new(futures_util::stream::pending()).boxed_unsync());
        assert!(!progress.is_idle());
        drop(given_up);
        assert!(progress.is_idle() && progress.begun() == 3);
    }
}
