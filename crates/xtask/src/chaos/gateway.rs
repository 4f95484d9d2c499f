//! Our own binary in front of the failing backends: everything on, short time-outs, and what it says of itself.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    bench::{
        peers::free_address,
        process::{Kept, Launch},
    },
    run::{command, output},
};

/// Longest wait for the program to serve, and for a page of it.
const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "chaos";
const PASSWORD: &str = "correct-horse-battery-staple";
const TOKEN: &str = "chaos-metrics-token-of-one-run";
/// Hangs and stalls must resolve inside the run. Beside them stands the time to the first byte.
const SETTINGS: [(&str, &str); 4] =
    [("connect_timeout_s", "1"), ("stall_timeout_s", "2"), ("catalogue_interval_s", "2"), ("queue_seconds", "5")];
const FIRST_BYTE: &str = "first_byte_timeout_s";

pub struct Gateway {
    launch: Launch,
    kept: Kept,
    pub to: SocketAddr,
    pub key: String,
}

impl Gateway {
    /// Sets it up through its own command line and pages, and waits until it serves.
    pub fn start(tool: &Path, folder: &Path, program: PathBuf, backends: &[(String, SocketAddr)]) -> Result<Self> {
        let to = free_address()?;
        let environment = [
            ("DATA_DIR", folder.join("data").display().to_string()),
            ("PROXY_HOST", to.ip().to_string()),
            ("PROXY_PORT", to.port().to_string()),
            ("LOG_LEVEL", "warn".to_owned()),
            ("ADMIN_USER", NAME.to_owned()),
            ("ADMIN_PASSWORD", PASSWORD.to_owned()),
            ("METRICS_TOKEN", TOKEN.to_owned()),
            // All clients come from one address.
            ("MAX_CONNECTIONS_PER_IP", "4096".to_owned()),
        ];
        let launch = Launch {
            program,
            arguments: vec!["serve".to_owned()],
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            folder: folder.to_owned(),
        };
        let kept = Kept::start(tool, &folder.join("fortress.log"), &launch)?;
        let mut gateway = Self { launch, kept, to, key: String::new() };
        gateway.wait_until_served()?;
        for (name, address) in backends {
            gateway.command(&["backend", "add", "--name", name, "--url", &format!("http://{address}")])?;
        }
        gateway.command(&["user", "add", "chaos"])?;
        // A limit that counts every request and refuses none.
        let limit = ["--requests", "1000000000", "--minutes", "5"];
        let key = ["key", "create", "--user", "chaos", "--name", "chaos", "--allow-topology", "yes"];
        gateway.key = gateway.command(&[&key[..], &limit].concat())?.trim().to_owned();
        gateway.set_first_byte_timeout("2").with_context(|| gateway.kept.said())?;
        Ok(gateway)
    }

