//! What the configuration accepts, and what it says when it does not.

use std::collections::BTreeMap;

use super::*;

const SECRET: &str = "Zk3v9QmT7rXw2LpB8nYc5HdJ6sGf4aEu";

fn parse(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let strings: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let raw = RawConfig::read(&strings);
    Config::try_from(raw).map_err(|faults| faults.0.into_iter().map(|fault| fault.name).collect())
}

fn config(pairs: &[(&str, &str)]) -> Config {
    parse(pairs).map_err(|names| format!("{names:?}")).unwrap_or_else(|names| panic!("{names}"))
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    parse(pairs).err().unwrap_or_default()
}

#[test]
fn nothing_given_serves_this_machine_from_a_folder_beside_it() {
    let config = config(&[]);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert!(config.data_dir.is_absolute() && config.data_dir.ends_with("data"));
    assert!(config.database.starts_with("surrealkv:///") && config.database.ends_with("/data/db"));
    assert_eq!(config.environment, EnvironmentSettings::default());
    assert!(config.admin.is_none() && config.secret_key.is_none() && config.ollama_servers.is_empty());
    assert_eq!(config.drain, Duration::from_secs(30));
    assert_eq!((config.max_connections, config.max_connections_per_ip, config.max_memory_mb), (None, 1024, None));
}

