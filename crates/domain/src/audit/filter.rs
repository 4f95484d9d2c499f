//! What a person asks of the log, as typed in the page's form, an address or the command line.

use serde::{Deserialize, Serialize};

use super::{AuditOutcome, AuditQuery, Place};
use crate::{error::FieldError, id::AdminId, policy::parse_utc};

/// Most characters of a text that is looked for.
pub const MAX_TEXT: usize = 64;
/// Most characters of a name.
const MAX_NAME: usize = 100;
const DAY: u64 = 86_400_000;
/// How a time can be given.
pub const AGE_HINT: &str = "2026-12-31, 2026-12-31 23:59 (UTC), or how long ago: 30m, 24h, 7d";

/// Asks for rows, newest first. Everything as typed; empty means: whichever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadAudit {
    /// Whole name, in any case.
    pub actor: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// Part of action, reason, address or change, in any case.
    pub text: String,
    /// A time as in [`AGE_HINT`]; a day alone is its beginning.
    pub from: String,
    /// The same; a day alone is its end.
    pub to: String,
    /// [`AuditPage::next`](super::AuditPage::next) of the page before.
    pub after: String,
}

impl ReadAudit {
    /// Names and values of what is given, as an address carries them.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { actor, outcome, text, from, to, after } = self;
        let pairs =
            [("actor", actor), ("outcome", outcome), ("text", text), ("from", from), ("to", to), ("after", after)];
        pairs.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.trim().is_empty())
    }

    /// Sets the field called `name`; `false` where there is none.
    pub fn set(&mut self, name: &str, value: String) -> bool {
        let field = match name {
            "actor" => &mut self.actor,
            "outcome" => &mut self.outcome,
            "text" => &mut self.text,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "after" => &mut self.after,
            _ => return false,
        };
        *field = value;
        true
    }

    /// It asks for less than everything, its place aside.
    pub fn is_narrow(&self) -> bool {
        self.pairs().any(|(name, _)| name != "after")
    }

    /// The query, or every fault. `now` is the Unix milliseconds that ages count from.
    pub fn query(&self, now: u64) -> Result<AuditQuery, Vec<FieldError>> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, message: String| faults.push(FieldError::new(field, message));
        let mut query = AuditQuery::default();
        let mut bounded = |field: &'static str, text: &str, most: usize| {
            if text.chars().count() > most {
                fault(field, format!("must be at most {most} characters"));
            }
            (!text.is_empty()).then(|| text.to_owned())
        };
        query.actor = bounded("actor", self.actor.trim(), MAX_NAME);
        query.text = bounded("text", self.text.trim(), MAX_TEXT);
        query.outcome = match self.outcome.trim() {
            "" => None,
            text => {
                let found =
                    [AuditOutcome::Done, AuditOutcome::Refused].into_iter().find(|known| known.as_str() == text);
                if found.is_none() {
                    fault("outcome", "must be done or refused".into());
                }
                found
            }
        };
        let mut time = |field: &'static str, text: &str, of_day: u64| match text.trim() {
            "" => None,
            text => {
                let read = moment(text, now, of_day);
                if read.is_none() {
                    fault(field, format!("give a time as {AGE_HINT}"));
                }
                read
            }
        };
        query.from = time("from", &self.from, DAY);
        query.to = time("to", &self.to, 0);
        if let (Some(from), Some(to)) = (query.from, query.to)
            && from >= to
        {
            fault("to", "must be later than the time from which on".into());
        }
        query.after = match self.after.trim() {
            "" => None,
            text => {
                let place = place(text);
                if place.is_none() {
                    fault("after", "is not the place of a row".into());
                }
                place
            }
        };
        if faults.is_empty() { Ok(query.folded()) } else { Err(faults) }
    }
}

/// `of_day` is taken off where a day stands alone, which is read as its end.
pub(crate) fn moment(text: &str, now: u64, of_day: u64) -> Option<u64> {
    if let Some(at) = parse_utc(text) {
        return Some(if text.contains(':') { at } else { at - of_day });
    }
    let unit = match text.chars().last()? {
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY,
        _ => return None,
    };
    let count: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    Some(now.saturating_sub(count.checked_mul(unit)?))
}

/// The text of a place.
pub(super) fn place_text((at, id): &Place) -> String {
    format!("{at}-{id}")
}

fn place(text: &str) -> Option<Place> {
    let (at, id) = text.split_once('-')?;
    Some((at.parse().ok()?, AdminId::new(id).ok()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_343_400_000;

    fn faults(input: &ReadAudit) -> Vec<String> {
        input.query(NOW).unwrap_err().into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn times_are_days_moments_or_ages() {
        let query = |from: &str, to: &str| {
            let query = ReadAudit { from: from.into(), to: to.into(), ..Default::default() }.query(NOW).unwrap();
            (query.from, query.to)
        };
        let day = NOW / DAY * DAY;
        assert_eq!(query("2026-11-22", "2026-11-22"), (Some(day), Some(day + DAY)), "a day is the whole of it");
        assert_eq!(query("2026-11-22 10:30", ""), (Some(NOW), None));
        assert_eq!(query("30m", "0d"), (Some(NOW - 1_800_000), Some(NOW)));
        assert_eq!(query(" 99999999d ", ""), (Some(0), None));
    }

    #[test]
    fn every_fault_names_its_field() {
        let input = ReadAudit {
            actor: "x".repeat(101),
            outcome: "maybe".into(),
            text: "é".repeat(65),
            from: "yesterday".into(),
            to: "5".into(),
            after: "1-x".into(),
        };
        assert_eq!(faults(&input), ["actor", "text", "outcome", "from", "to", "after"]);
        let turned = ReadAudit { from: "2026-11-23".into(), to: "2026-11-22".into(), ..Default::default() };
        assert_eq!(faults(&turned), ["to"]);
        for age in ["18446744073709551615d", "é", "-1h", "h", "1.5h", "1 h"] {
            assert_eq!(faults(&ReadAudit { from: age.into(), ..Default::default() }), ["from"], "{age}");
        }
        assert!(ReadAudit { text: "é".repeat(64), ..Default::default() }.query(NOW).is_ok());
    }

    #[test]
    fn an_address_carries_the_filter_there_and_back() {
        let input = ReadAudit { actor: "ada".into(), after: "5-0123456789ab".into(), ..Default::default() };
        let mut read = ReadAudit::default();
        for (name, value) in input.pairs() {
            assert!(read.set(name, value.into()));
        }
        assert_eq!(read, input);
        assert!(!read.set("format", "csv".into()));
        assert_eq!(input.query(NOW).unwrap().after, Some((5, "0123456789ab".into())));
        assert_eq!(place_text(&(5, "0123456789ab".into())), "5-0123456789ab");
    }
}
