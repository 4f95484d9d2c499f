//! A backend's error answer on its way to the client: read whole and bounded, passed on byte for byte where clients of the
//! caller's dialect understand it, and told in that dialect where not.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::endpoint::Dialect;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;

use crate::{
    backend::BackendResponse,
    headers,
    wire::{self, Framing},
};

/// Longest error that is read. What is longer is no sentence for a person.
const LARGEST: usize = 64 * 1024;
/// Longest wait for all of it: the status is known, so the client waits for words only.
const PATIENCE: Duration = Duration::from_secs(10);

/// An error answer as the client gets it.
pub(crate) struct Complaint {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What it says to a person.
    pub(crate) said: String,
}

impl Complaint {
    /// Takes a backend's answer that has an error status, for the client of request `id`. An error that is too large, too
    /// slow or cut keeps its status and loses its words. `stall` bounds the wait further.
    pub(crate) async fn read(response: BackendResponse, dialect: Dialect, stall: Duration, id: u64) -> Self {
        let BackendResponse { status, headers, body } = response;
        let text = tokio::time::timeout(PATIENCE.min(stall), collect(body)).await.ok().flatten();
        // Nobody asked for a coding, so one that is there hides the text from most clients as well.
        let text = text.filter(|_| !headers.contains_key(header::CONTENT_ENCODING));
        let mut headers = headers::to_client(headers, Framing::Whole);
        let said = wire::said(status, text.as_deref().unwrap_or_default());
        let body = match text {
            Some(text) if wire::is_error_of(dialect, &text) => text,
            _ => {
                headers.remove(header::CONTENT_ENCODING);
                headers.insert(header::CONTENT_TYPE, wire::JSON);
                wire::retold(dialect, status, &said, id).into()
            }
        };
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        Self { status, headers, body, said }
    }
}

/// The whole body, or `None` where it is too large or breaks off.
async fn collect<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Option<Bytes> {
    let mut text = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if text.len() + data.len() > LARGEST {
            return None;
        }
        text.extend_from_slice(&data);
    }
    Some(text.freeze())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test]
    async fn an_error_without_end_is_not_read_to_its_end() {
        let piece = Bytes::from(vec![b'x'; 1000]);
        let endless = StreamBody::new(stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(piece.clone()))));
        assert_eq!(collect(endless).await, None);
        let short = StreamBody::new(stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))]));
        assert_eq!(collect(short).await.as_deref(), Some(&b"x"[..]));
    }
}
