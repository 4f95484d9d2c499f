//! Opens connections of the data plane: resolve, TCP, TLS. What is said over them is `http1`'s business, keeping them
//! `pool`'s.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use domain::network::Networks;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{
    address::AddressError,
    http1::{Connection, Io},
    reach, tls,
};

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// Why there is no connection. Nothing was sent, so another backend may be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("connection refused")]
    Refused,
    #[error("timed out while connecting")]
    Timeout,
    #[error("the host name does not resolve")]
    Dns,
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("{0}")]
    Other(String),
}

impl From<AddressError> for ConnectError {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Dns => Self::Dns,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Asked only where the address is https.
pub(super) type TlsSource<'a> = &'a (dyn Fn() -> Result<Arc<ClientConfig>, String> + Sync);

/// Connects to the origin of `url` within `limit`, where it is in one of `networks`.
pub(crate) async fn connect(url: &Url, limit: Duration, networks: &Networks) -> Result<Box<Connection>, ConnectError> {
    connect_with(url, limit, networks, &tls::trusting_platform).await
}

/// As [`connect`], with a TLS configuration of the caller's.
pub(super) async fn connect_with(
    url: &Url,
    limit: Duration,
    networks: &Networks,
    tls: TlsSource<'_>,
) -> Result<Box<Connection>, ConnectError> {
    // In a box: few requests need a new connection, and none of the others should carry the room that it takes.
    let dialled = Box::pin(dial(url, limit, networks, tls));
    tokio::time::timeout(limit, dialled).await.unwrap_or(Err(ConnectError::Timeout))
}

async fn dial(
    url: &Url,
    limit: Duration,
    networks: &Networks,
    tls: TlsSource<'_>,
) -> Result<Box<Connection>, ConnectError> {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = reach::lookup(bare, url.port_or_known_default().unwrap_or(80), networks).await?;
    let stream = reach(&addresses, limit).await?;
    stream.set_nodelay(true)?;
    if url.scheme() != "https" {
        return Ok(Connection::new(Io::Plain(stream)));
    }
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| ConnectError::Tls(error.to_string()))?;
    let connector = TlsConnector::from(tls().map_err(ConnectError::Tls)?);
    let stream = connector.connect(name, stream).await.map_err(|error| ConnectError::Tls(error.to_string()))?;
    Ok(Connection::new(Io::Tls(Box::new(stream))))
}

/// The first of the addresses that answers; the last one's fault if none does. Each gets its share of the time, so that a
/// name whose IPv6 address leads nowhere is reached by its IPv4 address.
async fn reach(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, ConnectError> {
    let addresses = &addresses[..addresses.len().min(MAX_ADDRESSES)];
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut fault = ConnectError::Dns;
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => fault = error.into(),
            Err(_) => fault = ConnectError::Timeout,
        }
    }
    Err(fault)
}
