//! `GET /admin/audit/export?format=csv|jsonl` with the filter of the Audit page: the log as a file, a page at a time, so that
//! a log of any length takes the memory of one page. Which rows and how a row is written is the business of `control`.

use std::io;

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use control::{Actor, CSV_HEAD, Client, Control, ExportFormat as Format, csv_line, json_line};
use domain::{
    audit::{AuditPage, ReadAudit},
    error::AdminError,
};
use futures_util::stream;

use crate::download;

/// The file; 401 without a session, or the way to the sign-in page for a browser that follows a link.
pub async fn export(
    State(control): State<Control>,
    Extension(client): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let actor = match download::signed_in(&control, &client, &uri, &headers, "/admin/audit") {
        Ok(actor) => actor,
        Err(answer) => return *answer,
    };
    let Some((format, filter)) = read(uri.query().unwrap_or_default()) else {
        let text = "say format=csv or format=jsonl, and beside it only actor, outcome, text, from, to";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    match control.export_audit(&actor, &filter).await {
        Ok(first) => file(format, Reader { control, actor, format, filter, page: Some(first), first: true }),
        Err(error) => download::refused(&error),
    }
}

fn read(query: &str) -> Option<(Format, ReadAudit)> {
    let (mut format, mut filter) = (None, ReadAudit::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("format", word) => format = Some(download::format(word)?),
            // All of it, from the newest row on.
            ("after", _) => return None,
            _ if filter.set(&name, value.to_string()) => {}
            _ => return None,
        }
    }
    Some((format?, filter))
}

fn file(format: Format, reader: Reader) -> Response {
    let body = Body::from_stream(stream::try_unfold(reader, |reader| async move { reader.next().await }));
    download::file("audit", format, body)
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
                Format::JsonLines => json_line,
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
        assert!(format == Format::JsonLines && filter == ReadAudit { actor: "a b".into(), ..Default::default() });
        for query in ["", "actor=a", "format=xml", "format=csv&x=1", "format=csv&after=1-0123456789ab", "format"] {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
