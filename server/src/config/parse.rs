//! From text to a validated [`Config`]: every rule of every name, all faults collected.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use control::{EnvironmentSettings, MetricsToken};
use domain::{
    balance::Balance,
    limit::{MAX_REQUESTS, MAX_WINDOW_MINUTES, RateLimit},
    settings::{
        MAX_BODY_MB, MAX_BODY_MEMORY_MB, MAX_QUEUE, MAX_QUEUE_SECONDS, MAX_REPLICAS, MAX_ROLLUP_DAYS, MAX_USAGE_DAYS,
        MIN_BODY_MEMORY_MB, MIN_ROLLUP_DAYS, least_body_memory_mb,
    },
};
use ipnet::IpNet;
use url::Url;

use super::{Config, Faults, LogConfig, RawConfig, doors, raw::Collector};

/// The process alone takes about that much.
const MIN_MEMORY_MB: u32 = 64;

impl TryFrom<RawConfig> for Config {
    type Error = Faults;

    fn try_from(raw: RawConfig) -> Result<Self, Faults> {
        let mut faults = Collector(raw.faults.clone());
        let data_dir = data_dir(&raw, &mut faults);
        let listen = SocketAddr::new(
            host(&raw, &mut faults),
            number(&raw, "PROXY_PORT", 0, u16::MAX.into(), &mut faults) as u16,
        );
        let config = Self {
            listen,
            admin_listen: doors::admin_listen(&raw, listen, &mut faults),
            database: database(&raw, &mut faults),
            data_dir,
            secret_key: secret_key(&raw, &mut faults),
            secret_key_previous: previous_key(&raw, &mut faults),
            admin: admin(&raw, &mut faults),
            ollama_servers: ollama_servers(&raw, &mut faults),
            environment: environment(&raw, &mut faults),
            trusted_proxies: networks(&raw, &mut faults),
            tls: doors::tls(&raw, &mut faults),
            max_connections: optional(&raw, "MAX_CONNECTIONS", 16, 1_000_000, &mut faults),
            max_connections_per_ip: number(&raw, "MAX_CONNECTIONS_PER_IP", 1, 1_000_000, &mut faults),
            max_memory_mb: optional(&raw, "MAX_MEMORY_MB", MIN_MEMORY_MB, 10_000_000, &mut faults),
            metrics_token: metrics_token(&raw, &mut faults),
            log: log(&raw, &mut faults),
            drain: Duration::from_secs(number(&raw, "DRAIN_SECONDS", 0, 3600, &mut faults).into()),
        };
        own_address(&config, &mut faults);
        // What cannot be read was told already; that it is missing is no second fault.
        let told = raw.faults.len();
        let later = faults.0.split_off(told).into_iter().filter(|fault| !raw.is_broken(&fault.name));
        let faults = [faults.0, later.collect()].concat();
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }
}

fn host(raw: &RawConfig, faults: &mut Collector) -> IpAddr {
    let text = raw.text("PROXY_HOST");
    if text.eq_ignore_ascii_case("localhost") {
        return Ipv4Addr::LOCALHOST.into();
    }
    text.trim_start_matches('[').trim_end_matches(']').parse().unwrap_or_else(|_| {
        faults.push(
            "PROXY_HOST",
            format!("{text:?} is not an IP address: give 127.0.0.1 for this machine only, or 0.0.0.0 for the network"),
        );
        Ipv4Addr::LOCALHOST.into()
    })
}

fn number(raw: &RawConfig, name: &'static str, min: u32, max: u32, faults: &mut Collector) -> u32 {
    let text = raw.text(name);
    match text.parse::<u32>() {
        Ok(value) if (min..=max).contains(&value) => value,
        _ => {
            faults.push(name, format!("{text:?} is not a whole number from {min} to {max}"));
            min
        }
    }
}

fn optional(raw: &RawConfig, name: &'static str, min: u32, max: u32, faults: &mut Collector) -> Option<u32> {
    raw.given(name).map(|_| number(raw, name, min, max, faults))
}

fn data_dir(raw: &RawConfig, faults: &mut Collector) -> PathBuf {
    let (path, error) = raw.data_dir();
    if let Some(error) = error {
        faults.push("DATA_DIR", format!("cannot be made an absolute path: {error}"));
    }
    if path.exists() && !path.is_dir() {
        faults.push("DATA_DIR", format!("{} is not a folder", path.display()));
    }
    path
}

