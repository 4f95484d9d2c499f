//! What needs somebody's attention now: each a sentence with the page where it is mended, what is urgent first. It is made
//! from what is known at this moment, so that it goes away with its reason; nothing is remembered and nothing is asked here.

mod data;
mod fleet;
mod limits;
#[cfg(test)]
mod tests;

use domain::{
    live::{Attention, LiveStatus},
    settings::RedisStatus,
    upgrade::{UpgradePhase, UpgradeState, UpgradeView},
    words::{number, plural},
};
use gateway::Drift;
use store::Room;

pub(crate) use self::limits::{Limits, Reached, look};

/// So many of one kind are told one by one.
const ONE_BY_ONE: usize = 5;
/// Whoever waits so long for a slot is worth a line: a second or two is what a queue is for.
const WAITED_MS: u64 = 5_000;

/// What it is made from.
pub(crate) struct Facts<'f> {
    /// As far as it is filled: everything but `attention`.
    pub live: &'f LiveStatus,
    pub longest_wait_ms: u64,
    /// Keys and users at a limit.
    pub reached: Vec<Reached>,
    pub drift: Vec<Drift>,
    /// On the disk of the database.
    pub room: Option<Room>,
    /// When the certificate of our own port ends, in Unix milliseconds.
    pub certificate_end: Option<u64>,
}

pub(crate) fn attention(facts: &Facts<'_>) -> Vec<Attention> {
    let mut all = Vec::new();
    all.extend(data::told(facts));
    all.extend(fleet::told(facts.live));
    all.extend(upgrade(facts.live.upgrade.as_ref()));
    all.extend(queue(facts.live.waiting, facts.longest_wait_ms));
    all.extend(redis(&facts.live.redis));
    all.extend(few(limits::told(&facts.reached), "keys or users are at a limit"));
    all.extend(few(facts.drift.iter().map(drift).collect(), "models are not the same everywhere"));
    all.extend(facts.certificate_end.and_then(|end| certificate(end, facts.live.at)));
    // The order within stays.
    all.sort_by_key(|item| !item.urgent);
    all
}

/// Where something is mended: a page, and the words of the link to it.
type Place = (&'static str, &'static str);
const BACKENDS: Place = ("/admin/backends", "See the backends");

fn item(key: impl Into<String>, urgent: bool, text: String, (link, action): Place) -> Attention {
    Attention { key: key.into(), urgent, text, link: link.into(), action: action.into() }
}

/// The first of one kind, and how many more there are, so that a hundred backends behind one switch leave room for the rest.
fn few(mut items: Vec<Attention>, what: &str) -> Vec<Attention> {
    if items.len() > ONE_BY_ONE + 1 {
        // What is urgent is not among those that are only counted while others are named.
        items.sort_by_key(|item| !item.urgent);
        let more = items.split_off(ONE_BY_ONE);
        items.extend(more.first().map(|first| Attention {
            key: format!("more:{what}"),
            text: format!("{} more {what}.", number(more.len() as u64)),
            ..first.clone()
        }));
    }
    items
}

/// What somebody else wrote as the end of a sentence.
fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}

/// An upgrade that does not go on by itself.
fn upgrade(run: Option<&UpgradeView>) -> Option<Attention> {
    let run = run.filter(|run| run.is_open())?;
    let step = run.current()?;
    let place = ("/admin/backends/upgrade", "Answer it");
    let text = match (run.state, &step.problem, &step.waits, step.phase) {
        (_, Some(problem), ..) => format!("The rolling upgrade is paused at {}: {}", step.name, ended(problem)),
        (UpgradeState::Paused, ..) => format!("The rolling upgrade is paused before {} goes on.", step.name),
        (_, _, Some(waits), _) => format!("The rolling upgrade waits at {}: {}", step.name, ended(waits)),
        (.., UpgradePhase::HandedOver) if !step.commanded => {
            format!("{} is drained for you to upgrade; the rolling upgrade goes on afterwards.", step.name)
        }
        _ => return None,
    };
    Some(item("upgrade", false, text, place))
}

fn queue(waiting: u64, longest_ms: u64) -> Option<Attention> {
    (waiting > 0 && longest_ms >= WAITED_MS).then(|| {
        let wait = if waiting == 1 { "1 request waits".into() } else { format!("{} requests wait", number(waiting)) };
        let text = format!("{wait} for a slot, the longest for {}.", plural(longest_ms / 1_000, "second"));
        item("queue", false, text, BACKENDS)
    })
}

fn redis(status: &RedisStatus) -> Option<Attention> {
    let RedisStatus::Failed { detail, .. } = status else { return None };
    let text = format!("Redis is not reachable: {} This gateway counts limits and lock-outs alone.", ended(detail));
    Some(item("redis", true, text, ("/admin/settings", "See the Redis settings")))
}

fn drift(drift: &Drift) -> Attention {
    let digests = drift.digests.iter().map(|(digest, backends)| {
        // So much of it is what Ollama's own list shows.
        let short: String = digest.chars().take(12).collect();
        format!("{short} on {}", crate::upgrade::named(backends))
    });
    let digests = digests.collect::<Vec<_>>().join(", ");
    let text = format!("{} is not the same everywhere: {digests}. Pull it again where it is old.", drift.model);
    item(format!("drift:{}", drift.model), false, text, BACKENDS)
}

/// That of the port itself, as early as those of backends are told.
fn certificate(end: u64, now: u64) -> Option<Attention> {
    const EARLY_MS: u64 = 14 * 24 * 60 * 60 * 1_000;
    (end < now.saturating_add(EARLY_MS)).then(|| {
        let (over, when) = (end <= now, fleet::day(end));
        let text = if over {
            format!("The certificate of this gateway ended at {when}: clients refuse it.")
        } else {
            format!("The certificate of this gateway ends at {when}, and clients refuse it from then on.")
        };
        item("certificate", over, text, ("/admin/network", "Renew it"))
    })
}
