//! `GET /metrics`: who may read them, in which format, and what the system says of this process. What is in them is the
//! business of `control`.

mod process;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use control::{Client, Control, MetricsFormat, MetricsToken};

use crate::{accept::places::Places, middleware::guard::Guard};

/// Said to whoever may not read them, whatever is wrong.
const WHO: &str =
    "metrics are for whoever shows METRICS_TOKEN (Authorization: Bearer) or is signed in to the admin pages";

/// What a scrape needs.
#[derive(Clone)]
pub struct Scrape {
    pub control: Control,
    pub guard: Guard,
    /// `METRICS_TOKEN`; without one only a session opens the door.
    pub token: Option<MetricsToken>,
    pub places: Places,
}

/// The metrics; 401 for strangers, 429 for whoever brought too many wrong tokens.
pub async fn scrape(State(scrape): State<Scrape>, request: Request) -> Response {
    if let Err(refusal) = scrape.admit(&request) {
        return *refusal;
    }
    let format = format(request.headers());
    match scrape.control.metrics(format, &process::facts(scrape.places.taken())) {
        Ok(text) => {
            let kind = HeaderValue::from_static(format.content_type());
            let vary = HeaderValue::from_static("accept");
            ([(header::CONTENT_TYPE, kind), (header::VARY, vary)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal server error").into_response()
        }
    }
}

impl Scrape {
    /// A token is proof enough, under whatever name the gateway is known to the scraper; a session counts only where it
    /// would for the pages.
    fn admit(&self, request: &Request) -> Result<(), Box<Response>> {
        let Some(client) = request.extensions().get::<Client>() else { return Err(Box::new(stranger("Bearer"))) };
        let mut given = request.headers().get_all(header::AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (None, _) => self.admit_session(request, client),
            (Some(given), None) if self.is_token(given) => Ok(()),
            _ => Err(Box::new(match self.control.scraper_failed(client.address) {
                None => stranger(r#"Bearer error="invalid_token""#),
                Some(seconds) => {
                    let sentence = "too many wrong tokens from this address, try again later";
                    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], sentence)
                        .into_response()
                }
            })),
        }
    }

    fn is_token(&self, given: &HeaderValue) -> bool {
        let given = given.as_bytes();
        let Some((scheme, token)) = given.split_at_checked("bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ") && self.token.is_some_and(|known| known.is(token.trim_ascii()))
    }

    fn admit_session(&self, request: &Request, client: &Client) -> Result<(), Box<Response>> {
        let Some(token) = app::ssr::session_token(request.headers(), client.https) else {
            return Err(Box::new(stranger("Bearer")));
        };
        if let Some(refusal) = self.guard.refusal(request) {
            return Err(Box::new(refusal));
        }
        match self.control.authenticate(token, client) {
            Some(_) => Ok(()),
            None => Err(Box::new(stranger("Bearer"))),
        }
    }
}

fn stranger(challenge: &'static str) -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))], WHO).into_response()
}

/// OpenMetrics for whoever asks for it by name and likes nothing named better.
fn format(headers: &HeaderMap) -> MetricsFormat {
    let (mut open, mut plain) = (0, 0);
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    for item in lines.flat_map(|line| line.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        match kind.as_str() {
            "application/openmetrics-text" => open = open.max(weight),
            "text/plain" => plain = plain.max(weight),
            _ => {}
        }
    }
    if open > 0 && open >= plain { MetricsFormat::OpenMetrics } else { MetricsFormat::Prometheus }
}

/// Of a weight like `0.75`; 0 for what is none.
fn thousandths(weight: &str) -> u32 {
    match weight.parse::<f32>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1_000.0) as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_whoever_likes_it_best() {
        let of =
            |accept: &'static str| format(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]));
        assert_eq!(format(&HeaderMap::new()), MetricsFormat::Prometheus);
        for accept in [
            "application/openmetrics-text",
            // What Prometheus 3 sends.
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "Application/OpenMetrics-Text; q=1, text/plain",
        ] {
            assert_eq!(of(accept), MetricsFormat::OpenMetrics, "{accept}");
        }
        for accept in [
            "*/*",
            "text/plain",
            "text/plain;version=0.0.4",
            "text/html,application/xhtml+xml",
            "application/openmetrics-text;q=0, */*",
            "application/openmetrics-text;q=0.1, text/plain;q=0.2",
            "application/openmetrics-text;q=nonsense",
        ] {
            assert_eq!(of(accept), MetricsFormat::Prometheus, "{accept}");
        }
    }
}