fn database(raw: &RawConfig, faults: &mut Collector) -> String {
    let address = raw.database();
    let scheme = raw.given("DATABASE_URL").and_then(|given| given.split([':', '+']).next()).unwrap_or_default();
    if ["sqlite", "postgres", "postgresql", "mysql", "mariadb"].contains(&scheme) {
        faults.push(
            "DATABASE_URL",
            "this is a database of the predecessor's kind; Ollama Proxy Fortress keeps its own: remove the line for the built-in one in DATA_DIR, or give surrealkv://path or ws://host:port",
        );
    } else if let Err(message) = store::check_address(&address) {
        faults.push("DATABASE_URL", message);
    }
    address
}

fn secret_key(raw: &RawConfig, faults: &mut Collector) -> Option<String> {
    if raw.is_empty("SECRET_KEY") {
        faults.push(
            "SECRET_KEY",
            "is set but empty: remove it to have one made and kept, or give at least 32 random characters",
        );
    }
    let secret = raw.given("SECRET_KEY")?;
    if let Err(message) = control::check_secret_key(secret) {
        faults.push("SECRET_KEY", message.trim_start_matches("SECRET_KEY "));
    }
    Some(secret.to_owned())
}

/// The key that the database is still sealed with while another one takes over.
fn previous_key(raw: &RawConfig, faults: &mut Collector) -> Option<String> {
    const NAME: &str = "SECRET_KEY_PREVIOUS";
    if raw.is_empty(NAME) {
        faults.push(NAME, "is set but empty: remove it, or give the SECRET_KEY from before");
    }
    let secret = raw.given(NAME)?;
    if let Err(message) = control::check_secret(NAME, secret) {
        faults.push(NAME, message.trim_start_matches(NAME).trim_start());
    } else if raw.given("SECRET_KEY").is_none() {
        faults.push(NAME, "is set without SECRET_KEY: give the new one there");
    } else if raw.given("SECRET_KEY") == Some(secret) {
        faults.push(NAME, "is the same as SECRET_KEY: give the one from before, or remove it");
    }
    Some(secret.to_owned())
}

fn admin(raw: &RawConfig, faults: &mut Collector) -> Option<(String, String)> {
    match (raw.given("ADMIN_USER"), raw.given("ADMIN_PASSWORD")) {
        (None, None) => None,
        (Some(_), None) => {
            faults.push("ADMIN_PASSWORD", "is missing or empty though ADMIN_USER is set: give both, or neither");
            None
        }
        (None, Some(_)) => {
            faults.push("ADMIN_USER", "is missing or empty though ADMIN_PASSWORD is set: give both, or neither");
            None
        }
        (Some(user), Some(password)) => {
            for fault in control::check_admin(user, password).err().unwrap_or_default() {
                faults.push(&fault.field, fault.message);
            }
            Some((user.to_owned(), password.to_owned()))
        }
    }
}

fn ollama_servers(raw: &RawConfig, faults: &mut Collector) -> Vec<Url> {
    let mut servers = Vec::new();
    for (index, text) in items(raw.given("OLLAMA_SERVERS")).enumerate() {
        // The text is not repeated: it may hold a password.
        match gateway::probe::normalise_url(text) {
            Ok(url) => servers.push(url),
            Err(_) if text.contains('@') => faults.push("OLLAMA_SERVERS", format!("entry {}: no user name or password in the address; a token is stored with `backend add --token-stdin`", index + 1)),
            Err(message) => faults.push("OLLAMA_SERVERS", format!("entry {}: {message}", index + 1)),
        }
    }
    servers
}

/// A gateway among its own backends would only send requests round in circles.
fn own_address(config: &Config, faults: &mut Collector) {
    let listens = config.listens();
    for url in &config.ollama_servers {
        if let Err(message) = control::check_foreign(url, &listens, config.environment.public_url.as_deref()) {
            faults.push("OLLAMA_SERVERS", format!("{url}: {message}"));
        }
        let redis = config.environment.redis_url.as_deref().unwrap_or_default();
        if let Err(message) = control::check_not_redis(url, redis) {
            faults.push("OLLAMA_SERVERS", format!("{url}: {message}"));
        }
    }
}

