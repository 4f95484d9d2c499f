//! The Redis address: its forms, and telling the gateway about it. Talking to Redis is the gateway's business.

use domain::{
    error::{AdminError, FieldError},
    settings::{RedisState, RedisStatus, SaveSettings},
};
use gateway::{Authority, RedisSettings};
use url::Url;
use zeroize::Zeroizing;

use crate::{Actor, Control, Inner, settings, state::State};

const PORT: u16 = 6379;

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

    /// Reads the single fields of a form, of which the host is filled; each fault under its field's name.
    pub fn from_fields(input: &SaveSettings) -> Result<Self, Vec<FieldError>> {
        let mut faults = Vec::new();
        let host = input.redis_host.trim();
        let good = |letter: char| letter.is_alphanumeric() || ".-_:[]".contains(letter);
        if !host.chars().all(good) {
            faults.push(FieldError::new("redis_host", "must be a host name or an address, without port or user"));
        }
        let bracketed = host.contains(':') && !host.starts_with('[');
        let host = if bracketed { format!("[{host}]") } else { host.to_owned() };
        let port = number(&input.redis_port, PORT, 1).unwrap_or_else(|| {
            faults.push(FieldError::new("redis_port", "must be a whole number from 1 to 65535"));
            PORT
        });
        let database = number(&input.redis_database, 0, 0).filter(|number| *number <= 255).unwrap_or_else(|| {
            faults.push(FieldError::new("redis_database", "must be a whole number from 0 to 255"));
            0
        });
        let scheme = if is_on(&input.redis_tls) { "rediss" } else { "redis" };
        let mut address = match Self::parse(&format!("{scheme}://{host}:{port}/{database}")) {
            Ok(address) => address,
            Err(_) if faults.is_empty() => {
                return Err(vec![FieldError::new("redis_host", "must be a host name or an address")]);
            }
            Err(_) => return Err(faults),
        };
        if address.url.set_username(input.redis_user.trim()).is_err() {
            faults.push(FieldError::new("redis_user", "cannot be part of an address"));
        }
        if faults.is_empty() { Ok(address) } else { Err(faults) }
    }

    /// What a form says, as a whole or in single fields; `in_force` is the address that it showed. `None` is no Redis.
    pub fn typed(input: &SaveSettings, in_force: &str) -> Result<Option<Self>, Vec<FieldError>> {
        let whole = input.redis_url.trim();
        let fault = |field, message: &str| Err(vec![FieldError::new(field, message)]);
        let parsed = || Self::parse(whole).map(Some).or_else(|message| fault("redis_url", &message));
        if input.redis_host.trim().is_empty() {
            return match (whole.is_empty(), input.redis_password.is_empty()) {
                (false, _) => parsed(),
                (true, true) => Ok(None),
                (true, false) => fault("redis_host", "give the host too, or no password"),
            };
        }
        let fields = Self::from_fields(input)?;
        if whole.is_empty() || whole == in_force {
            return Ok(Some(fields));
        }
        // The fields still show what is in force: the whole address is what was typed.
        if fields.same_place(in_force) {
            return parsed();
        }
        fault("redis_url", "give a whole address or change the single fields, not both")
    }

    /// The same server, log-in and database, however they are written.
    pub fn same_place(&self, shown: &str) -> bool {
        Url::parse(shown).is_ok_and(|other| place(&self.url) == place(&other))
    }

    /// What the gateway takes; `authority` vouches for Redis over TLS, in place of those the machine trusts.
    fn settings(&self, authority: Option<&str>) -> RedisSettings {
        let password = self.password.as_ref().map(|password| password.as_str().to_owned());
        let mut settings = RedisSettings::new(self.url.clone(), password);
        // Only what was parsed is stored; what another version stored and this one cannot read vouches for nobody.
        settings.authority = authority.map(|pem| Authority::parse(pem).unwrap_or_default());
        settings
    }
}

/// Certificates in PEM, in one spelling. The error does not repeat the text.
pub(crate) fn authority(text: &str) -> Result<String, String> {
    Authority::parse(text).map(|authority| authority.to_string())
}

pub(crate) fn is_on(checkbox: &str) -> bool {
    matches!(checkbox.trim(), "on" | "true")
}

fn number(text: &str, empty: u16, min: u16) -> Option<u16> {
    match text.trim() {
        "" => Some(empty),
        text => text.parse().ok().filter(|number| *number >= min),
    }
}

