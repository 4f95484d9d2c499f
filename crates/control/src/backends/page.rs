//! One backend by itself: what is known of it now, what it did over the last day or week out of the roll-ups, and its models.

use domain::{
    backend::BackendView,
    error::AdminError,
    id::BackendId,
    models::{AskBackend, AskHistory, BackendPage, Did, History},
    usage::{
        log::{LONGEST_LOG, LogQuery},
        page::{AskUsage, UsageShown},
        report::UsageFigures,
    },
};
use url::form_urlencoded::Serializer;

use crate::{Actor, Control, fault};

/// The chart of the Usage page that says nothing about a backend.
const LEFT_OUT: &str = "Tokens";

impl Control {
    /// The page of one backend. Every role may read it.
    pub async fn backend_page(&self, actor: &Actor, asked: &AskBackend) -> Result<BackendPage, AdminError> {
        let (id, mut backend) = self.one_backend(&asked.id)?;
        // They have their own part, a page at a time.
        backend.models.clear();
        let did = did(&self.shown_of(actor, &id, "").await?.total);
        Ok(BackendPage { backend, did, models: self.models_of(&id, &asked.page) })
    }

    /// What one backend did over the last day or week. Every role may read it.
    pub async fn backend_history(&self, actor: &Actor, asked: &AskHistory) -> Result<History, AdminError> {
        let (id, backend) = self.one_backend(&asked.id)?;
        let range = asked.range.trim();
        let UsageShown { query, total, labels, mut charts, .. } = self.shown_of(actor, &id, range).await?;
        charts.retain(|chart| !chart.title.starts_with(LEFT_OUT));
        let from = query.from.max(query.to.saturating_sub(LONGEST_LOG));
        let log = LogQuery { from, to: query.to, backend: id.to_string(), ..LogQuery::default() };
        Ok(History {
            name: backend.name,
            did: did(&total),
            labels,
            charts,
            usage: address(question(&id, range)?.pairs()),
            file: address(query.pairs()),
            log: address(log.pairs()),
        })
    }

    fn one_backend(&self, id: &str) -> Result<(BackendId, BackendView), AdminError> {
        let id = BackendId::new(id).map_err(|_| fault::not_found("backend"))?;
        let view = self.backend_view(&id)?;
        Ok((id, view))
    }

    async fn shown_of(&self, actor: &Actor, id: &BackendId, range: &str) -> Result<UsageShown, AdminError> {
        let page = self.usage_page(actor, &question(id, range)?).await?;
        page.shown.ok_or(AdminError::Invalid { fields: page.faults })
    }
}

/// What the Usage page is asked for the same.
fn question(id: &BackendId, range: &str) -> Result<AskUsage, AdminError> {
    let range = match range {
        "" => "24h",
        "24h" | "7d" => range,
        _ => return Err(AdminError::invalid("range", "must be 24h or 7d")),
    };
    Ok(AskUsage { range: range.into(), backend: id.to_string(), ..AskUsage::default() })
}

fn did(total: &UsageFigures) -> Did {
    let UsageFigures { requests, errors, latency, ttft, .. } = total;
    Did { requests: *requests, errors: *errors, latency: latency.p50, first_byte: ttft.p50 }
}

fn address(pairs: Vec<(&'static str, String)>) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}
