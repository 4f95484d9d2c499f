//! `GET /admin/usage/export?format=csv|jsonl` with the pairs of a `UsageQuery`: the numbers of the Usage page as a file, or with
//! `chart=TITLE` those of one of its charts as CSV. What they are and how a line is written is the business of `control`.

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
    let Some((format, chart, query)) = read(uri.query().unwrap_or_default()) else {
        let text = "say format=csv or format=jsonl, from and to in Unix milliseconds, and beside them only step, by, \
                    zone, user, key, model, backend, endpoint, outcome, and with format=csv chart";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    if let Some(title) = chart {
        return match control.export_chart(&actor, &query, &title).await {
            Ok(lines) => export::file("usage-chart", format, Body::from(lines)),
            Err(error) => export::refusal(&error),
        };
    }
    match control.usage_report(&actor, &query).await {
        Ok(report) => export::file("usage", format, Body::from(export_report(&report, format))),
        Err(error) => export::refusal(&error),
    }
}

fn read(query: &str) -> Option<(ExportFormat, Option<String>, UsageQuery)> {
    let (mut format, mut chart, mut asked) = (None, None, UsageQuery::default());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "format" => format = Some(export::format(&value)?),
            "chart" => chart = Some(value.into_owned()),
            _ if asked.set(&name, value.to_string()) => {}
            _ => return None,
        }
    }
    let format = format?;
    (chart.is_none() || format == ExportFormat::Csv).then_some((format, chart, asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_names_its_format_and_nothing_unknown() {
        let (format, chart, asked) = read("from=1&to=2&format=jsonl&model=a%20b&by=user").unwrap();
        assert_eq!((format, chart, asked.from, asked.model.as_str()), (ExportFormat::JsonLines, None, 1, "a b"));
        let (_, chart, _) = read("format=csv&from=1&to=2&chart=GPU%20seconds").unwrap();
        assert_eq!(chart.as_deref(), Some("GPU seconds"));
        assert!(read("format=jsonl&from=1&to=2&chart=Requests").is_none(), "a chart is CSV");
        for query in ["", "from=1&to=2", "format=xml", "format=csv&x=1", "format=csv&from=yesterday", "format=csv&by=x"]
        {
            assert!(read(query).is_none(), "{query}");
        }
    }
}
