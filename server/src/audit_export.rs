//! `GET /admin/audit/export?format=csv|jsonl` with the filter of the Audit page: the log as a file, a page at a time, so that
//! a log of any length takes the memory of one page. Which rows and how a row is written is the business of `control`.

use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use control::{Actor, CSV_HEAD, Client, Control, csv_line, json_line};
use domain::{
    audit::{AuditPage, ReadAudit},
    error::AdminError,
    policy::format_utc,
};
use futures_util::stream;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Jsonl,
}

/// The file; 401 without a session, or the way to the sign-in page for a browser that follows a link.
pub async fn export(
    State(control): State<Control>,
    Extension(client): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let token = app::ssr::session_token(&headers, client.https);
    let Some(actor) = token.and_then(|token| control.authenticate(token, &client)) else {
        control.note_stranger(client.address, uri.path(), "not signed in");
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        return match accept.contains("text/html") {
            true => Redirect::to(&app::session::login_path("/admin/audit")).into_response(),
            false => (StatusCode::UNAUTHORIZED, "sign in to go on").into_response(),
        };
    };
    let Some((format, filter)) = read(uri.query().unwrap_or_default()) else {
        let text = "say format=csv or format=jsonl, and beside it only actor, outcome, text, from, to";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    match control.export_audit(&actor, &filter).await {
        Ok(first) => file(format, Reader { control, actor, format, filter, page: Some(first), first: true }),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, error.to_string()).into_response()
        }
    }
}

fn read(query: &str) -> Option<(Format, ReadAudit)> {
    let (mut format, mut filter) = (None, ReadAudit::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("format", "csv") => format = Some(Format::Csv),
            ("format", "jsonl") => format = Some(Format::Jsonl),
            // All of it, from the newest row on.
            ("after", _) => return None,
            _ if filter.set(&name, value.to_string()) => {}
            _ => return None,
        }
    }
    Some((format?, filter))
}

fn file(format: Format, reader: Reader) -> Response {
    let (kind, end) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Format::Jsonl => ("application/jsonl; charset=utf-8", "jsonl"),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()) * 1_000;
    let day: String = format_utc(now).chars().take(10).collect();
    let body = Body::from_stream(stream::try_unfold(reader, |reader| async move { reader.next().await }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"audit-{day}.{end}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

struct Reader {
    control: Control,
    actor: Actor,
    format: Format,
    filter: ReadAudit,
    /// Read and not yet written.
    page: Option<AuditPage>,
    first: bool,
}

impl Reader {
    /// The lines of the next page that has any. An error breaks the file off, so that nobody takes a part for the whole.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let mut text = String::new();
        if std::mem::take(&mut self.first) && self.format == Format::Csv {
            text.push_str(CSV_HEAD);
        }
        while let Some(page) = self.page.take() {
            let line = match self.format {
                Format::Csv => csv_line,
                Format::Jsonl => json_line,
            };
            text.extend(page.entries.iter().map(line));
            if let Some(after) = page.next {
                self.filter.after = after;
                self.page = Some(self.more().await.map_err(io::Error::other)?);
            }
            if !text.is_empty() {
                break;
            }
        }
        Ok((!text.is_empty()).then(|| (Bytes::from(text), self)))
    }

    async fn more(&self) -> Result<AuditPage, AdminError> {
        if !self.control.is_live(&self.actor) {
            return Err(AdminError::Unauthenticated);
        }
        self.control.export_audit(&self.actor, &self.filter).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_names_its_format_and_nothing_unknown() {
        let (format, filter) = read("actor=a%20b&format=jsonl&from=").unwrap();
        assert!(format == Format::Jsonl && filter == ReadAudit { actor: "a b".into(), ..Default::default() });
        for query in ["", "actor=a", "format=xml", "format=csv&x=1", "format=csv&after=1-0123456789ab", "format"] {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
