//! Framing in every cut, and exchanges with a socket that says what a test wants.

use std::{cell::RefCell, rc::Rc};

use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use super::*;

/// Keeps what is given back.
#[derive(Clone, Default)]
pub(crate) struct Kept(Rc<RefCell<Vec<Connection>>>);

impl GiveBack for Kept {
    fn give_back(&self, connection: Box<Connection>) {
        self.0.borrow_mut().push(*connection);
    }
}

async fn pair() -> (Box<Connection>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Connection::new(Io::Plain(ours)), listener.accept().await.unwrap().0)
}

/// A deadline that no test waits for.
pub(crate) fn far() -> Instant {
    Instant::now() + std::time::Duration::from_secs(3_600)
}

fn post(body: impl Into<Bytes>) -> Request {
    let host = (&header::HOST, &HeaderValue::from_static("gpu"));
    request(&Method::POST, ["", "/api/chat"], [host], &HeaderMap::new(), body.into()).unwrap()
}

/// What comes of a backend that says `text` and, where it `closes`, nothing more: status, body, and whether the connection
/// may go on.
async fn told(text: &str, closes: bool) -> Result<(u16, Result<String, String>, bool), Lost> {
    let (mut ours, mut theirs) = pair().await;
    theirs.write_all(text.as_bytes()).await.unwrap();
    let still_open = if closes {
        drop(theirs);
        None
    } else {
        Some(theirs)
    };
    let mut response = ours.exchange(&post("{}"), far()).await?;
    let kept = Kept::default();
    let body = ResponseBody::new(ours, &mut response, kept.clone()).collect().await;
    let body =
        body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap()).map_err(|broken| broken.to_string());
    drop(still_open);
    Ok((response.status.as_u16(), body, !kept.0.borrow().is_empty()))
}

#[tokio::test]
async fn a_body_ends_where_its_head_says_and_the_connection_goes_on_where_it_may() {
    const CHUNKS: &str = "2;x=y\r\nab\r\n3 \r\ncde\r\n0\r\nTrailer: 1\r\n\r\n";
    for (head, body, expected, goes_on) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5", "abcde", "abcde", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0", "", "", true),
        ("HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Blank:  \r\nContent-Length: 0", "", "", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5", "abcde", "abcde", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", CHUNKS, "abcde", true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5", "", "", true),
        ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked", "", "", true),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5", "abcde", "abcde", true),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1",
            "a",
            "a",
            true,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5", "abcde", "abcde", false),
        ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5", "abcde", "abcde", false),
        // Two readers could read it in two ways.
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", CHUNKS, "abcde", false),
        // Nobody asked for more.
        ("HTTP/1.1 200 OK\r\nContent-Length: 5", "abcdeHTTP/1.1 200 OK\r\n", "abcde", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0", "x", "", false),
    ] {
        let (_, body, kept) = told(&format!("{head}\r\n\r\n{body}"), false).await.unwrap();
        assert_eq!((body.as_deref(), kept), (Ok(expected), goes_on), "{head}");
    }
    let (_, body, kept) = told("HTTP/1.1 200 OK\r\n\r\nto the end", true).await.unwrap();
    assert_eq!((body.as_deref(), kept), (Ok("to the end"), false));
}

#[tokio::test]
async fn what_ends_early_or_wrongly_is_told_from_what_never_began() {
    assert_eq!(told("", true).await.unwrap_err(), Lost::Closed);
    for text in [
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 999 Whatever\r\nContent-Length: 0\r\n\r\n",
        // It began to answer: whoever asked again would have it work twice.
        "HTTP/1.1 102 Processing\r\n\r\n",
    ] {
        let told = told(text, true).await;
        assert!(matches!(told, Err(Lost::Malformed(_))), "{text}: {told:?}");
    }
    for body in [
        "5\r\nabc",
        "5\r\nabcdef\r\n",
        "x\r\n",
        "\r\n",
        "5\nabcde",
        "00000000000000005\r\n",
        "5;a\nb\r\nabcde\r\n0\r\n\r\n",
        "0\r\nX: 1\n\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let (_, told, kept) = told(&text, true).await.unwrap();
        assert!(told.is_err() && !kept, "{body:?}: {told:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}\r\n", "x".repeat(20_000));
    assert!(told(&endless, true).await.unwrap().1.is_err());
    assert!(told("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", true).await.unwrap().1.is_err());
    // Every chunk has its own extension, however many there are.
    let many = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        "1;x=aaaaaaaa\r\nh\r\n".repeat(3_000)
    );
    assert_eq!(told(&many, true).await.unwrap().1.map(|body| body.len()), Ok(3_000));
}

#[tokio::test]
async fn an_idle_connection_keeps_room_for_a_small_read_and_what_it_gave_out_stays_as_it_was() {
    let (ours, mut theirs) = pair().await;
    let (mut idle, mut bodies) = (Some(ours), Vec::new());
    let sizes = [10, 3_000, 10, 1_000_000, 10, 4_000];
    for (letter, size) in ('a'..).zip(sizes) {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}", letter.to_string().repeat(size));
        let kept = Kept::default();
        let mut ours = idle.take().unwrap();
        let read = async {
            let mut response = ours.exchange(&post("{}"), far()).await.unwrap();
            ResponseBody::new(ours, &mut response, kept.clone()).collect().await.unwrap()
        };
        let (body, written) = tokio::join!(read, theirs.write_all(text.as_bytes()));
        written.unwrap();
        bodies.push(body.to_bytes());
        let given_back = kept.0.borrow_mut().pop().unwrap();
        let room = given_back.unread.capacity();
        assert!(room <= SMALLEST_READ, "{room} bytes after {size}");
        idle = Some(Box::new(given_back));
    }
    for ((letter, size), body) in ('a'..).zip(sizes).zip(bodies) {
        assert_eq!(body, letter.to_string().repeat(size));
    }
}