fn place(url: &Url) -> (&str, String, u16, &str, u8) {
    let database = url.path().trim_matches('/').parse().unwrap_or_default();
    let host = url.host_str().unwrap_or_default().to_lowercase();
    (url.scheme(), host, url.port().unwrap_or(PORT), url.username(), database)
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

impl Inner {
    /// Tells the gateway which Redis is configured; the same as before changes nothing.
    pub fn follow_redis(&self, state: &State) {
        self.gateway.set_redis(self.redis(state));
    }

    /// Which Redis is configured.
    fn redis(&self, state: &State) -> Option<RedisSettings> {
        let authority = settings::redis_authority(state, &self.environment);
        let address = settings::redis_address(state, &self.environment, &self.secrets.sealer());
        address.map(|address| address.settings(authority.as_deref()))
    }

    /// Which Redis would be configured if this form were saved; `None` is none. Changes nothing.
    fn typed_redis(&self, state: &State, input: &SaveSettings) -> Result<Option<RedisSettings>, AdminError> {
        let invalid = |fields| AdminError::Invalid { fields };
        let stored = settings::redis_address(state, &self.environment, &self.secrets.sealer());
        let shown = settings::view(state, &self.environment).redis_url.value;
        let Some(mut address) = RedisAddress::typed(input, &shown).map_err(invalid)? else { return Ok(None) };
        if address.password.is_none() {
            let typed = (!input.redis_password.is_empty()).then(|| Zeroizing::new(input.redis_password.clone()));
            // The stored password goes where it goes anyway. Any other place could be somebody else's.
            let kept = address.same_place(&shown) && !is_on(&input.redis_forget_password);
            address.password = typed.or_else(|| stored.filter(|_| kept)?.password);
        }
        let authority = settings::typed_authority(&input.redis_ca, &self.environment).map_err(invalid)?;
        Ok(Some(address.settings(authority.as_deref())))
    }
}

impl Control {
    /// Tries the Redis that a form names, saved or not, with a connection of its own. Other places than the one in force
    /// are as dangerous as saving them, and ask for the password all the same.
    pub async fn test_redis(&self, actor: &Actor, input: SaveSettings) -> Result<RedisState, AdminError> {
        actor.owns("Redis tried")?;
        let state = self.state();
        let Some(settings) = self.0.typed_redis(&state, &input)? else { return Ok(RedisState::NotConfigured) };
        if self.0.redis(&state).as_ref() == Some(&settings) {
            // What is in use, or waits for its next try, does not wait any longer.
            self.0.gateway.set_redis(Some(settings.clone()));
        } else {
            self.fresh(actor)?;
        }
        self.note_done(actor, "Redis tried");
        Ok(settings.test().await)
    }

    /// How it is with Redis now.
    pub fn redis_status(&self, _actor: &Actor) -> RedisStatus {
        self.0.gateway.redis_state()
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

    fn fields(host: &str, port: &str, user: &str, database: &str, tls: &str) -> SaveSettings {
        let [redis_host, redis_port, redis_user, redis_database, redis_tls] =
            [host, port, user, database, tls].map(str::to_owned);
        SaveSettings { redis_host, redis_port, redis_user, redis_database, redis_tls, ..Default::default() }
    }

    #[test]
    fn single_fields_make_an_address() {
        for (input, url) in [
            (fields("cache", "", "", "", ""), "redis://cache:6379/0"),
            (fields(" cache.lan ", "6380", "op", "3", "on"), "rediss://op@cache.lan:6380/3"),
            (fields("::1", "1", "a b", "", ""), "redis://a%20b@[::1]:1/0"),
        ] {
            assert_eq!(RedisAddress::from_fields(&input).ok().unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn faults_of_single_fields_stand_beside_them() {
        for (input, field) in [
            (fields("cache:6379/1", "", "", "", ""), "redis_host"),
            (fields("u@cache", "", "", "", ""), "redis_host"),
            (fields("[::1", "", "", "", ""), "redis_host"),
            (fields("cache", "0", "", "", ""), "redis_port"),
            (fields("cache", "65536", "", "", ""), "redis_port"),
            (fields("cache", "", "", "256", ""), "redis_database"),
            (fields("cache", "", "", "x", ""), "redis_database"),
        ] {
            let faults = RedisAddress::from_fields(&input).err().unwrap_or_else(|| panic!("{field}"));
            assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let address = RedisAddress::parse("redis://Cache").ok().unwrap();
        assert!(address.same_place("redis://cache:6379/0"));
        for other in ["rediss://cache", "redis://cache/1", "redis://cache:6380", "redis://op@cache", "redis://cache2"] {
            assert!(!address.same_place(other), "{other}");
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
        assert_eq!(address.settings(None).test().await, RedisState::Reachable { version: "7.4.1".into() });
    }

    #[tokio::test]
    async fn a_refused_login_is_said_without_the_password() {
        let address = fake("-WRONGPASS invalid username-password pair geheim\r\n").await;
        let RedisState::Unreachable { detail } = address.settings(None).test().await else { panic!() };
        assert!(!detail.contains("geheim"), "{detail}");
    }

    #[tokio::test]
    async fn a_closed_port_is_called_refused() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let address = RedisAddress::parse(&format!("redis://127.0.0.1:{port}")).ok().unwrap();
        let RedisState::Unreachable { detail } = address.settings(None).test().await else { panic!() };
        assert!(detail.contains("refused"), "{detail}");
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = RedisAddress::parse(&format!("redis://{}", listener.local_addr().unwrap())).ok().unwrap();
        let RedisState::Unreachable { .. } = address.settings(None).test().await else { panic!() };
    }
}
