//! Having a backend pull a model, and hearing how far it is: lines of its answer, each bounded, as they come. What they mean
//! is not known here. Control traffic, so through reqwest, and to backends that are drained too.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::id::BackendId;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::{
    Gateway,
    upkeep::{body_of, good},
};

/// Longest line of progress in bytes; Ollama's have some two hundred.
const LONGEST_LINE: usize = 64 * 1024;
const TOO_LONG: &str = "it sent a line that is far too long for progress of a pull";
/// A complaint has so long to come once the status is known.
const COMPLAINT: Duration = Duration::from_secs(5);

/// A backend that pulls a model. Dropped, the connection closes, and Ollama stops and keeps what it has.
pub struct Pulling {
    answer: reqwest::Response,
    /// What came of the next line, or of further ones.
    waiting: BytesMut,
    /// The first byte of `waiting` that was not looked at for a line's end.
    looked: usize,
    ended: bool,
}

impl Gateway {
    /// Asks a backend for a model, and waits at most `patience` until it begins to answer. The error is a few words for
    /// people.
    pub async fn pull(&self, backend: &BackendId, model: &str, patience: Duration) -> Result<Pulling, String> {
        let view = self.0.fleet.view();
        let found = view.backends.iter().find(|other| other.id() == backend);
        let backend = found.ok_or_else(|| "the backend is not there any more".to_owned())?;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let body = serde_json::json!({ "model": model, "stream": true }).to_string();
        let settings = &view.snapshot.settings;
        let answer = backend.errand(settings, Method::POST, "/api/pull", headers, body.into(), patience).await;
        let answer = reqwest::Response::from(answer.map_err(|error| error.to_string())?);
        match answer.status() {
            StatusCode::OK => Ok(Pulling { answer, waiting: BytesMut::new(), looked: 0, ended: false }),
            StatusCode::UNAUTHORIZED => Err("it refused the gateway's credentials (401)".into()),
            status => {
                let said = good((status, body_of(answer, COMPLAINT).await));
                Err(said.err().unwrap_or_else(|| format!("it answered {}", status.as_u16())))
            }
        }
    }
}

impl Pulling {
    /// The next line that is not empty, without its end; `None` once there will be none. The error is a few words for
    /// people. Nothing is lost where this is given up and called again.
    pub async fn line(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.waiting[self.looked..]) {
                let line = self.waiting.split_to(self.looked + end + 1).freeze();
                self.looked = 0;
                match bare(&line) {
                    Some(line) if line.len() > LONGEST_LINE => return Err(TOO_LONG.into()),
                    Some(line) => return Ok(Some(line)),
                    None => continue,
                }
            }
            self.looked = self.waiting.len();
            if self.looked > LONGEST_LINE {
                return Err(TOO_LONG.into());
            }
            if self.ended {
                self.looked = 0;
                return Ok(bare(&self.waiting.split().freeze()));
            }
            match self.answer.chunk().await {
                Ok(Some(piece)) => self.waiting.extend_from_slice(&piece),
                Ok(None) => self.ended = true,
                Err(_) => return Err("the connection to it was lost".into()),
            }
        }
    }
}

/// A line without blanks around it; nothing where it has nothing else.
fn bare(line: &Bytes) -> Option<Bytes> {
    let bare = line.trim_ascii();
    (!bare.is_empty()).then(|| line.slice_ref(bare))
}

#[cfg(test)]
mod tests {
    use testkit::{FakeOllama, Fault};

    use super::*;
    use crate::backend::tests::{entry, snapshot};

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn asked(fake: &FakeOllama) -> Result<Pulling, String> {
        let (gateway, _records) = Gateway::new(1);
        let token = Some(crate::snapshot::BackendToken("canary".into()));
        let entry = crate::snapshot::BackendEntry { token, ..entry(1, fake.url()) };
        let id = entry.id.clone();
        gateway.publish(snapshot([entry]));
        gateway.pull(&id, "qwen3", PATIENCE).await
    }

    async fn lines(pulling: &mut Pulling) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        while let Some(line) = pulling.line().await? {
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        Ok(lines)
    }

    #[tokio::test]
    async fn lines_come_one_at_a_time_however_the_network_cuts_them() {
        let fake = FakeOllama::builder().token("canary").start().await;
        fake.set(|script| {
            script.pull = Some(["{\"a\":1}\n{\"b\"", ":2}\r\n\n \n", "{\"c\":3}"].map(str::to_owned).to_vec())
        });
        let mut pulling = asked(&fake).await.unwrap();
        assert_eq!(lines(&mut pulling).await.unwrap(), ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
        assert_eq!(pulling.line().await, Ok(None), "it stays ended");
        let request = fake.requests().remove(0);
        assert_eq!((request.path.as_str(), &request.json()["model"]), ("/api/pull", &"qwen3".into()));
    }

    #[tokio::test]
    async fn whatever_is_no_stream_of_lines_is_told_in_words() {
        let fake = FakeOllama::builder().token("canary").start().await;
        let fails = async |fault: Option<Fault>| {
            fake.set(|script| script.fault = fault);
            let mut pulling = asked(&fake).await?;
            lines(&mut pulling).await.map(|_| ())
        };
        let refused = fails(Some(Fault::Status(500))).await.unwrap_err();
        assert_eq!(refused, "it answered 500: scripted fault");
        assert_eq!(fails(Some(Fault::StatusBody(307, "".into()))).await.unwrap_err(), "it answered 307");
        let lost = fails(Some(Fault::CutAfter(1))).await.unwrap_err();
        assert_eq!(lost, "the connection to it was lost");
        fake.set(|script| script.pull = Some(vec!["x".repeat(1 << 18)]));
        assert!(fails(None).await.unwrap_err().contains("far too long"));
        fake.set(|script| script.token = Some("another".into()));
        assert!(fails(None).await.unwrap_err().contains("credentials (401)"));
        fake.refuse_connections().await;
        assert_eq!(fails(None).await.unwrap_err(), "it cannot be reached");
    }

    #[tokio::test]
    async fn a_pull_that_is_dropped_closes_its_connection() {
        let fake = FakeOllama::builder().token("canary").held().start().await;
        fake.release_chunk();
        let mut pulling = asked(&fake).await.unwrap();
        assert!(pulling.line().await.unwrap().is_some());
        drop(pulling);
        fake.wait_for(|records| {
            records.requests[0].ended.is_some() && records.connections.iter().all(|c| c.closed.is_some())
        })
        .await;
    }
}
