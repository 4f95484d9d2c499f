//! A Redis that answers whatever a test wants: enough of the protocol to be taken for one, and then trouble.

use std::sync::{Arc, Mutex};

use gateway::RedisSettings;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// The answer to a command, by its words.
type Answer = Box<dyn Fn(&[String]) -> Option<Vec<u8>> + Send>;

pub struct FakeRedis {
    port: u16,
    trouble: Arc<Mutex<Answer>>,
    _task: AbortOnDropHandle<()>,
}

impl FakeRedis {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let trouble: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let shared = trouble.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { port, trouble, _task: AbortOnDropHandle::new(task) }
    }

    /// From now on `answer` is asked first; an empty answer is none at all.
    pub fn answer(&self, answer: impl Fn(&[String]) -> Option<Vec<u8>> + Send + 'static) {
        *self.trouble.lock().unwrap() = Box::new(answer);
    }

    /// From now on scripts are answered like this.
    pub fn scripts(&self, answer: &'static [u8]) {
        self.answer(move |words| words[0].starts_with("EVAL").then(|| answer.to_vec()));
    }

    pub fn settings(&self) -> RedisSettings {
        RedisSettings::new(format!("redis://127.0.0.1:{}", self.port).parse().unwrap(), None)
    }
}

async fn serve(stream: TcpStream, trouble: Arc<Mutex<Answer>>) {
    let mut stream = BufReader::new(stream);
    while let Some(mut words) = read(&mut stream).await {
        words[0] = words[0].to_uppercase();
        let answer = trouble.lock().unwrap()(&words);
        let answer = answer.unwrap_or_else(|| honest(&words));
        if stream.get_mut().write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut bytes = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut bytes).await.ok()?;
        bytes.truncate(bytes.len() - 2);
        words.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Some(words)
}

async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim().parse().ok()
}

fn honest(words: &[String]) -> Vec<u8> {
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    match words[0].as_str() {
        "PING" => "+PONG\r\n".into(),
        "INFO" => bulk("redis_version:8.6.3\r\nrun_id:0123\r\n"),
        "TIME" => format!("*2\r\n{}{}", bulk("1700000000"), bulk("0")),
        "SCRIPT" => bulk(&"a".repeat(40)),
        "EVALSHA" | "EVAL" => "*4\r\n:1\r\n:5\r\n:1000\r\n:1700000000000\r\n".into(),
        _ => "+OK\r\n".to_owned(),
    }
    .into_bytes()
}
