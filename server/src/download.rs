//! What the files that pages offer have in common: who may have one, how it is called, and how it is sent. Only who is
//! signed in gets one; a browser that followed a link is led to the sign-in page.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use control::{Actor, Client, Control, ExportFormat};
use domain::{error::AdminError, policy::format_utc};

/// Whoever asks, or the answer to who is nobody: 401, or the way to the sign-in page that leads to `page` afterwards.
pub fn signed_in(
    control: &Control,
    client: &Client,
    uri: &Uri,
    headers: &HeaderMap,
    page: &str,
) -> Result<Actor, Box<Response>> {
    let token = app::ssr::session_token(headers, client.https);
    token.and_then(|token| control.authenticate(token, client)).ok_or_else(|| {
        control.note_stranger(client.address, uri.path(), "not signed in");
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        Box::new(match accept.contains("text/html") {
            true => Redirect::to(&app::session::login_path(page)).into_response(),
            false => (StatusCode::UNAUTHORIZED, "sign in to go on").into_response(),
        })
    })
}

/// The format of that word in an address.
pub fn format(word: &str) -> Option<ExportFormat> {
    match word {
        "csv" => Some(ExportFormat::Csv),
        "jsonl" => Some(ExportFormat::JsonLines),
        _ => None,
    }
}

/// Why there is no file.
pub fn refused(error: &AdminError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, error.to_string()).into_response()
}

/// The answer that a browser keeps as a file called `name` and the day.
pub fn file(name: &str, format: ExportFormat, body: Body) -> Response {
    let (kind, end) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        ExportFormat::JsonLines => ("application/jsonl; charset=utf-8", "jsonl"),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()) * 1_000;
    let day: String = format_utc(now).chars().take(10).collect();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}-{day}.{end}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
