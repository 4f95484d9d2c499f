//! Reading a request's body into memory, bounded in size, time and over all requests together, and what the gateway must
//! know of it. The body itself is forwarded byte for byte, once decoded where it came compressed.

mod budget;
mod coding;
pub(crate) mod json;
mod model;
mod multipart;
mod wanted;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{auto::Wanted, endpoint::Endpoint, id::KeyId};
use futures_util::FutureExt;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

pub(crate) use budget::{BodyBudget, Share};
pub(crate) use model::{Facts, cut, unknown};

use crate::{error::Error, hash, snapshot::Settings};
use budget::SMALL;
use coding::Coding;

/// Bodies above this size are looked through on another thread: it takes milliseconds, and other requests share this one.
const QUICK: usize = 512 * 1024;
/// Bytes a second that a body must come with on the whole.
const SLOWEST: usize = 4 * 1024;
/// Most bytes of a refused request that are read, and how long they may take: a client's library may send head and body
/// apart, and its next request is not to meet a closed connection.
const LEFT: usize = 64 * 1024;
const LINGER: Duration = Duration::from_millis(250);

/// A body in memory and its share of the budget, held until the request was answered.
pub(crate) struct Buffered {
    pub(crate) bytes: Bytes,
    /// Bytes that came: fewer than there are now where they were compressed.
    pub(crate) received: usize,
    pub(crate) share: Share,
}

/// The headers name no coding of the body.
pub(crate) fn is_plain(headers: &HeaderMap) -> bool {
    Coding::of(headers) == Ok(Coding::Identity)
}

/// Reads the body, at most as large as the settings allow. Refusals that the headers already justify come before the first
/// byte is read. A body that was read to its end is taken out of `source`.
pub(crate) async fn buffer<B>(
    headers: &HeaderMap,
    source: &mut Option<B>,
    settings: &Settings,
    (budget, key): (&BodyBudget, &KeyId),
) -> Result<Buffered, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let coding = Coding::of(headers)?;
    let Some(body) = source.as_mut() else { return Err(Error::BodyBroken) };
    let limit = settings.max_body;
    let too_large = || Error::BodyTooLarge { limit };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large());
    }
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    // One largest body fits in, and once more while it is changed, whatever was configured.
    let one = limit.saturating_mul(2).saturating_add(coding.memory());
    let (all, own) = (settings.body_memory.max(one), (settings.body_memory / 2).max(one));
    let mut share = budget.share(all).of_key(hash::fnv(key.as_str().bytes()), own);
    // Until when the next bytes must be there.
    let (mut deadline, mut paid): (Option<Instant>, usize) = (None, 0);
    while !body.is_end_stream() {
        let received = first.len() + rest.len();
        // Most bodies are there with their heads, and no clock is asked for them.
        let frame = match body.frame().now_or_never() {
            Some(frame) => frame,
            None => {
                let now = Instant::now();
                let until = until(deadline, now, received - paid, budget.idle);
                (deadline, paid) = (Some(until), received);
                tokio::time::timeout_at(until, body.frame()).await.map_err(|_| Error::BodyTimeout)?
            }
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Error::BodyBroken)?.into_data() else { continue };
        let length = received + data.len();
        if length > limit {
            return Err(too_large());
        }
        share.resize(length)?;
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
    *source = None;
    let bytes = if rest.is_empty() { first } else { rest.freeze() };
    let received = bytes.len();
    match coding {
        Coding::Identity => Ok(Buffered { bytes, received, share }),
        Coding::Zstd => coding::decode(bytes, share, limit).await,
    }
}

/// Until when the next bytes must be there, where so many came since `before` was said. They buy time, so that a body that
/// trickles comes to its end however often it pauses only for a moment; but never more than a pause from now, or what came
/// fast would buy hours of silence.
fn until(before: Option<Instant>, now: Instant, bytes: usize, idle: Duration) -> Instant {
    let earned = Duration::from_micros(bytes as u64 * 1_000_000 / SLOWEST as u64);
    before.map_or(now + idle, |before| (before + earned).min(now + idle))
}

