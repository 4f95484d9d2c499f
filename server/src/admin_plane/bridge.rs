//! A response body whose frames come from another runtime.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway::BodyError;
use http_body::Frame;
use tokio::sync::mpsc;

/// One frame, a fault, or `None` for the proper end.
pub type Item = Option<Result<Frame<Bytes>, BodyError>>;

/// The receiving end. Dropping it tells the other side to stop.
pub struct Bridge {
    frames: mpsc::Receiver<Item>,
    ended: bool,
}

impl Bridge {
    pub fn new(frames: mpsc::Receiver<Item>) -> Self {
        Self { frames, ended: false }
    }
}

impl http_body::Body for Bridge {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = ready!(self.frames.poll_recv(cx));
        self.ended = !matches!(item, Some(Some(Ok(_))));
        // A channel that closes without the end mark belongs to a task that died: the reader must see that the answer
        // is cut, not take it for whole.
        Poll::Ready(item.unwrap_or_else(|| Some(Err("the answer broke off".into()))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn collect(items: Vec<Item>) -> Result<Bytes, String> {
        let (sender, receiver) = mpsc::channel(items.len().max(1));
        for item in items {
            sender.try_send(item).map_err(|_| "full").unwrap();
        }
        drop(sender);
        Bridge::new(receiver).collect().await.map(|body| body.to_bytes()).map_err(|error| error.to_string())
    }

    fn data(text: &'static str) -> Item {
        Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
    }

    #[tokio::test]
    async fn frames_arrive_in_order_until_the_end_mark() {
        assert_eq!(collect(vec![data("a"), data("b"), None]).await.unwrap(), "ab");
    }

    #[tokio::test]
    async fn a_dead_sender_is_no_clean_end() {
        assert!(collect(vec![data("a")]).await.is_err());
    }
}
