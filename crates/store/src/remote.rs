//! The connection to a SurrealDB server: made, signed in, looked after, and made anew when it is lost. What the
//! statements say is the business of the other modules.
//!
//! The client mends a lost connection by itself, but keeps every statement that comes meanwhile and sends it once the
//! server is back: an admin action that was answered with an error could still happen an hour later. So each statement
//! is preceded by a sign of life, and a connection that gives none is dropped with all that waits on it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rustls_platform_verifier::BuilderVerifierExt as _;
use surrealdb::{
    IndexedResults, Surreal,
    engine::any::{self, Any},
    opt::{
        Config,
        auth::{Database, Namespace, Root},
    },
    types::Variables,
};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    StoreError,
    address::{Credentials, ServerAddress},
};

/// How long a server may take for a sign of life.
const LIFE_PATIENCE: Duration = Duration::from_secs(2);
/// How long connecting and signing in may take; a server hashes the password up to three times.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a statement may take.
const STATEMENT_PATIENCE: Duration = Duration::from_secs(30);

type Client = Arc<Surreal<Any>>;

pub(crate) struct Remote {
    server: ServerAddress,
    connection: Mutex<Connection>,
}

struct Connection {
    /// Not a clone: cloning the engine's client opens another session.
    client: Option<Client>,
    /// When connecting failed last, and why.
    failed: Option<(Instant, StoreError)>,
}

impl Remote {
    pub(crate) async fn open(server: &ServerAddress) -> Result<Self, StoreError> {
        let client = connect(server).await?;
        let connection = Connection { client: Some(Arc::new(client)), failed: None };
        Ok(Self { server: server.clone(), connection: Mutex::new(connection) })
    }

