//! The admin pages as a browser first meets them: signs in once, and asks for each page that standard input names, one
//! answer after another on one connection. Nobody measures CPU time here: whoever names the pages does, around each.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::timeout;

use crate::{http::Fault, lifeline, load::Client, say};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub struct Pages {
    #[arg(long)]
    to: SocketAddr,
    /// Answers of each page that are timed; a few more come before
    #[arg(long)]
    times: usize,
    /// The administrator; the password is read from the environment variable BENCH_PASSWORD
    #[arg(long)]
    name: String,
}

/// Prints `{"signed_in"}`, then for each line that comes, a path, the waits in nanoseconds and the bytes of the last answer.
pub async fn run(pages: Pages) -> Result<(), Fault> {
    let mut lines = lifeline::lines();
    let mut client = Client::connect(pages.to, None).await?;
    let password = std::env::var("BENCH_PASSWORD").unwrap_or_default();
    let cookie = sign_in(&mut client, &pages, &password).await?;
    say(&json!({ "signed_in": pages.name }));
    while let Some(path) = lines.recv().await {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\naccept: text/html\r\nsec-fetch-site: same-origin\r\n\r\n",
            pages.to
        );
        let (mut waits, mut bytes) = (Vec::with_capacity(pages.times), 0);
        for _ in 0..pages.times {
            bytes = 0;
            let begun = Instant::now();
            ask(&mut client, &request, &mut |data| bytes += data.len()).await?;
            waits.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        say(&json!({ "samples_ns": waits, "bytes": bytes }));
    }
    Ok(())
}

async fn ask(client: &mut Client, request: &str, data: &mut impl FnMut(&[u8])) -> Result<Vec<u8>, Fault> {
    let asked = client.exchange(request.as_bytes(), data);
    timeout(PATIENCE, asked).await.map_err(|_| Fault::Late(PATIENCE.as_secs()))?
}

/// The cookies of a new session.
async fn sign_in(client: &mut Client, pages: &Pages, password: &str) -> Result<String, Fault> {
    let body = format!("input%5Bname%5D={}&input%5Bpassword%5D={}", escaped(&pages.name), escaped(password));
    let request = format!(
        "POST /admin/fn/session/login HTTP/1.1\r\nhost: {}\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        pages.to,
        body.len()
    );
    let head = ask(client, &request, &mut |_| ()).await?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let set = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or_default())
    });
    let cookies: Vec<&str> = set.collect();
    if cookies.is_empty() { Err(Fault::NotSignedIn) } else { Ok(cookies.join("; ")) }
}

/// As forms send it.
fn escaped(text: &str) -> String {
    let one =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_form_cannot_carry_is_escaped() {
        assert_eq!(escaped("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