/// What must be known of a body, read on this thread however large it is.
#[cfg(feature = "inside")]
pub(crate) fn read_now(endpoint: Endpoint, headers: &HeaderMap, body: &[u8]) -> Result<Facts, Error> {
    model::read(endpoint, headers, body)
}

/// Reads what is left of a body that nobody wants, if that is little and comes soon. Returns whether its end was reached.
pub(crate) async fn read_away<B: Body<Data = Bytes> + Unpin>(mut body: B) -> bool {
    if body.size_hint().lower() > LEFT as u64 {
        return false;
    }
    let read = async {
        let mut left = LEFT;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(less) => left = less,
                None => return false,
            }
        }
        true
    };
    tokio::time::timeout(LINGER, read).await.unwrap_or(false)
}

/// Whether a query names a model. Go's form values prefer the query's to the body's, which is the one that is checked here.
pub(crate) fn names_model(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("model"))
}

/// What the pipeline must know of the body of a request for `endpoint`.
pub(crate) async fn read(endpoint: Endpoint, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Error> {
    if body.len() <= QUICK {
        return model::read(endpoint, headers, body);
    }
    let (headers, body) = (headers.clone(), body.clone());
    aside(body.len(), move || model::read(endpoint, &headers, &body)).await
}

/// What a request that leaves the choice of its model to the gateway asks of one. Its body was [`read`] before.
pub(crate) async fn wanted(endpoint: Endpoint, body: &Bytes) -> Result<Wanted, Error> {
    let (length, body) = (body.len(), body.clone());
    aside(length, move || wanted::read(endpoint, &body)).await
}

/// The body of a request that is to be answered by `model`, and what it takes of the budget.
pub(crate) async fn rename(
    endpoint: Endpoint,
    headers: &HeaderMap,
    (body, share): (Bytes, &mut Share),
    model: &str,
) -> Result<Bytes, Error> {
    // For a moment there are two of it.
    share.resize(body.len().saturating_mul(2))?;
    let renamed = if body.len() <= QUICK {
        model::rename(endpoint, headers, &body, model)?
    } else {
        let (headers, model) = (headers.clone(), model.to_owned());
        elsewhere(move || model::rename(endpoint, &headers, &body, &model)).await?
    };
    share.resize(renamed.len())?;
    Ok(renamed)
}

/// Works on a body of `length` bytes, on another thread if it is a large one.
pub(crate) async fn aside<T: Send + 'static>(
    length: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if length <= QUICK { work() } else { elsewhere(work).await }
}