    /// The outer error is one of the connection, the inner one of the statement.
    pub(crate) async fn run(
        &self,
        text: &'static str,
        parameters: Variables,
    ) -> Result<Result<IndexedResults, surrealdb::Error>, StoreError> {
        let client = self.living().await?;
        match timeout(STATEMENT_PATIENCE, client.query(text).bind(parameters).into_future()).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.give_up(&client).await;
                Err(StoreError::unreachable("no answer within 30 seconds"))
            }
        }
    }

    /// A connection of its own, for whoever keeps one busy.
    pub(crate) async fn another(&self) -> Result<Surreal<Any>, StoreError> {
        connect(&self.server).await
    }

    /// A connection that has just given a sign of life.
    async fn living(&self) -> Result<Client, StoreError> {
        let asked = Instant::now();
        let mut connection = self.connection.lock().await;
        if let Some(client) = &connection.client {
            if matches!(timeout(LIFE_PATIENCE, client.health().into_future()).await, Ok(Ok(()))) {
                return Ok(Arc::clone(client));
            }
            tracing::warn!("the connection to the database is lost");
            connection.client = None;
        } else if let Some((at, error)) = &connection.failed
            && *at > asked
        {
            // Those who waited for this try need not make the next one after another.
            return Err(error.clone());
        }
        match connect(&self.server).await {
            Ok(client) => {
                tracing::info!("the connection to the database is back");
                let client = Arc::new(client);
                *connection = Connection { client: Some(Arc::clone(&client)), failed: None };
                Ok(client)
            }
            Err(error) => {
                connection.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn give_up(&self, client: &Client) {
        let mut connection = self.connection.lock().await;
        if connection.client.as_ref().is_some_and(|held| Arc::ptr_eq(held, client)) {
            connection.client = None;
        }
    }
}

async fn connect(server: &ServerAddress) -> Result<Surreal<Any>, StoreError> {
    let connected = async {
        let mut config = Config::new();
        if server.url.starts_with("wss:") {
            config = config.rustls(trusting_platform()?);
        }
        let db = any::connect((server.url.as_str(), config)).await.map_err(|error| reaching(server, &error))?;
        let level = match &server.credentials {
            Some(credentials) => sign_in(&db, server, credentials).await?,
            // A server that asks nobody who they are.
            None => Level::Root,
        };
        choose(&db, server, level).await.map_err(|error| choosing(server, &error))?;
        Ok(db)
    };
    timeout(CONNECT_PATIENCE, connected).await.map_err(|_| StoreError::unreachable("no answer within 10 seconds"))?
}

/// Where a user of the server is at home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Level {
    Database,
    Namespace,
    Root,
}

/// As a root user, or else as one of the namespace, or else as one of the database.
async fn sign_in(
    db: &Surreal<Any>,
    server: &ServerAddress,
    Credentials { user, password }: &Credentials,
) -> Result<Level, StoreError> {
    let (username, password) = (user.clone(), password.clone());
    let (namespace, database) = (server.namespace.clone(), server.database.clone());
    let root = Root { username: username.clone(), password: password.clone() };
    let Err(refused) = db.signin(root).await else { return Ok(Level::Root) };
    if !refused.is_not_allowed() {
        return Err(reaching(server, &refused));
    }
    let of_namespace =
        Namespace { namespace: namespace.clone(), username: username.clone(), password: password.clone() };
    if db.signin(of_namespace).await.is_ok() {
        return Ok(Level::Namespace);
    }
    if db.signin(Database { namespace, database, username, password }).await.is_ok() {
        return Ok(Level::Database);
    }
    Err(StoreError::other(format_args!(
        "{} refuses the user name or the password of DATABASE_URL (asked as a user of the server, of the namespace {} \
         and of its database {})",
        server.shown(),
        server.namespace,
        server.database
    )))
}

/// Makes what the user may make and is not there, and goes there.
async fn choose(db: &Surreal<Any>, server: &ServerAddress, level: Level) -> Result<(), surrealdb::Error> {
    // A parameter cannot stand for these names; the address admits letters, digits, - and _ only.
    let (namespace, database) = (&server.namespace, &server.database);
    if level >= Level::Root {
        db.query(format!("DEFINE NAMESPACE IF NOT EXISTS `{namespace}`")).await?.check()?;
    }
    if level >= Level::Namespace {
        db.use_ns(namespace).await?;
        db.query(format!("DEFINE DATABASE IF NOT EXISTS `{database}`")).await?.check()?;
    }
    db.use_ns(namespace).use_db(database).await?;
    Ok(())
}

fn choosing(server: &ServerAddress, error: &surrealdb::Error) -> StoreError {
    if !error.is_not_allowed() {
        return reaching(server, error);
    }
    let remedy = match server.credentials {
        Some(_) => "give its user the role OWNER there",
        None => "put a user and its password into DATABASE_URL: ws://user:password@host:port",
    };
    StoreError::other(format_args!(
        "{} does not let this program into the namespace {} and its database {}: {remedy}",
        server.shown(),
        server.namespace,
        server.database
    ))
}

/// A fault before the first statement, with what to look at. The client's texts wrap each other.
fn reaching(server: &ServerAddress, error: &surrealdb::Error) -> StoreError {
    let text = error.message();
    let detail = text.rsplit_once("WebSocket error: ").map_or(text, |(_, rest)| rest);
    let detail = detail.strip_prefix("IO error: ").unwrap_or(detail);
    let hint = if detail.contains("503 Service Unavailable") {
        ": is it still starting?"
    } else if detail.starts_with("TLS error") || detail.contains("InvalidContentType") {
        ": is it ws:// there, or a certificate this machine does not trust?"
    } else if detail.starts_with("HTTP error") || detail.contains("HTTP version") || detail.contains("handshake") {
        ": is it a SurrealDB server, and is it wss:// there?"
    } else {
        ""
    };
    StoreError::unreachable(format_args!("{}: {detail}{hint}", server.shown()))
}

/// The roots of the operating system, so that a private authority installed there counts.
fn trusting_platform() -> Result<rustls::ClientConfig, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |error: rustls::Error| StoreError::other(format_args!("TLS to the database: {error}"));
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(wrong)?;
    Ok(builder.with_platform_verifier().map_err(wrong)?.with_no_client_auth())
}
