//! The address of a database, taken apart: in memory, a folder of this machine, or a server. Nothing is opened here.

use std::{fmt, io::ErrorKind, path::PathBuf};

use crate::StoreError;

/// Where the store is and how it is opened.
#[derive(Clone)]
pub struct StoreConfig {
    /// A SurrealDB address: `surrealkv://path`, `rocksdb://path`, `mem://`, `ws://host:port` or `wss://…`. A server's
    /// address may carry credentials, and a namespace and a database as its path; both are `fortress` without one.
    pub address: String,
}

impl StoreConfig {
    /// Whether there is a database at this address, as far as that can be told without opening it: a folder that holds
    /// something, or a server, whatever is in it. Nothing is in memory before it is opened.
    pub fn is_there(&self) -> bool {
        match Place::parse(&self.address) {
            Ok(Place::Folder { path, .. }) => match path.read_dir() {
                Ok(mut entries) => entries.next().is_some(),
                // One that may not be looked into is told apart when it is opened.
                Err(error) => error.kind() != ErrorKind::NotFound,
            },
            Ok(Place::Server(_)) => true,
            Ok(Place::Memory) | Err(_) => false,
        }
    }
}

impl StoreConfig {
    /// The folder of the database; `None` where it is on a server or in memory.
    pub fn folder(&self) -> Option<PathBuf> {
        match Place::parse(&self.address) {
            Ok(Place::Folder { path, .. }) => Some(path),
            _ => None,
        }
    }
}

/// What is wrong with a database address, in words that follow the name of the setting. Credentials in it are not
/// repeated; nothing is opened.
pub fn check_address(address: &str) -> Result<(), String> {
    read(address).map(drop)
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

/// Name of our namespace and of the database in it, unless a server's address names others.
pub(crate) const NAME: &str = "fortress";

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

/// A SurrealDB server, and where on it our database is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    /// Without credentials and path.
    pub url: String,
    pub credentials: Option<Credentials>,
    pub namespace: String,
    pub database: String,
}

impl ServerAddress {
    /// As a person writes it.
    pub(crate) fn shown(&self) -> &str {
        self.url.trim_end_matches('/')
    }
}

/// User name and password of a user of the server, of the namespace or of the database.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub user: String,
    pub password: String,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Memory,
    Folder { engine: Engine, path: PathBuf },
    Server(ServerAddress),
}

impl Place {
    pub(crate) fn parse(address: &str) -> Result<Self, StoreError> {
        read(address).map_err(|fault| StoreError::other(format_args!("DATABASE_URL {fault}")))
    }
}

fn read(address: &str) -> Result<Place, String> {
    let (scheme, rest) = address.split_once("://").unwrap_or((address, ""));
    // Our own settings decide how the engine syncs and caches, so parameters are not passed on.
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    let folder = |engine| match path {
        "" => Err(format!("names no folder: give {scheme}://path")),
        path => Ok(Place::Folder { engine, path: PathBuf::from(path) }),
    };
    match scheme {
        "mem" | "memory" => Ok(Place::Memory),
        "surrealkv" => folder(Engine::SurrealKv),
        "rocksdb" if cfg!(feature = "rocksdb") => folder(Engine::RocksDb),
        "rocksdb" => Err("asks for RocksDB, which this binary was built without (cargo feature `rocksdb`): give \
                          surrealkv://path"
            .into()),
        "ws" | "wss" => server(address),
        // The text is not repeated: it may be anything, a password included.
        _ => Err("must begin with surrealkv://, ws:// or wss://".into()),
    }
}

