//! Size and patience for request bodies of the admin plane. They are forms: read whole, before anything looks at them.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::guard::Guard;

/// Longest time a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The layer.
pub async fn limit(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let most = app::ssr::largest_form(parts.uri.path());
    match read(body, most, PATIENCE).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err((status, sentence)) => {
            // What comes too slowly is no refusal of ours.
            if status == StatusCode::PAYLOAD_TOO_LARGE {
                guard.note_body(&parts, &sentence);
            }
            (status, sentence).into_response()
        }
    }
}

/// `most` is the largest body, in bytes.
async fn read(body: Body, most: usize, patience: Duration) -> Result<Bytes, (StatusCode, String)> {
    match tokio::time::timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let sentence = match most / 1024 {
                64 => "a form of the admin pages has at most 64 KiB".to_owned(),
                most => format!("a form that carries an image has at most {most} KiB"),
            };
            Err((StatusCode::PAYLOAD_TOO_LARGE, sentence))
        }
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};

    use super::*;

    const MAX: usize = 64 * 1024;

    type Frame = Result<&'static str, Infallible>;

    #[tokio::test]
    async fn a_form_that_never_ends_is_given_up_also_where_it_never_stops_coming() {
        let silent = Body::from_stream(stream::iter([Frame::Ok("a")]).chain(stream::pending()));
        let slow = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Frame::Ok("a"), ()))
        });
        for body in [silent, Body::from_stream(slow)] {
            let (status, _) = read(body, MAX, Duration::from_millis(50)).await.unwrap_err();
            assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        }
    }

    #[tokio::test]
    async fn a_form_that_comes_in_pieces_is_read_whole_up_to_its_bound() {
        let pieces = |count| Body::from_stream(stream::iter((0..count).map(|_| Frame::Ok("ab"))));
        assert_eq!(read(pieces(MAX / 2), MAX, PATIENCE).await.unwrap().len(), MAX);
        assert_eq!(read(pieces(MAX / 2 + 1), MAX, PATIENCE).await.unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
