//! The body of a forwarded answer. It passes a backend's frames untouched and undelayed and owns what the request holds:
//! in-flight guard, permit and usage record end when the body ends or is dropped, and the backend's connection with them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use domain::{endpoint::Endpoint, usage::Outcome};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    BodyError,
    account::{Account, Heard, Tee},
    alarm::Alarm,
    error::Broken,
    signal::Watch,
    wire::{Framing, Place, in_band_error},
};

/// Between the in-band error and the break of the connection: the error must leave our buffers first.
const LINGER: Duration = Duration::from_millis(200);

/// What a running answer holds, and what it must ask and tell.
pub(crate) trait Owner {
    /// Why the request may not go on, if so; asked whenever the signal is raised.
    fn ended(&self) -> Option<Broken>;
    /// The first bytes came.
    fn begun(&mut self, _now: std::time::Instant) {}
    /// The backend's answer ended, as its API says it should or not.
    fn completed(&mut self, _now: std::time::Instant, _proper_end: bool) {}
    /// The backend broke off or stalled.
    fn backend_failed(&mut self, broken: &Broken);
}

/// A backend's answer on its way to the client.
pub(crate) struct Forwarded<B, O> {
    /// `None` once it ended.
    source: Option<(B, O)>,
    account: Account,
    /// `None` for bodies that only the client can read.
    tee: Option<Tee>,
    shape: Shape,
    stall: Duration,
    /// `None` while nothing was waited for.
    last_frame: Option<Instant>,
    begun: bool,
    /// Made where something is waited for: most small answers are there with their heads.
    timer: Alarm,
    watch: Watch,
    state: State,
}

/// What is known of the answer before its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) framing: Framing,
    pub(crate) endpoint: Endpoint,
    pub(crate) prompt_bytes: usize,
}

enum State {
    Streaming,
    /// The in-band error was handed out; the break follows at that moment.
    Lingering(Broken, Instant),
    Ended,
}

impl<B, O> Forwarded<B, O>
where
    B: Body<Data = Bytes> + Unpin,
    O: Owner + Unpin,
{
    pub(crate) fn new(
        body: B,
        owner: O,
        account: Account,
        tee: Option<Tee>,
        shape: Shape,
        stall: Duration,
        watch: Watch,
    ) -> Self {
        let empty = body.is_end_stream();
        let mut forwarded = Self {
            source: Some((body, owner)),
            account,
            tee,
            shape,
            stall,
            last_frame: None,
            begun: false,
            timer: Alarm::default(),
            watch,
            state: State::Streaming,
        };
        if empty {
            forwarded.complete(Instant::now());
        }
        forwarded
    }

    fn complete(&mut self, now: Instant) {
        let heard = self.settle();
        let proper_end = heard.as_ref().is_none_or(|heard| heard.proper_end);
        if let Some(heard) = heard.filter(|heard| !heard.proper_end) {
            let error = heard.error.unwrap_or_else(|| Broken::BackendDied.to_string());
            self.account.told(&error);
        }
        if let Some((_, owner)) = &mut self.source {
            owner.completed(now.into_std(), proper_end);
        }
        self.end(now, if proper_end { Outcome::Complete } else { Outcome::UpstreamFailed });
    }

    fn break_off(&mut self, broken: Broken, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some((_, owner)) = &mut self.source
            && broken.outcome() == Outcome::UpstreamFailed
        {
            owner.backend_failed(&broken);
        }
        let Shape { framing, endpoint, .. } = self.shape;
        let line = self.tee.as_ref().and_then(|tee| {
            let place = Place { framing, endpoint, at_line_start: tee.at_line_start(), events: tee.events() };
            in_band_error(place, &broken.to_string())
        });
        self.settle();
        self.account.told(&broken.to_string());
        self.account.sent(line.as_ref().map_or(0, Bytes::len));
        self.end(Instant::now(), broken.outcome());
        // What came before the break, the head at least, must leave our buffers first.
        self.state = State::Lingering(broken, Instant::now() + LINGER);
        match line {
            Some(line) => Poll::Ready(Some(Ok(Frame::data(line)))),
            None => self.poll_linger(cx),
        }
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let State::Lingering(broken, until) = &self.state else { return Poll::Ready(None) };
        std::task::ready!(self.timer.poll_past(cx, *until));
        let broken = broken.clone();
        self.state = State::Ended;
        Poll::Ready(Some(Err(broken.into())))
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.last_frame.get_or_insert_with(Instant::now) + self.stall;
        self.timer.poll_past(cx, deadline)
    }
}

impl<B, O> Forwarded<B, O> {
    /// Writes down what the answer used; returns what was heard of it where it was listened to.
    fn settle(&mut self) -> Option<Heard> {
        let heard = self.tee.take()?.finish(self.shape.prompt_bytes);
        self.account.counts(heard.counts);
        Some(heard)
    }

    fn end(&mut self, now: Instant, outcome: Outcome) {
        self.source = None;
        self.state = State::Ended;
        self.account.finish_at(now.into_std(), outcome);
    }
}

impl<B, O> Body for Forwarded<B, O>
where
    B: Body<Data = Bytes> + Unpin,
    O: Owner + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if matches!(this.state, State::Lingering(..)) {
            return this.poll_linger(cx);
        }
        loop {
            let Some((body, owner)) = &mut this.source else { return Poll::Ready(None) };
            if this.watch.poll_raised(cx).is_ready() {
                match owner.ended() {
                    Some(broken) => return this.break_off(broken, cx),
                    None => continue,
                }
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are the backend's own affair.
                    let Ok(data) = frame.into_data() else { continue };
                    // One look at the clock for all that a frame is told to.
                    let now = Instant::now();
                    this.last_frame = Some(now);
                    if !this.begun && !data.is_empty() {
                        this.begun = true;
                        owner.begun(now.into_std());
                    }
                    this.account.passed_on(data.len(), now.into_std());
                    // With a known length nobody asks for the end after the last byte, so it is noticed here.
                    let is_last = body.is_end_stream();
                    match &mut this.tee {
                        Some(tee) if is_last => tee.feed_last(&data),
                        Some(tee) => tee.feed(&data),
                        None => {}
                    }
                    if is_last {
                        let _: Poll<_> = Pin::new(body).poll_frame(cx);
                        this.complete(now);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(_))) => return this.break_off(Broken::BackendDied, cx),
                Poll::Ready(None) => {
                    this.complete(Instant::now());
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            std::task::ready!(this.poll_stall(cx));
            return this.break_off(Broken::Stalled, cx);
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            // A stream has no length: an error in it would not fit into the one that its backend announced.
            Some((body, _)) if self.shape.framing == Framing::Whole => body.size_hint(),
            None if matches!(self.state, State::Ended) => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

impl<B, O> Drop for Forwarded<B, O> {
    fn drop(&mut self) {
        if matches!(self.state, State::Streaming) {
            self.settle();
            // A client that takes nothing cannot be told that the gateway ends: its connection is dropped.
            self.end(Instant::now(), if self.watch.is_stopped() { Outcome::ShutDown } else { Outcome::ClientGone });
        }
    }
}
