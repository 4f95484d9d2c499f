//! Addresses: of this page for a question, of its files, and of the requests behind a number.

use domain::usage::{
    log::{LONGEST_LOG, LogQuery},
    page::AskUsage,
    report::UsageQuery,
};

use super::HERE;
use crate::session::encode_query_value;

fn join(path: &str, pairs: Vec<(&'static str, String)>) -> String {
    let mut text = path.to_owned();
    for (name, value) in pairs {
        let sign = if text.contains('?') { '&' } else { '?' };
        text.push(sign);
        text.push_str(name);
        text.push('=');
        text.push_str(&encode_query_value(&value));
    }
    text
}

/// The address of this page for a question.
pub(super) fn address(asked: &AskUsage) -> String {
    join(HERE, asked.pairs())
}

/// The address of the report as a file.
pub(super) fn file(query: &UsageQuery, format: &'static str) -> String {
    let mut pairs = vec![("format", format.to_owned())];
    pairs.extend(query.pairs());
    join(&format!("{HERE}/export"), pairs)
}

/// The address of the log with the requests that a row counts: those of the report with `id` in `field`.
pub(super) fn requests(query: &UsageQuery, field: &str, id: &str) -> String {
    let UsageQuery { from, to, user, key, model, backend, endpoint, outcome, .. } = query.clone();
    // The log is searched over so much at once.
    let from = from.max(to.saturating_sub(LONGEST_LOG));
    let mut log = LogQuery { from, to, user, key, model, backend, endpoint, outcome, ..LogQuery::default() };
    log.set(field, id.to_owned());
    join("/admin/requests", log.pairs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_what_is_asked_for() {
        let asked = AskUsage { model: "a&b: é".into(), range: "30d".into(), ..Default::default() };
        assert_eq!(address(&asked), "/admin/usage?range=30d&model=a%26b%3A%20%C3%A9");
        assert_eq!(address(&AskUsage::default()), "/admin/usage");
        let query = UsageQuery { from: 1, to: 2, user: "u".into(), ..Default::default() };
        assert_eq!(file(&query, "csv"), "/admin/usage/export?format=csv&from=1&to=2&step=day&by=model&user=u");
        assert_eq!(requests(&query, "model", "m"), "/admin/requests?from=1&to=2&user=u&model=m");
    }
}
