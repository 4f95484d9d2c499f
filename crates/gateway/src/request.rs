//! Reading a request's body into memory, bounded in size, time and over all requests together, and what the gateway must
//! know of it. The body itself is forwarded byte for byte.

pub(crate) mod json;
mod model;
mod multipart;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use domain::{endpoint::Endpoint, settings::MAX_BODY_MB};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use model::{Facts, cut, unknown};

use crate::error::Error;

/// A client that sends nothing for so long has its request ended.
const IDLE: Duration = Duration::from_secs(30);
/// Bodies above this size take from the common budget.
const SMALL: usize = 64 * 1024;
/// All buffered bodies together, in units of `SMALL`: 512 MiB.
const BUDGET: usize = 8 * 1024;
const _: () = assert!(MAX_BODY_MB as usize * 1_000_000 <= BUDGET * SMALL, "one largest body must fit in");

/// Bodies above this size are looked through on another thread: it takes milliseconds, and other requests share this one.
const QUICK: usize = 512 * 1024;

/// Memory that request bodies may take together, and how long one may pause.
pub(crate) struct BodyBudget {
    units: Arc<Semaphore>,
    idle: Duration,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self { units: Arc::new(Semaphore::new(BUDGET)), idle: IDLE }
    }
}

/// A body in memory and its share of the budget, held until the request was answered.
pub(crate) struct Buffered {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// Reads the body, at most `limit` bytes. Refusals that the headers already justify come before the first byte is read.
pub(crate) async fn buffer<B>(
    headers: &HeaderMap,
    mut body: B,
    limit: usize,
    budget: &BodyBudget,
) -> Result<Buffered, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    check_encoding(headers)?;
    let too_large = || Error::BodyTooLarge { limit };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large());
    }
    let (mut first, mut rest, mut share) = (Bytes::new(), BytesMut::new(), None);
    loop {
        let frame = tokio::time::timeout(budget.idle, body.frame()).await.map_err(|_| Error::BodyTimeout)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Error::BodyBroken)?.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if length > limit {
            return Err(too_large());
        }
        reserve(&mut share, length, budget)?;
        // Most bodies come in one frame and are never copied.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(announced.clamp(length, (2 * length).max(SMALL)));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(Buffered { bytes: if rest.is_empty() { first } else { rest.freeze() }, _share: share })
}

/// What the pipeline must know of the body of a request for `endpoint`.
pub(crate) async fn read(endpoint: Endpoint, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Error> {
    if body.len() <= QUICK {
        return model::read(endpoint, headers, body);
    }
    let (headers, body) = (headers.clone(), body.clone());
    aside(body.len(), move || model::read(endpoint, &headers, &body)).await
}

/// Works on a body of `length` bytes, on another thread if it is a large one.
pub(crate) async fn aside<T: Send + 'static>(
    length: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if length <= QUICK {
        return work();
    }
    // The thread pool only refuses work while the process ends.
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::ShutDown)?
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Error> {
    let plain = |value: &http::HeaderValue| {
        let value = value.as_bytes().trim_ascii();
        value.is_empty() || value.eq_ignore_ascii_case(b"identity")
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) { Ok(()) } else { Err(Error::Encoding) }
}

/// Grows the share of the budget to `length` bytes.
fn reserve(share: &mut Option<OwnedSemaphorePermit>, length: usize, budget: &BodyBudget) -> Result<(), Error> {
    let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let missing = if length <= SMALL { 0 } else { length.div_ceil(SMALL).saturating_sub(held) };
    if missing == 0 {
        return Ok(());
    }
    let missing = u32::try_from(missing).map_err(|_| Error::Crowded)?;
    let more = budget.units.clone().try_acquire_many_owned(missing).map_err(|_| Error::Crowded)?;
    match share {
        Some(share) => share.merge(more),
        None => *share = Some(more),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible};

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn chunks(sizes: &[usize]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frames: VecDeque<_> = sizes.iter().map(|&size| Ok(Frame::data(Bytes::from(vec![b'x'; size])))).collect();
        StreamBody::new(stream::iter(frames))
    }

    async fn length(sizes: &[usize], limit: usize, budget: &BodyBudget) -> Result<usize, Error> {
        buffer(&HeaderMap::new(), chunks(sizes), limit, budget).await.map(|body| body.bytes.len())
    }

    #[tokio::test]
    async fn a_chunked_body_is_refused_where_it_passes_the_limit() {
        let budget = BodyBudget::default();
        assert_eq!(length(&[4, 6], 10, &budget).await, Ok(10));
        assert_eq!(length(&[4, 7], 10, &budget).await, Err(Error::BodyTooLarge { limit: 10 }));
    }

    #[tokio::test]
    async fn an_announced_size_over_the_limit_is_refused_unread() {
        let body = Full::new(Bytes::from_static(b"0123456789x"));
        let answer = buffer(&HeaderMap::new(), body, 10, &BodyBudget::default()).await;
        assert_eq!(answer.err(), Some(Error::BodyTooLarge { limit: 10 }));
    }

    #[tokio::test]
    async fn bodies_together_stay_in_the_budget_and_give_it_back() {
        let budget = BodyBudget { units: Arc::new(Semaphore::new(4)), ..BodyBudget::default() };
        let held = buffer(&HeaderMap::new(), chunks(&[SMALL, SMALL, SMALL]), usize::MAX, &budget).await.unwrap();
        assert_eq!(length(&[SMALL, SMALL], usize::MAX, &budget).await, Err(Error::Crowded));
        assert_eq!(length(&[SMALL], usize::MAX, &budget).await, Ok(SMALL));
        drop(held);
        assert_eq!(length(&[SMALL, SMALL], usize::MAX, &budget).await, Ok(2 * SMALL));
        assert_eq!(budget.units.available_permits(), 4);
    }

    #[tokio::test]
    async fn compressed_bodies_are_refused() {
        for (value, plain) in
            [("identity", true), ("IDENTITY", true), ("gzip", false), ("zstd", false), ("identity, gzip", false)]
        {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(value))]);
            let answer = buffer(&headers, chunks(&[1]), 10, &BodyBudget::default()).await;
            assert_eq!(answer.is_ok(), plain, "{value}");
        }
    }

    #[tokio::test]
    async fn a_client_that_stops_sending_is_given_up() {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let budget = BodyBudget { idle: Duration::from_millis(1), ..BodyBudget::default() };
        let answer = buffer(&HeaderMap::new(), body, 10, &budget).await;
        assert_eq!(answer.err(), Some(Error::BodyTimeout));
    }
}