fn server(address: &str) -> Result<Place, String> {
    const FORM: &str =
        "give ws://host:port or wss://host:port, with user:password@ before the host where one is needed";
    // The fault is said without the address: it may hold a password.
    let mut url = url::Url::parse(address).map_err(|error| format!("is no address ({error}): {FORM}"))?;
    if url.port() == Some(0) {
        return Err(format!("has 0 for a port: {FORM}"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("must not contain ? or #, also not in a password (write %3F or %23): {FORM}"));
    }
    if url.username().is_empty() && url.password().is_some() {
        return Err(format!("has a password without a user: {FORM}"));
    }
    let decoded = |text: &str| percent_decoded(text);
    let credentials = (!url.username().is_empty())
        .then(|| Credentials { user: decoded(url.username()), password: decoded(url.password().unwrap_or_default()) });
    // Neither call fails on an address that has a host, and the parser refuses ws:// without one.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    let (namespace, database) = scope(url.path())?;
    url.set_path("");
    Ok(Place::Server(ServerAddress { url: url.to_string(), credentials, namespace, database }))
}

/// Namespace and database out of the path of a server's address.
fn scope(path: &str) -> Result<(String, String), String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (namespace, database) = match parts[..] {
        // The path of the protocol itself, which some write.
        [] | ["rpc"] => (NAME, NAME),
        [namespace, database] | [namespace, database, "rpc"] => (namespace, database),
        _ => {
            return Err(
                "has a path that is no namespace and database: give ws://host:port/namespace/database, or none".into(),
            );
        }
    };
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if plain(namespace) && plain(database) {
        Ok((namespace.to_owned(), database.to_owned()))
    } else {
        Err("has a namespace or database with other characters than letters, digits, - and _".into())
    }
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
    fn an_address_that_cannot_be_opened_is_refused_without_repeating_it() {
        for wrong in [
            "ws://",
            "ws://:8000",
            "wss://host:99999",
            "ws://host:0",
            "ws://ho st",
            "ws://[::1",
            "ws://root:hunter2@",
            "ws://:hunter2@host",
            "ws://host:8000?hunter2=1",
            "ws://host:8000#hunter2",
            "ws://root:hunt#er2@host",
            "hunter2://x",
            "surrealkv://?sync=never",
        ] {
            let fault = check_address(wrong).err().unwrap_or_else(|| panic!("{wrong} was taken"));
            assert!(!fault.contains("hunt"), "{wrong}: {fault}");
        }
        for right in ["ws://localhost:8000", "wss://root:p%23ss@db.example", "ws://[::1]:8000/", "mem://"] {
            assert_eq!(check_address(right), Ok(()), "{right}");
        }
    }

    #[test]
    fn a_folder_without_anything_in_it_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { address: format!("surrealkv://{}", folder.path().join("db").display()) };
        assert!(!config.is_there());
        std::fs::create_dir(folder.path().join("db")).unwrap();
        assert!(!config.is_there());
        std::fs::write(folder.path().join("db/x"), "").unwrap();
        assert!(config.is_there());
        assert!(StoreConfig { address: "ws://host:8000".into() }.is_there());
        assert!(!StoreConfig { address: "mem://".into() }.is_there());
    }

    #[test]
    fn credentials_leave_the_address_and_never_show() {
        let address = "ws://ro%40ot:p%3Aa+ss@db.example:8000";
        let Ok(Place::Server(server)) = Place::parse(address) else {
            panic!("a server");
        };
        let credentials = server.credentials.as_ref().expect("they are in the address");
        assert_eq!(server.url, "ws://db.example:8000/");
        assert_eq!((credentials.user.as_str(), credentials.password.as_str()), ("ro@ot", "p:a+ss"));
        let shown = format!("{:?}", StoreConfig { address: address.to_owned() });
        assert!(!shown.contains("p%3Aa") && shown.contains("db.example"), "{shown}");
    }

    #[test]
    fn a_path_of_a_server_is_a_namespace_and_a_database() {
        let place = |path: &str| match Place::parse(&format!("ws://db:8000{path}")) {
            Ok(Place::Server(server)) => {
                assert_eq!(server.shown(), "ws://db:8000");
                Some((server.namespace, server.database))
            }
            _ => None,
        };
        let named = |namespace: &str, database: &str| Some((namespace.to_owned(), database.to_owned()));
        for none in ["", "/", "/rpc"] {
            assert_eq!(place(none), named("fortress", "fortress"), "{none}");
        }
        for both in ["/team-7/llm_gate", "/team-7/llm_gate/", "/team-7/llm_gate/rpc"] {
            assert_eq!(place(both), named("team-7", "llm_gate"), "{both}");
        }
        for wrong in ["/alone", "/a/b/c", "/a`/b", "/a%20b/c", "/a/b;c"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
