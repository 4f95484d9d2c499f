//! Opens a connection to Redis: TCP, TLS where asked for, log-in, and a first look at who is there. Nothing a server sends
//! is held beyond a bound.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::{RedisSettings, authority};

/// Bound of everything until Redis may be asked.
const CONNECT: Duration = Duration::from_secs(2);
/// Bytes that one answer may add to what may be read.
const ANSWER: u64 = 16 * 1024;
/// Bytes that may be read without another question.
const UNASKED: u64 = 1024 * 1024;
const PORT: u16 = 6379;

/// A connection that is logged in. Dropping it closes it.
pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    pub(super) allowance: Allowance,
    pub(super) version: String,
    /// Empty where the server does not tell.
    pub(super) run_id: String,
    pub(super) driver: AbortOnDropHandle<()>,
}

/// Connects within two seconds. The error is a sentence without secrets.
pub(super) async fn dial(settings: &RedisSettings) -> Result<Opened, String> {
    let shaking_hands = AtomicBool::new(false);
    let opened = tokio::time::timeout(CONNECT, open(settings, &shaking_hands)).await;
    let late = || match shaking_hands.load(Ordering::Relaxed) {
        // A server that waits for a command in plain text says nothing to a handshake.
        true => "TLS failed: nothing answered within two seconds: is TLS turned on at this port?",
        false => "timed out: nothing answered within two seconds",
    };
    opened.unwrap_or_else(|_| Err(late().into())).map_err(|detail| match settings.password.as_deref() {
        Some(password) if !password.is_empty() => detail.replace(password, "…"),
        _ => detail,
    })
}

async fn open(settings: &RedisSettings, shaking_hands: &AtomicBool) -> Result<Opened, String> {
    let url = &settings.url;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, url.port().unwrap_or(PORT))).await.map_err(|error| unreachable(&error))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let info = login(settings)?;
    if url.scheme() != "rediss" {
        return greet(stream, &info).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("TLS failed: {error}"))?;
    let connector = TlsConnector::from(Arc::new(authority::config(settings.authority.as_ref())?));
    shaking_hands.store(true, Ordering::Relaxed);
    let stream = connector.connect(name, stream).await.map_err(|error| authority::describe(&error))?;
    shaking_hands.store(false, Ordering::Relaxed);
    greet(stream, &info).await
}

fn unreachable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens at this port".into(),
        _ => error.to_string(),
    }
}

fn login(settings: &RedisSettings) -> Result<RedisConnectionInfo, String> {
    let info = settings.url.as_str().into_connection_info().map_err(|error| error.to_string())?;
    let login = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(match &settings.password {
        Some(password) => login.set_password(password),
        None => login,
    })
}

async fn greet<S>(stream: S, info: &RedisConnectionInfo) -> Result<Opened, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let allowance = Allowance::default();
    // Log-in and choice of the database.
    allowance.grant();
    let stream = Bounded { stream, allowance: allowance.clone() };
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(info, stream, config).await;
    let (mut connection, driver) = opened.map_err(|error| describe(&error))?;
    let driver = AbortOnDropHandle::new(tokio::spawn(driver));
    let mut ask = async |name: &str, argument: Option<&str>| {
        allowance.grant();
        let mut command = Cmd::new();
        command.arg(name).arg(argument);
        command.query_async::<Value>(&mut connection).await
    };
    ask("PING", None).await.map_err(|error| describe(&error))?;
    let info = match ask("INFO", Some("server")).await {
        Ok(Value::BulkString(text)) => String::from_utf8_lossy(&text).into_owned(),
        Ok(Value::VerbatimString { text, .. } | Value::SimpleString(text)) => text,
        // A managed Redis may not tell. Then nothing is known of restarts, and every connection counts as one.
        Ok(_) => String::new(),
        Err(error) if error.is_io_error() => return Err(describe(&error)),
        Err(_) => String::new(),
    };
    let version = field(&info, "redis_version:").unwrap_or_else(|| "of unknown version".into());
    Ok(Opened { connection, allowance, version, run_id: field(&info, "run_id:").unwrap_or_default(), driver })
}

fn field(info: &str, name: &str) -> Option<String> {
    let line = info.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().chars().filter(|letter| letter.is_ascii_graphic()).take(40).collect())
}

/// What went wrong, as an operator can act on it.
pub(super) fn describe(error: &RedisError) -> String {
    let text = match error.kind() {
        ErrorKind::AuthenticationFailed => return "it answers, but refuses the user name or password".into(),
        _ if error.code() == Some("NOAUTH") => return "it answers, but asks for a password".into(),
        _ => error.to_string(),
    };
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// How many bytes may still be read.
#[derive(Clone, Default)]
pub(super) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// Another answer is expected.
    pub(super) fn grant(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some((left + ANSWER).min(UNASKED)));
    }

    fn spend(&self, bytes: usize) -> bool {
        let spend = |left: u64| left.checked_sub(bytes as u64);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

/// A stream that breaks when more comes than was asked for.
struct Bounded<S> {
    stream: S,
    allowance: Allowance,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.allowance.spend(buffer.filled().len() - before) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "it sent far more than was asked for")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