#[tokio::test]
async fn an_answer_before_the_request_is_read_is_passed_on_while_the_rest_is_written() {
    let (mut ours, mut theirs) = pair().await;
    let size = 16 << 20;
    theirs.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n").await.unwrap();
    let mut response = ours.exchange(&post(vec![b'x'; size]), far()).await.unwrap();
    let kept = Kept::default();
    let mut body = ResponseBody::new(ours, &mut response, kept.clone());
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
    let theirs = async {
        // It wants the whole request before it goes on.
        let mut read = vec![0; 64 * 1024];
        let mut left = size;
        let mut head = Vec::new();
        while left > 0 {
            let count = theirs.read(&mut read).await.unwrap();
            assert!(count > 0);
            let mut data = &read[..count];
            if left == size {
                head.extend_from_slice(data);
                let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") else { continue };
                left -= head.len() - end - 4;
                data = &[];
            }
            left -= data.len();
        }
        theirs.write_all(b"0\r\n\r\n").await.unwrap();
        theirs
    };
    let (rest, _theirs) = tokio::join!(body.collect(), theirs);
    assert!(rest.unwrap().to_bytes().is_empty());
    assert_eq!(kept.0.borrow().len(), 1);
}

#[tokio::test]
async fn a_refusal_of_a_request_that_is_not_taken_is_heard() {
    let (mut ours, mut theirs) = pair().await;
    theirs.write_all(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
    let mut response = ours.exchange(&post(vec![b'x'; 16 << 20]), far()).await.unwrap();
    let kept = Kept::default();
    let body = ResponseBody::new(ours, &mut response, kept.clone()).collect().await.unwrap();
    assert_eq!((response.status.as_u16(), body.to_bytes()), (413, "no".into()));
    assert!(kept.0.borrow().is_empty());
}

#[tokio::test]
async fn a_connection_that_was_closed_or_spoke_unasked_is_not_quiet() {
    let (mut ours, mut theirs) = pair().await;
    assert!(ours.is_quiet());
    theirs.write_all(b"x").await.unwrap();
    ours.io_readable().await;
    assert!(!ours.is_quiet());
    let (mut ours, theirs) = pair().await;
    drop(theirs);
    ours.io_readable().await;
    assert!(!ours.is_quiet());
}

impl Connection {
    async fn io_readable(&self) {
        match &self.io {
            Io::Plain(stream) => stream.readable().await.unwrap(),
            Io::Tls(_) => unreachable!(),
        }
    }
}

#[test]
fn no_target_ends_its_line() {
    for target in ["/a b", "/a\r\nx: y", "/a\tb", "/\0"] {
        assert!(request(&Method::POST, ["/p", target], [], &HeaderMap::new(), Bytes::new()).is_none());
    }
    let mut headers = HeaderMap::new();
    for name in ["content-length", "transfer-encoding", "connection", "x-kept"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
    }
    let text = |method, body: &'static str| {
        let request = request(&method, ["/p", "/a?b"], [], &headers, body.into()).unwrap();
        String::from_utf8(request.head.to_vec()).unwrap()
    };
    assert_eq!(text(Method::POST, "{}"), "POST /p/a?b HTTP/1.1\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(text(Method::POST, ""), "POST /p/a?b HTTP/1.1\r\nx-kept: 1\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(text(Method::GET, ""), "GET /p/a?b HTTP/1.1\r\nx-kept: 1\r\n\r\n");
}

proptest! {
    /// However the bytes come, the same data comes out, and what follows the body is left where it is.
    #[test]
    fn any_split_of_a_chunked_body_gives_the_same_bytes(
        chunks in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..300), "(;[a-z=]{0,9})?"), 0..20),
        trailers in "(X: [a-z]{0,9}\r\n){0,3}",
        cuts in proptest::collection::vec(1_usize..200, 1..400),
    ) {
        let mut wire = Vec::new();
        for (data, extension) in &chunks {
            wire.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
            wire.extend_from_slice(data);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(format!("0\r\n{trailers}\r\nHTTP/1.1").as_bytes());
        let expected: Vec<u8> = chunks.into_iter().flat_map(|(data, _)| data).collect();
        let (mut decoder, mut unread, mut data) = (Decoder::chunked(), BytesMut::new(), Vec::new());
        let (mut rest, mut cuts) = (wire.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            unread.extend_from_slice(piece);
            rest = later;
            while let Decoded::Data(piece) = decoder.decode(&mut unread).unwrap() {
                data.extend_from_slice(&piece);
            }
        }
        prop_assert_eq!(data, expected);
        prop_assert!(decoder.is_done());
        prop_assert_eq!(&unread[..], b"HTTP/1.1");
    }

    /// Nothing that a backend may send makes more of it than it was, or a panic.
    #[test]
    fn any_bytes_are_a_body_or_malformed(wire in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'a'), Just(b';'), any::<u8>()], 0..400)) {
        let (mut decoder, mut unread, mut count) = (Decoder::chunked(), BytesMut::from(&wire[..]), 0);
        while let Ok(Decoded::Data(data)) = decoder.decode(&mut unread) {
            prop_assert!(!data.is_empty());
            count += data.len();
        }
        prop_assert!(count <= wire.len());
    }
}