    /// One command of its command line, which reaches the running program.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command(&self.launch.program);
        command.current_dir(&self.launch.folder).env_clear().args(arguments);
        output(command.envs(self.launch.environment.iter().map(|(name, value)| (name, value))))
    }

    pub fn metrics(&self) -> Result<Metrics> {
        let answer = ask(self.to, &format!("GET /metrics HTTP/1.1\r\nauthorization: Bearer {TOKEN}"), "")?;
        if answer.status != 200 {
            bail!("/metrics answered {}", answer.status);
        }
        Ok(Metrics(answer.body))
    }

    /// Waits until all of these backends are known to be up.
    pub fn wait_until_up(&self, names: &[&str]) -> Result<()> {
        let start = Instant::now();
        loop {
            let metrics = self.metrics()?;
            let is_up = |name: &&str| metrics.of("ollama_fortress_backend_up", &format!("backend=\"{name}\"")) == 1.0;
            if names.iter().all(is_up) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!("a backend that is back is not taken back after {} s", PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends it in order. What it said of panics is an error, whatever else went well.
    pub fn end(self) -> Result<()> {
        let log = self.launch.folder.join("fortress.log");
        self.kept.end()?;
        let text = std::fs::read_to_string(log).unwrap_or_default();
        match text.lines().find(|line| line.contains("panic")) {
            Some(line) => bail!("it panicked: {line}"),
            None => Ok(()),
        }
    }

    fn wait_until_served(&self) -> Result<()> {
        let start = Instant::now();
        while !ask(self.to, "GET /readyz HTTP/1.1", "").is_ok_and(|answer| answer.status == 200) {
            if start.elapsed() > PATIENCE {
                bail!("the gateway is not ready after {} s: {}", PATIENCE.as_secs(), self.kept.said());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Time-outs have no environment variable: they are saved in the pages.
    pub fn set_first_byte_timeout(&self, seconds: &str) -> Result<()> {
        let settings: Vec<_> = SETTINGS.into_iter().chain([(FIRST_BYTE, seconds)]).collect();
        let login = self.call("session/login", "", &[("name", NAME), ("password", PASSWORD)])?;
        let cookie = login.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let pair = value.trim().split(';').next()?;
            (name.eq_ignore_ascii_case("set-cookie") && pair.starts_with("op_session=")).then(|| pair.to_owned())
        });
        let cookie = cookie.with_context(|| format!("signing in was answered with {}", login.status))?;
        self.call("settings/save", &cookie, &settings)?;
        let head = format!("GET /admin/fn/settings/get HTTP/1.1\r\ncookie: {cookie}\r\nsec-fetch-site: same-origin");
        let saved = ask(self.to, &head, "")?.body;
        for (name, value) in settings {
            if !saved.contains(&format!("\"{name}\":{{\"value\":{value},")) {
                bail!("the setting {name} was not saved: {saved}");
            }
        }
        Ok(())
    }

    /// A server function, as a plain form calls it.
    fn call(&self, function: &str, cookie: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("input%5B{name}%5D={value}")).collect();
        let head = format!(
            "POST /admin/fn/{function} HTTP/1.1\r\ncookie: {cookie}\r\nsec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded"
        );
        ask(self.to, &head, &pairs.join("&"))
    }
}

/// The text of `/metrics`.
pub struct Metrics(String);

impl Metrics {
    /// The sum over all series of a name.
    pub fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// The sum over those that have this label, 0 where there are none.
    pub fn of(&self, name: &str, label: &str) -> f64 {
        self.series(name).filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value).sum()
    }

    fn series<'m>(&'m self, name: &'m str) -> impl Iterator<Item = (&'m str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let whole = labels.is_empty() || labels.starts_with('{');
            whole.then(|| Some((labels, value.parse().ok()?))).flatten()
        })
    }
}

/// An answer as it came.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One request on a connection of its own. `head` is the request line and headers without the usual ones.
pub fn ask(to: SocketAddr, head: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(stream, "{head}\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")?;
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        text.extend_from_slice(&piece[..read]);
        let answer = String::from_utf8_lossy(&text);
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            if read == 0 {
                bail!("an answer without an end of its head");
            }
            continue;
        };
        // Not everybody who names a length closes behind it.
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
        });
        if read == 0 || length.is_some_and(|length: usize| body.len() >= length) {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status = status.context("an answer without a status")?;
            return Ok(Answer { status, head: head.to_owned(), body: body.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_name_and_label_and_not_by_the_beginning_of_a_name() {
        let text = "# HELP a_b x\n# TYPE a_b gauge\na_b{backend=\"x\"} 2\na_b{backend=\"y\"} 3\na_b_c 100\nplain 7\n";
        let metrics = Metrics(text.to_owned());
        assert_eq!((metrics.sum("a_b"), metrics.of("a_b", "backend=\"y\"")), (5.0, 3.0));
        assert_eq!((metrics.sum("plain"), metrics.sum("nothing")), (7.0, 0.0));
    }
}