fn environment(raw: &RawConfig, faults: &mut Collector) -> EnvironmentSettings {
    let optional = |name, min, max, faults: &mut Collector| optional(raw, name, min, max, faults);
    let requests = optional("RATE_LIMIT_REQUESTS", 0, MAX_REQUESTS, faults);
    let minutes = optional("RATE_LIMIT_WINDOW_MINUTES", 1, MAX_WINDOW_MINUTES, faults).unwrap_or(1);
    let max_body_mb = optional("MAX_BODY_MB", 1, MAX_BODY_MB, faults);
    let body_memory_mb = optional("BODY_MEMORY_MB", MIN_BODY_MEMORY_MB, MAX_BODY_MEMORY_MB, faults);
    let least = least_body_memory_mb(number(raw, "MAX_BODY_MB", 1, MAX_BODY_MB, &mut Collector(Vec::new())));
    if body_memory_mb.is_some_and(|memory| memory < least) {
        faults.push("BODY_MEMORY_MB", format!("must be at least {least}, twice MAX_BODY_MB; or remove it"));
    }
    let redis_url = raw.given("REDIS_URL").map(str::to_owned);
    if let Some(Err(message)) = redis_url.as_deref().map(control::check_redis_url) {
        faults.push("REDIS_URL", message);
    }
    EnvironmentSettings {
        default_limit: requests.map(|requests| RateLimit::new(requests, minutes)),
        redis_url,
        replicas: optional("REPLICAS", 1, MAX_REPLICAS, faults),
        redis_ca: doors::redis_ca(raw, faults),
        balance: balance(raw, faults),
        queue_max: optional("QUEUE_MAX", 0, MAX_QUEUE, faults),
        queue_seconds: optional("QUEUE_SECONDS", 1, MAX_QUEUE_SECONDS, faults),
        usage_days: optional("USAGE_DAYS", 1, MAX_USAGE_DAYS, faults),
        rollup_days: optional("ROLLUP_DAYS", MIN_ROLLUP_DAYS, MAX_ROLLUP_DAYS, faults),
        max_body_mb,
        body_memory_mb,
        public_url: checked(raw, "PUBLIC_URL", control::check_public_url, faults),
        product_title: checked(raw, "PRODUCT_TITLE", control::check_title, faults),
        accent: checked(raw, "ACCENT", control::check_accent, faults),
        network: doors::network(raw, faults),
    }
}

fn balance(raw: &RawConfig, faults: &mut Collector) -> Option<Balance> {
    let text = raw.given("BALANCE")?;
    text.parse().map_err(|fault| faults.push("BALANCE", format!("{text:?} {fault}"))).ok()
}

/// A text in the spelling that `check` gives it.
fn checked(
    raw: &RawConfig,
    name: &'static str,
    check: fn(&str) -> Result<String, String>,
    faults: &mut Collector,
) -> Option<String> {
    check(raw.given(name)?).map_err(|message| faults.push(name, message)).ok()
}

fn networks(raw: &RawConfig, faults: &mut Collector) -> Vec<IpNet> {
    let parse = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let mut networks = Vec::new();
    for text in items(raw.given("TRUSTED_PROXIES")) {
        match parse(text) {
            Some(network) => networks.push(network.trunc()),
            None => faults.push("TRUSTED_PROXIES", format!("{text:?} is not an address or network like 10.0.0.0/8")),
        }
    }
    networks
}

fn metrics_token(raw: &RawConfig, faults: &mut Collector) -> Option<MetricsToken> {
    const NAME: &str = "METRICS_TOKEN";
    let text = if raw.is_empty(NAME) { "" } else { raw.given(NAME)? };
    MetricsToken::new(text).map_err(|message| faults.push(NAME, message)).ok()
}

fn log(raw: &RawConfig, faults: &mut Collector) -> LogConfig {
    let text = raw.text("LOG_LEVEL");
    let level = match text.to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "error" => Some("error"),
        "warning" | "warn" => Some("warn"),
        "info" => Some("info"),
        "debug" => Some("debug"),
        "trace" => Some("trace"),
        _ => None,
    };
    let filter = match level {
        // The engine is loud, and hyper's details help nobody who did not ask for them by name. `surrealkv::lsm` warns at
        // every close that its commit thread has no runtime, after the store was closed in order, and `kvs::ds` repeats as
        // errors, with each of its tries, what the store says once. `tungstenite` tells whole frames, and with a database on
        // a server those hold what is stored: hashes of passwords and sealed secrets.
        Some(level) => format!(
            "{level},surrealdb=warn,surrealdb::core::kvs::ds=off,surrealdb_core=warn,surrealkv=warn,surrealkv::lsm=error,tungstenite=warn,tokio_tungstenite=warn,hyper=warn,hyper_util=warn,h2=warn,rustls=warn"
        ),
        None if text.contains('=') && tracing_subscriber::EnvFilter::try_new(text).is_ok() => text.to_owned(),
        None => {
            faults.push("LOG_LEVEL", format!("{text:?} is not one of error, warning, info, debug, trace"));
            "info".into()
        }
    };
    let format = raw.text("LOG_FORMAT");
    if !matches!(format, "text" | "json") {
        faults.push("LOG_FORMAT", format!("{format:?} is not text or json"));
    }
    LogConfig { filter, json: format == "json" }
}

fn items(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
#[path = "parse/tests.rs"]
mod tests;
