//! `GET /admin/usage/export?format=csv|jsonl` with the pairs of a `UsageQuery`: the numbers of the Usage page as a file. What
//! they are and how a line is written is the business of `control`.

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use control::{Client, Control, ExportFormat, export_report};
use domain::usage::report::UsageQuery;

use crate::export;

/// The file; 401 without a session, or the way to the sign-in page for a browser that follows a link.
pub async fn export(
    State(control): State<Control>,
    Extension(client): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let actor = match export::signed_in(&control, &client, &headers, uri.path(), "/admin/usage") {
        Ok(actor) => actor,
        Err(answer) => return *answer,
    };
    let Some((format, query)) = read(uri.query().unwrap_or_default()) else {
        let text = "say format=csv or format=jsonl, from and to in Unix milliseconds, and beside them only step, by, \
                    zone, user, key, model, backend, endpoint, outcome";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    match control.usage_report(&actor, &query).await {
        Ok(report) => export::file("usage", format, Body::from(export_report(&report, format))),
        Err(error) => export::refusal(&error),
    }
}

fn read(query: &str) -> Option<(ExportFormat, UsageQuery)> {
    let (mut format, mut asked) = (None, UsageQuery::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "format" => format = Some(export::format(&value)?),
            _ if asked.set(&name, value.to_string()) => {}
            _ => return None,
        }
    }
    Some((format?, asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_names_its_format_and_nothing_unknown() {
        let (format, asked) = read("from=1&to=2&format=jsonl&model=a%20b&by=user").unwrap();
        assert_eq!((format, asked.from, asked.model.as_str()), (ExportFormat::JsonLines, 1, "a b"));
        for query in ["", "from=1&to=2", "format=xml", "format=csv&x=1", "format=csv&from=yesterday", "format=csv&by=x"]
        {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