/// Works on another thread.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    // The thread pool only refuses work while the process ends.
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::ShutDown)?
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible, time::Duration};

    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn chunks(sizes: &[usize]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frames: VecDeque<_> = sizes.iter().map(|&size| Ok(Frame::data(Bytes::from(vec![b'x'; size])))).collect();
        StreamBody::new(stream::iter(frames))
    }

    fn key() -> KeyId {
        KeyId::new("keykeykeykey").unwrap()
    }

    fn bounds(max_body: usize, body_memory: usize) -> Settings {
        Settings { max_body, body_memory, ..Settings::default() }
    }

    async fn length(sizes: &[usize], settings: &Settings, budget: &BodyBudget) -> Result<usize, Error> {
        buffer(&HeaderMap::new(), &mut Some(chunks(sizes)), settings, (budget, &key()))
            .await
            .map(|body| body.bytes.len())
    }

    #[tokio::test]
    async fn a_chunked_body_is_refused_where_it_passes_the_limit() {
        let budget = BodyBudget::default();
        let settings = bounds(10, 10);
        assert_eq!(length(&[4, 6], &settings, &budget).await, Ok(10));
        assert_eq!(length(&[4, 7], &settings, &budget).await, Err(Error::BodyTooLarge { limit: 10 }));
    }

    #[tokio::test]
    async fn an_announced_size_over_the_limit_is_refused_unread() {
        let body = Full::new(Bytes::from_static(b"0123456789x"));
        let answer =
            buffer(&HeaderMap::new(), &mut Some(body), &bounds(10, 10), (&BodyBudget::default(), &key())).await;
        assert_eq!(answer.err(), Some(Error::BodyTooLarge { limit: 10 }));
    }

    #[tokio::test]
    async fn bodies_together_stay_in_the_budget_and_give_it_back() {
        let (budget, settings) = (BodyBudget::default(), bounds(3 * SMALL, 6 * SMALL));
        let held = buffer(&HeaderMap::new(), &mut Some(chunks(&[SMALL, SMALL, SMALL])), &settings, (&budget, &key()))
            .await
            .unwrap();
        let other =
            buffer(&HeaderMap::new(), &mut Some(chunks(&[SMALL, SMALL])), &settings, (&budget, &key())).await.unwrap();
        assert_eq!(length(&[SMALL, SMALL], &settings, &budget).await, Err(Error::Crowded));
        assert_eq!(budget.used(), 5 * SMALL, "who was refused holds nothing");
        assert_eq!(length(&[SMALL], &settings, &budget).await, Ok(SMALL));
        drop(held);
        assert_eq!(length(&[SMALL, SMALL], &settings, &budget).await, Ok(2 * SMALL));
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn one_largest_body_fits_in_whatever_is_configured() {
        let budget = BodyBudget::default();
        assert_eq!(length(&[SMALL, SMALL], &bounds(2 * SMALL, 1), &budget).await, Ok(2 * SMALL));
    }

    #[tokio::test]
    async fn a_client_that_stops_sending_is_given_up() {
        let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let budget = BodyBudget::with_idle(Duration::from_millis(1));
        let answer = buffer(&HeaderMap::new(), &mut Some(body), &bounds(10, 10), (&budget, &key())).await;
        assert_eq!(answer.err(), Some(Error::BodyTimeout));
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_given_up_though_it_never_pauses_long() {
        let drop = async |()| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), ()))
        };
        let body = StreamBody::new(Box::pin(stream::unfold((), drop)));
        let budget = BodyBudget::with_idle(Duration::from_millis(50));
        let answer = buffer(&HeaderMap::new(), &mut Some(body), &bounds(1 << 20, 1 << 20), (&budget, &key())).await;
        assert_eq!(answer.err(), Some(Error::BodyTimeout));
    }

    #[tokio::test]
    async fn what_came_fast_buys_no_silence() {
        // A megabyte at once, which is four minutes' worth, and then a byte whenever a fifth of the pause is over.
        let idle = Duration::from_millis(50);
        let drops = stream::unfold(0, |number| async move {
            if number > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let length = if number == 0 { 1 << 20 } else { 1 };
            let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; length])));
            (number < 2_000).then_some((frame, number + 1))
        });
        let (budget, body) = (BodyBudget::with_idle(idle), StreamBody::new(Box::pin(drops)));
        let settings = bounds(4 << 20, 4 << 20);
        let answer = buffer(&HeaderMap::new(), &mut Some(body), &settings, (&budget, &key())).await;
        assert_eq!(answer.err(), Some(Error::BodyTimeout));
    }

    #[test]
    fn bytes_buy_their_time_and_never_more_than_a_pause() {
        let (begun, idle) = (Instant::now(), Duration::from_secs(30));
        let second = |n: u64| begun + Duration::from_secs(n);
        let first = until(None, begun, 0, idle);
        assert_eq!(first, second(30));
        assert_eq!(until(Some(first), second(10), 10 * SLOWEST, idle), second(40), "as slow as may be");
        assert_eq!(until(Some(first), second(10), 5 * SLOWEST, idle), second(35), "too slow");
        assert_eq!(until(Some(first), second(10), 1 << 30, idle), second(40), "fast before");
        assert_eq!(until(Some(first), second(10), 1, idle), first + Duration::from_micros(244));
    }

    #[tokio::test]
    async fn only_a_little_is_read_away() {
        assert!(read_away(chunks(&[LEFT / 2, LEFT / 2])).await);
        assert!(!read_away(chunks(&[LEFT / 2, LEFT / 2, 1])).await);
        assert!(!read_away(Full::new(Bytes::from(vec![0; LEFT + 1]))).await);
        assert!(!read_away(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>())).await);
    }
}
