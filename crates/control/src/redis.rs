//! The Redis address: its form, and a test whether something answers there. Nothing else uses Redis yet.

use std::time::Duration;

use domain::settings::RedisState;
use url::Url;
use zeroize::Zeroizing;

use crate::{Actor, Control, settings};

/// Bound of a whole test.
const BOUND: Duration = Duration::from_secs(2);

/// An address taken apart: what may be shown, and what may not. No Debug.
pub(crate) struct RedisAddress {
    /// Without password.
    pub url: Url,
    pub password: Option<Zeroizing<String>>,
}

impl RedisAddress {
    /// Reads `redis://[user[:password]@]host[:port][/db]` or the same with `rediss`. Messages do not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut url = Url::parse(text.trim()).map_err(|_| "must be an address like redis://host:6379/0".to_owned())?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err("must begin with redis:// or rediss://".into());
        }
        if url.host_str().is_none_or(str::is_empty) || url.query().is_some() || url.fragment().is_some() {
            return Err("must be an address like redis://host:6379/0".into());
        }
        let database = url.path().trim_matches('/');
        if !database.is_empty() && database.parse::<u8>().is_err() {
            return Err("the part after the host must be the number of a database".into());
        }
        let password = match url.password() {
            None | Some("") => None,
            Some(encoded) => Some(Zeroizing::new(decode(encoded).ok_or("the password is not well percent-encoded")?)),
        };
        url.set_password(None).map_err(|()| "must be an address like redis://host:6379/0".to_owned())?;
        Ok(Self { url, password })
    }

    fn connection_info(&self) -> redis::RedisResult<redis::ConnectionInfo> {
        let info = redis::IntoConnectionInfo::into_connection_info(self.url.as_str())?;
        let Some(password) = &self.password else { return Ok(info) };
        let settings = info.redis_settings().clone().set_password(password.as_str());
        Ok(info.set_redis_settings(settings))
    }

    async fn ask(&self) -> redis::RedisResult<String> {
        // Two providers are compiled in, so TLS has to be told which to take. A second call changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut connection = redis::Client::open(self.connection_info()?)?.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        redis::cmd("INFO").arg("server").query_async(&mut connection).await
    }

    /// Connects, pings and reads the version, all within two seconds.
    pub async fn test(&self) -> RedisState {
        match tokio::time::timeout(BOUND, self.ask()).await {
            Ok(Ok(info)) => RedisState::Reachable { version: version(&info) },
            Ok(Err(error)) => RedisState::Unreachable { detail: self.without_password(&describe(&error)) },
            Err(_) => RedisState::Unreachable { detail: "timed out: nothing answered within two seconds".into() },
        }
    }

    fn without_password(&self, text: &str) -> String {
        match &self.password {
            Some(password) => text.replace(password.as_str(), "…"),
            None => text.to_owned(),
        }
    }
}

fn describe(error: &redis::RedisError) -> String {
    if error.is_connection_refusal() {
        "connection refused: nothing listens at this port".into()
    } else if matches!(error.kind(), redis::ErrorKind::AuthenticationFailed) {
        "it answers, but refuses the user name or password".into()
    } else {
        error.to_string()
    }
}

fn version(info: &str) -> String {
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    line.map_or_else(|| "unknown".into(), |version| version.trim().chars().take(40).collect())
}

fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

impl Control {
    /// Pings the configured Redis.
    pub async fn test_redis(&self, _actor: &Actor) -> RedisState {
        match settings::redis_address(&self.state(), &self.0.environment, self.0.secrets.sealer()) {
            Some(address) => address.test().await,
            None => RedisState::NotConfigured,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn the_password_is_taken_out_of_the_address() {
        let address = RedisAddress::parse("rediss://op:p%40ss%2Fwort@cache.example.com:6380/3").ok().unwrap();
        assert_eq!(address.url.as_str(), "rediss://op@cache.example.com:6380/3");
        assert_eq!(address.password.unwrap().as_str(), "p@ss/wort");
    }

    #[test]
    fn other_addresses_are_refused_without_repeating_them() {
        for bad in [
            "",
            "cache:6379",
            "http://x",
            "redis://",
            "redis://h/zero",
            "redis://h?x=1",
            "redis://h#insecure",
            "redis://:%zz@h",
        ] {
            let message = RedisAddress::parse(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(bad.is_empty() || !message.contains(&format!("{bad} ")), "{message}");
        }
    }

    /// A server that knows just enough: AUTH gets `login`, INFO a version, everything else OK.
    async fn fake(login: &'static str) -> RedisAddress {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..length]).to_uppercase();
                    let lines: Vec<&str> = text.split("\r\n").collect();
                    let commands = lines.windows(3).filter(|lines| lines[0].starts_with('*')).map(|lines| lines[2]);
                    let answers = commands.map(|command| match command {
                        "AUTH" => login,
                        "INFO" => "$34\r\n# Server\r\nredis_version:7.4.1\r\nx:1\r\n",
                        _ => "+OK\r\n",
                    });
                    if stream.write_all(answers.collect::<String>().as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        });
        RedisAddress::parse(&format!("redis://:geheim@127.0.0.1:{port}/0")).ok().unwrap()
    }

    #[tokio::test]
    async fn a_server_that_answers_says_its_version() {
        let address = fake("+OK\r\n").await;
        assert_eq!(address.test().await, RedisState::Reachable { version: "7.4.1".into() });
    }

    #[tokio::test]
    async fn a_refused_login_is_said_without_the_password() {
        let address = fake("-WRONGPASS invalid username-password pair geheim\r\n").await;
        let RedisState::Unreachable { detail } = address.test().await else { panic!() };
        assert!(!detail.contains("geheim"), "{detail}");
    }

    #[tokio::test]
    async fn a_closed_port_is_called_refused() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let address = RedisAddress::parse(&format!("redis://127.0.0.1:{port}")).ok().unwrap();
        let RedisState::Unreachable { detail } = address.test().await else { panic!() };
        assert!(detail.contains("refused"), "{detail}");
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = RedisAddress::parse(&format!("redis://{}", listener.local_addr().unwrap())).ok().unwrap();
        let RedisState::Unreachable { .. } = address.test().await else { panic!() };
    }
}