#[test]
fn all_faults_are_found_together() {
    let names = faults(&[
        ("PROXY_PORT", "70000"),
        ("PROXY_HOST", "example.org"),
        ("SECRET_KEY", ""),
        ("ADMIN_USER", "root"),
        ("DATABASE_URL", "sqlite+aiosqlite:///./ollama_proxy.db"),
        ("OLLAMA_SERVERS", "http://ok:1, ftp://bad"),
        ("REDIS_URL", "localhost"),
        ("RATE_LIMIT_REQUESTS", "many"),
        ("RATE_LIMIT_WINDOW_MINUTES", "0"),
        ("ALLOWED_IPS", "10.0.0.300"),
        ("DENIED_IPS", "10.0.0.0/33"),
        ("ADMIN_ALLOWED_IPS", "lan"),
        ("ADMIN_DENIED_IPS", "x"),
        ("CORS_ORIGINS", "*"),
        ("BACKEND_NETWORKS", "10"),
        ("LOG_LEVEL", "loud"),
        ("METRICS_TOKEN", "short"),
        ("LOG_FORMAT", "xml"),
        ("PUBLIC_URL", "https://a.example/path"),
        ("ADMIN_LISTEN", "nowhere"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("PRODUCT_TITLE", "a\u{202e}b"),
        ("ACCENT", "blue"),
        ("BALANCE", "fastest"),
        ("QUEUE_MAX", "100001"),
        ("QUEUE_SECONDS", "0"),
        ("USAGE_DAYS", "3651"),
        ("ROLLUP_DAYS", "29"),
        ("MAX_BODY_MB", "0"),
        ("MAX_CONNECTIONS", "15"),
        ("MAX_CONNECTIONS_PER_IP", "0"),
        ("MAX_MEMORY_MB", "63"),
        ("DRAIN_SECONDS", "x"),
    ]);
    let mut expected = [
        "PROXY_PORT",
        "PROXY_HOST",
        "SECRET_KEY",
        "ADMIN_PASSWORD",
        "DATABASE_URL",
        "OLLAMA_SERVERS",
        "REDIS_URL",
        "RATE_LIMIT_REQUESTS",
        "RATE_LIMIT_WINDOW_MINUTES",
        "ALLOWED_IPS",
        "DENIED_IPS",
        "ADMIN_ALLOWED_IPS",
        "ADMIN_DENIED_IPS",
        "CORS_ORIGINS",
        "BACKEND_NETWORKS",
        "LOG_LEVEL",
        "METRICS_TOKEN",
        "LOG_FORMAT",
        "PUBLIC_URL",
        "ADMIN_LISTEN",
        "TRUSTED_PROXIES",
        "PRODUCT_TITLE",
        "ACCENT",
        "BALANCE",
        "QUEUE_MAX",
        "QUEUE_SECONDS",
        "USAGE_DAYS",
        "ROLLUP_DAYS",
        "MAX_BODY_MB",
        "MAX_CONNECTIONS",
        "MAX_CONNECTIONS_PER_IP",
        "MAX_MEMORY_MB",
        "DRAIN_SECONDS",
    ];
    let mut names = names;
    names.sort();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn weak_secrets_are_refused_and_never_repeated() {
    for weak in ["k3v9QmT7", "changeme-changeme-changeme-changeme"] {
        let strings: BTreeMap<String, String> = [("SECRET_KEY".to_owned(), weak.to_owned())].into();
        let faults = Config::try_from(RawConfig::read(&strings)).err().unwrap();
        assert_eq!(faults.0[0].name, "SECRET_KEY");
        assert!(!faults.to_string().contains(weak));
    }
    assert_eq!(config(&[("SECRET_KEY", SECRET)]).secret_key.as_deref(), Some(SECRET));
}

#[test]
fn an_admin_takes_a_name_and_a_password_of_its_own() {
    assert_eq!(faults(&[("ADMIN_PASSWORD", "long enough")]), ["ADMIN_USER"]);
    assert_eq!(faults(&[("ADMIN_USER", "admin"), ("ADMIN_PASSWORD", "")]), ["ADMIN_PASSWORD"]);
    assert_eq!(faults(&[("ADMIN_USER", "admin"), ("ADMIN_PASSWORD", "changeme")]), ["ADMIN_PASSWORD"]);
    assert!(config(&[("ADMIN_USER", "admin"), ("ADMIN_PASSWORD", "long enough")]).admin.is_some());
}

#[test]
fn what_control_and_gateway_would_refuse_is_a_fault_already_here() {
    for (name, text) in [
        ("OLLAMA_SERVERS", "0.0.0.0"),
        ("OLLAMA_SERVERS", "http://metadata.google.internal"),
        ("OLLAMA_SERVERS", "http://169.254.169.254"),
        ("OLLAMA_SERVERS", "http://me:hunter2@gpu-7"),
        ("OLLAMA_SERVERS", "http://gpu-7:0"),
        ("REDIS_URL", "redis://cache/zero"),
        ("REDIS_URL", "redis://cache?password=hunter2"),
        ("REDIS_URL", "redis://:%zz@cache"),
        ("PUBLIC_URL", "https://llm.example/?x"),
        ("PUBLIC_URL", "https://me:hunter2@llm.example"),
        ("PUBLIC_URL", ","),
    ] {
        assert_eq!(faults(&[(name, text)]), [name], "{text}");
    }
    let admin = |name: &str, password: &str| faults(&[("ADMIN_USER", name), ("ADMIN_PASSWORD", password)]);
    assert_eq!(admin(&"x".repeat(101), "long enough"), ["ADMIN_USER"]);
    assert_eq!(admin("a\u{202e}b", "short"), ["ADMIN_USER", "ADMIN_PASSWORD"]);
    assert_eq!(admin("long enough", "Long Enough"), ["ADMIN_PASSWORD"]);
}

#[test]
fn the_largest_body_has_one_bound() {
    assert_eq!(config(&[("MAX_BODY_MB", &MAX_BODY_MB.to_string())]).environment.max_body_mb, Some(MAX_BODY_MB));
    assert_eq!(faults(&[("MAX_BODY_MB", &(MAX_BODY_MB + 1).to_string())]), ["MAX_BODY_MB"]);
}

#[test]
fn the_strategies_and_the_queue_are_read_within_their_bounds() {
    let environment = |pairs: &[(&str, &str)]| {
        let EnvironmentSettings { balance, queue_max, queue_seconds, .. } = config(pairs).environment;
        (balance, queue_max, queue_seconds)
    };
    assert_eq!(environment(&[]), (None, None, None));
    for balance in Balance::ALL {
        assert_eq!(environment(&[("BALANCE", balance.name())]).0, Some(balance));
    }
    let given = [("BALANCE", "Round-Robin"), ("QUEUE_MAX", "0"), ("QUEUE_SECONDS", "3600")];
    assert_eq!(environment(&given), (Some(Balance::RoundRobin), Some(0), Some(3_600)));
    assert_eq!(faults(&[("QUEUE_SECONDS", "3601")]), ["QUEUE_SECONDS"]);
}

#[test]
fn zero_requests_is_no_limit_said_explicitly() {
    let limit = |pairs: &[(&str, &str)]| config(pairs).environment.default_limit;
    assert_eq!(limit(&[]), None);
    assert_eq!(limit(&[("RATE_LIMIT_REQUESTS", "0"), ("RATE_LIMIT_WINDOW_MINUTES", "5")]), Some(None));
    assert_eq!(limit(&[("RATE_LIMIT_REQUESTS", "9")]), Some(RateLimit::new(9, 1)));
    assert_eq!(limit(&[("RATE_LIMIT_REQUESTS", "9"), ("RATE_LIMIT_WINDOW_MINUTES", "5")]), Some(RateLimit::new(9, 5)));
}

#[test]
fn lists_are_read_item_by_item() {
    let config = config(&[
        ("OLLAMA_SERVERS", "http://a:11434, b:1 ,gpu-7"),
        ("PUBLIC_URL", "https://LLM.example:443/, http://10.0.0.5:8080"),
        ("TRUSTED_PROXIES", "10.1.2.3/8, ::1"),
    ]);
    let servers: Vec<&str> = config.ollama_servers.iter().map(Url::as_str).collect();
    assert_eq!(servers, ["http://a:11434/", "http://b:1/", "http://gpu-7:11434/"]);
    assert_eq!(config.environment.public_url.as_deref(), Some("https://llm.example,http://10.0.0.5:8080"));
    let networks: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn log_levels_of_the_predecessor_are_understood() {
    assert!(config(&[("LOG_LEVEL", "WARNING")]).log.filter.starts_with("warn,"));
    assert!(config(&[("LOG_LEVEL", "CRITICAL")]).log.filter.starts_with("error,"));
    assert_eq!(config(&[("LOG_LEVEL", "gateway=trace,info")]).log.filter, "gateway=trace,info");
}

#[test]
fn the_admin_pages_may_listen_elsewhere_but_not_at_the_same_place() {
    let at = |text: &str| parse(&[("ADMIN_LISTEN", text)]).map(|config| config.admin_listen.unwrap().to_string()).ok();
    assert_eq!(at("127.0.0.1:8081").as_deref(), Some("127.0.0.1:8081"));
    assert_eq!(at("LocalHost:8081").as_deref(), Some("127.0.0.1:8081"));
    assert_eq!(at("[::1]:8081").as_deref(), Some("[::1]:8081"));
    assert_eq!(at("10.0.0.1:8080").as_deref(), Some("10.0.0.1:8080"));
    for bad in ["127.0.0.1:8080", "0.0.0.0:8080", "8081", ":8081", "127.0.0.1", "box:8081", "127.0.0.1:99999"] {
        assert_eq!(faults(&[("ADMIN_LISTEN", bad)]), ["ADMIN_LISTEN"], "{bad}");
    }
    assert_eq!(config(&[]).admin_listen, None);
}

#[test]
fn lists_of_networks_get_one_spelling() {
    let config = config(&[
        ("ALLOWED_IPS", "10.1.2.3/8, ::ffff:192.0.2.7"),
        ("ADMIN_DENIED_IPS", "*"),
        ("CORS_ORIGINS", "https://App.example.com/"),
        ("DENIED_IPS", " "),
    ]);
    let network = config.environment.network;
    assert_eq!(network.allowed_ips.as_deref(), Some("10.0.0.0/8\n192.0.2.7"));
    assert_eq!(network.admin_denied_ips.as_deref(), Some("0.0.0.0/0\n::/0"));
    assert_eq!(network.cors_origins.as_deref(), Some("https://app.example.com"));
    assert_eq!(network.denied_ips, None);
}
