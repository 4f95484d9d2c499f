//! `GET /admin/requests/export?format=csv|jsonl` with the fields of the Requests page's form: the log of requests as a file, a
//! piece at a time, so that a log of any length takes the memory of one piece.

use std::io;

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use control::{Actor, Client, Control, ExportFormat, LogExport};
use domain::{error::AdminError, usage::asked::AskLog};
use futures_util::stream;

use crate::export;

/// The file; 401 without a session, or the way to the sign-in page for a browser that follows a link.
pub async fn export(
    State(control): State<Control>,
    Extension(client): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let actor = match export::signed_in(&control, &client, &headers, uri.path(), "/admin/requests") {
        Ok(actor) => actor,
        Err(answer) => return *answer,
    };
    let Some((format, asked)) = read(uri.query().unwrap_or_default()) else {
        let fields = AskLog::FIELDS.iter().filter(|name| **name != "after").copied().collect::<Vec<_>>().join(", ");
        let text = format!("say format=csv or format=jsonl, and beside it only {fields}");
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let log = match control.export_asked(&actor, &asked, format) {
        Ok(log) => log,
        Err(error) => return export::refusal(&error),
    };
    // What cannot be read at all is told by a status and not by half a file.
    let mut reader = Reader { control, actor, log, first: None };
    reader.first = match reader.log.next().await {
        Ok(first) => first,
        Err(error) => return export::refusal(&error),
    };
    let pieces = stream::try_unfold(reader, |reader| async move { reader.next().await });
    export::file("requests", format, Body::from_stream(pieces))
}

fn read(query: &str) -> Option<(ExportFormat, AskLog)> {
    let (mut format, mut asked) = (None, AskLog::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "format" => format = Some(export::format(&value)?),
            // All of it, from the newest row on.
            "after" => return None,
            name if asked.set(name, value.to_string()) => {}
            _ => return None,
        }
    }
    Some((format?, asked))
}

struct Reader {
    control: Control,
    actor: Actor,
    log: LogExport,
    /// Read and not yet written.
    first: Option<String>,
}

impl Reader {
    /// The next piece with anything in it. An error breaks the file off, so that nobody takes a part for the whole.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            let piece = match self.first.take() {
                Some(first) => Some(first),
                None if !self.control.is_live(&self.actor) => {
                    return Err(io::Error::other(AdminError::Unauthenticated));
                }
                None => self.log.next().await.map_err(io::Error::other)?,
            };
            match piece {
                None => return Ok(None),
                Some(piece) if piece.is_empty() => {}
                Some(piece) => return Ok(Some((Bytes::from(piece), self))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_names_its_format_and_nothing_unknown() {
        let (format, asked) = read("key=a%20b&format=jsonl&from=&status=4xx").unwrap();
        let expected = AskLog { key: "a b".into(), status: "4xx".into(), ..AskLog::default() };
        assert!(format == ExportFormat::JsonLines && asked == expected);
        for query in ["", "key=a", "format=xml", "format=csv&live=1", "format=csv&after=1-0123456789abcdef", "format"] {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
