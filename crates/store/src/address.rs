//! The address of a database, taken apart: in memory, a folder of this machine, or a server. Nothing is opened here.

use std::{fmt, path::PathBuf};

use crate::StoreError;

/// Where the store is and how it is opened.
#[derive(Clone)]
pub struct StoreConfig {
    /// A SurrealDB address: `surrealkv://path`, `rocksdb://path`, `mem://`, `ws://host:port` or `wss://…`. A server's
    /// address may carry the credentials of a root user.
    pub address: String,
}

impl fmt::Debug for StoreConfig {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match (self.address.split_once("://"), self.address.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
            _ => self.address.clone(),
        };
        f.debug_struct("StoreConfig").field("address", &address).finish()
    }
}

/// Engines that keep their data in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    SurrealKv,
    RocksDb,
}

impl Engine {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::SurrealKv => "surrealkv",
            Self::RocksDb => "rocksdb",
        }
    }
}

/// User name and password of a root user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub user: String,
    pub password: String,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    Folder { engine: Engine, path: PathBuf },
    Server { address: String, credentials: Option<Credentials> },
}

impl Place {
    pub(crate) fn parse(address: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = address.split_once("://").unwrap_or((address, ""));
        // Our own settings decide how the engine syncs and caches, so parameters are not passed on.
        let path = rest.split_once('?').map_or(rest, |(path, _)| path);
        let folder = |engine| match path {
            "" => Err(StoreError::other(format_args!("the database address {scheme}:// names no folder"))),
            path => Ok(Self::Folder { engine, path: PathBuf::from(path) }),
        };
        match scheme {
            "mem" | "memory" => Ok(Self::Memory),
            "surrealkv" => folder(Engine::SurrealKv),
            "rocksdb" if cfg!(feature = "rocksdb") => folder(Engine::RocksDb),
            "rocksdb" => Err(StoreError::other("this program was built without rocksdb: use surrealkv://")),
            "ws" | "wss" => server(address),
            _ => Err(StoreError::other(format_args!(
                "the database address must begin with surrealkv://, ws:// or wss://, not {scheme}:"
            ))),
        }
    }
}

fn server(address: &str) -> Result<Place, StoreError> {
    // The fault is said without the address: it may hold a password.
    let mut url =
        url::Url::parse(address).map_err(|error| StoreError::other(format_args!("the database address: {error}")))?;
    let decoded = |text: &str| percent_decoded(text);
    let credentials = (!url.username().is_empty())
        .then(|| Credentials { user: decoded(url.username()), password: decoded(url.password().unwrap_or_default()) });
    // Neither call fails on an address that has a host, and the parser refuses ws:// without one.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    Ok(Place::Server { address: url.to_string(), credentials })
}

fn percent_decoded(text: &str) -> String {
    // A form's decoder is the one `url` offers; a literal plus must survive it.
    let pair = format!("v={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_memory_and_servers_are_told_apart() {
        assert!(Place::parse("mem://").is_ok_and(|place| place == Place::Memory));
        let folder = Place::Folder { engine: Engine::SurrealKv, path: "./data/db".into() };
        assert!(Place::parse("surrealkv://./data/db?sync=never").is_ok_and(|place| place == folder));
        for wrong in ["surrealkv://", "surrealkv", "http://localhost:8000", "postgres://x", "", "ws://"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_leave_the_address_and_never_show() {
        let address = "ws://ro%40ot:p%3Aa+ss@db.example:8000";
        let Ok(Place::Server { address: clean, credentials: Some(credentials) }) = Place::parse(address) else {
            panic!("a server");
        };
        assert_eq!(clean, "ws://db.example:8000/");
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("ro@ot", "p:a+ss"));
        let shown = format!("{:?}", StoreConfig { address: address.to_owned() });
        assert!(!shown.contains("p%3Aa") && shown.contains("db.example"), "{shown}");
    }
}
