//! The page of usage: what was typed becomes a query, and its report columns for charts with names for people.

use std::collections::HashSet;

use domain::{
    error::{AdminError, FieldError},
    key::KeyStatus,
    usage::{
        page::{
            AskUsage, CHARTED, CHOICES, ChartKind, Choice, Chosen, RANGES, USUAL_RANGE, UsageChart, UsageChoices,
            UsageColumn, UsagePage, UsageShown,
        },
        report::{ERRORS, GroupBy, Named, Step, UsageFigures, UsageQuery, UsageReport},
    },
};
use jiff::tz::TimeZone;
use store::row::KeyRow;

use super::{
    export::chart_lines,
    names::{self, Names},
    series::Course,
    zone,
};
use crate::{Actor, Control, clock::Now, fault, state::State};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

impl Control {
    /// What was used, as the page shows it. Every role may read it. What is wrong with the question is in the answer.
    pub async fn usage_page(&self, actor: &Actor, asked: &AskUsage) -> Result<UsagePage, AdminError> {
        let mut page = UsagePage { choices: self.usage_choices(asked), ..UsagePage::default() };
        match self.shown(actor, asked).await {
            Ok(shown) => page.shown = Some(shown),
            Err(AdminError::Invalid { fields }) => page.faults = fields,
            Err(error) => return Err(error),
        }
        Ok(page)
    }

    async fn shown(&self, _actor: &Actor, asked: &AskUsage) -> Result<UsageShown, AdminError> {
        self.shown_for(read(asked, Now::read().wall)?).await
    }

    /// The numbers of one chart of the page, by its title, as CSV: a line for each stretch.
    pub async fn export_chart(&self, _actor: &Actor, query: &UsageQuery, title: &str) -> Result<String, AdminError> {
        let UsageShown { labels, charts, .. } = self.shown_for(query.clone()).await?;
        let chart = charts.iter().find(|chart| chart.title == title).ok_or_else(|| fault::not_found("chart"))?;
        Ok(chart_lines(&labels, chart))
    }

    async fn shown_for(&self, query: UsageQuery) -> Result<UsageShown, AdminError> {
        let (mut report, courses) = self.report_with_courses(&query, CHARTED).await?;
        let state = self.state();
        name_keys(&state, &mut report);
        let days = zone::zone(if report.utc_days { "" } else { &report.zone })?;
        let labels = report.points.iter().map(|point| zone::label(&days, report.step, point.at)).collect();
        let charts = charts(&report, courses);
        let UsageReport {
            from, to, zone, utc_days, exact, total, groups, others, peak, tax_by_model, tax_by_key, ..
        } = report;
        Ok(UsageShown {
            chosen: chosen(&query, &state),
            // From the beginning of its first step to the end of its last, as the numbers are.
            query: UsageQuery { from, to, ..query },
            zone,
            utc_days,
            exact,
            total,
            labels,
            charts,
            groups,
            others,
            peak,
            tax_by_model,
            tax_by_key,
        })
    }

    fn usage_choices(&self, asked: &AskUsage) -> UsageChoices {
        let state = self.state();
        let users = state.users().map(|user| choice(user.id.as_str(), &user.name));
        let of = asked.user.trim();
        let open = state.rows.keys.iter().filter(|key| key.status != KeyStatus::Revoked);
        let keys = open.filter(|key| of.is_empty() || key.user.as_str() == of);
        let backends = state.rows.backends.iter().map(|backend| choice(backend.id.as_str(), &backend.name));
        let live = self.0.gateway.live();
        let mut seen = HashSet::new();
        let models = live.backends.iter().flat_map(|backend| &backend.models).filter(|name| seen.insert(*name));
        UsageChoices {
            users: bounded(users),
            keys: bounded(keys.map(|key| choice(key.id.as_str(), &whole_name(&state, key)))),
            models: bounded(models.map(|name| choice(name, name))),
            backends: bounded(backends),
        }
    }
}

/// Names of keys are unique for their user only.
fn whole_name(state: &State, key: &KeyRow) -> String {
    let user = state.rows.users.iter().find(|user| user.id == key.user).map_or("nobody", |user| user.name.as_str());
    format!("{} of {user}", key.name)
}

/// Gives keys names by which they can be told apart.
fn name_keys(state: &State, report: &mut UsageReport) {
    let mut keys: Vec<&mut Named> = report.tax_by_key.iter_mut().map(|tax| &mut tax.of).collect();
    if report.by == GroupBy::Key {
        keys.extend(report.groups.iter_mut().map(|group| &mut group.of));
    }
    for of in keys {
        if let Some(key) = state.rows.keys.iter().find(|key| key.id.as_str() == of.id) {
            of.name = whole_name(state, key);
        }
    }
}

fn choice(id: &str, name: &str) -> Choice {
    Choice { id: id.to_owned(), name: name.to_owned() }
}

/// In the order of their names; nothing where there are too many to choose from.
fn bounded(choices: impl Iterator<Item = Choice>) -> Vec<Choice> {
    let mut choices: Vec<Choice> = choices.take(CHOICES + 1).collect();
    choices.sort_unstable_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    if choices.len() > CHOICES { Vec::new() } else { choices }
}

/// The query for what was typed, at the moment `now`; every fault that is found without looking at the usage.
fn read(asked: &AskUsage, now: u64) -> Result<UsageQuery, AdminError> {
    let mut faults = Vec::new();
    let viewer = zone::zone(&asked.zone).unwrap_or_else(|error| {
        faults.extend(error.field("zone").map(|text| FieldError::new("zone", text)));
        TimeZone::UTC
    });
    let range = match asked.range.trim() {
        "" => USUAL_RANGE,
        range => range,
    };
    let days = RANGES.iter().find(|(word, ..)| *word == range).map(|(.., days)| *days);
    if days.is_none() {
        faults.push(FieldError::new("range", "must be 24h, 7d, 30d, 90d or 12m"));
    }
    let moment = |text: &str, field: &str, faults: &mut Vec<FieldError>| match text.trim() {
        "" => None,
        text => {
            let read = match text.parse::<u64>() {
                Ok(at) => Some((at, at)),
                Err(_) => zone::day(&viewer, text),
            };
            if read.is_none() {
                faults.push(FieldError::new(field, "must be a day such as 2026-12-31"));
            }
            read
        }
    };
    let from = moment(&asked.from, "from", &mut faults);
    let to = moment(&asked.to, "to", &mut faults);
    let own = from.is_some() || to.is_some();
    // The running moment is a part of it.
    let to = to.map_or(now + 1, |(_, end)| end);
    let length = if own { from.map_or(DAY, |(from, _)| to.saturating_sub(from)) } else { days.unwrap_or(1) * DAY };
    let step = match asked.step.trim() {
        "" => usual_step(length),
        word => Step::parse(word).unwrap_or_else(|| {
            faults.push(FieldError::new("step", "must be hour, day or week"));
            Step::default()
        }),
    };
    let by = match asked.by.trim() {
        "" => GroupBy::default(),
        word => GroupBy::parse(word).unwrap_or_else(|| {
            faults.push(FieldError::new("by", "must be user, key, model, backend or endpoint"));
            GroupBy::default()
        }),
    };
    // Seven days are seven steps of a day, the last of which is today.
    let whole = match step {
        Step::Hour => HOUR,
        Step::Day => DAY,
        Step::Week => 7 * DAY,
    };
    let back = if own { length } else { length.saturating_sub(whole) + 1 };
    let query = UsageQuery {
        from: from.map_or_else(|| to.saturating_sub(back), |(from, _)| from),
        to,
        step,
        zone: asked.zone.trim().to_owned(),
        by,
        user: asked.user.trim().to_owned(),
        key: asked.key.trim().to_owned(),
        model: asked.model.trim().to_owned(),
        backend: asked.backend.trim().to_owned(),
        endpoint: asked.endpoint.trim().to_owned(),
        outcome: asked.outcome.trim().to_owned(),
    };
    // Told together with what is wrong with the rest.
    if let Err(fields) = query.read() {
        faults.extend(fields);
    }
    if faults.is_empty() { Ok(query) } else { Err(AdminError::Invalid { fields: faults }) }
}

/// Not too few steps for a chart, and not too many for its table.
fn usual_step(length: u64) -> Step {
    match length.div_ceil(DAY) {
        0..=3 => Step::Hour,
        4..=120 => Step::Day,
        _ => Step::Week,
    }
}

fn chosen(query: &UsageQuery, state: &State) -> Vec<Chosen> {
    let names = Names::of(state);
    let word = |text: &str| match text {
        ERRORS => "all errors".to_owned(),
        text => text.replace('_', " "),
    };
    let itself = |text: &str, name: String| Named { id: text.to_owned(), name, removed: false };
    let filters = [
        ("user", &query.user, names.user(&query.user)),
        ("key", &query.key, names.key(&query.key)),
        ("model", &query.model, names::model(&query.model)),
        ("backend", &query.backend, names.backend(&query.backend)),
        ("endpoint", &query.endpoint, itself(&query.endpoint, query.endpoint.clone())),
        ("outcome", &query.outcome, itself(&query.outcome, word(&query.outcome))),
    ];
    let given = filters.into_iter().filter(|(_, text, _)| !text.is_empty());
    given
        .map(|(field, text, of)| {
            let owner = match field {
                "key" => state.rows.keys.iter().find(|key| key.id.as_str() == text).map(|key| key.user.to_string()),
                "user" => state.users().find(|user| user.id.as_str() == text).map(|user| user.id.to_string()),
                _ => None,
            };
            Chosen { field: field.to_owned(), of, owner }
        })
        .collect()
}

fn charts(report: &UsageReport, courses: Vec<Course>) -> Vec<UsageChart> {
    let column = |label: &str, of: &dyn Fn(&UsageFigures) -> Option<u64>| UsageColumn {
        label: label.to_owned(),
        values: report.points.iter().map(|point| of(&point.figures)).collect(),
    };
    let by = report.by.as_str();
    let requests = grouped(report, &courses, |course| &course.requests, |figures| figures.requests);
    let tokens = grouped(report, &courses, |course| &course.tokens, tokens_of);
    let chart = |title: String, kind, columns| UsageChart { title, kind, columns };
    vec![
        chart(format!("Requests by {by}"), ChartKind::Stacked, requests),
        chart(format!("Tokens by {by}"), ChartKind::Stacked, tokens),
        chart("Errors".to_owned(), ChartKind::Errors, vec![column("Errors", &|figures| Some(figures.errors))]),
        chart(
            "Latency (ms)".to_owned(),
            ChartKind::Times,
            vec![column("Half within", &|f| f.latency.p50), column("95 % within", &|f| f.latency.p95)],
        ),
        chart(
            "Time to the first byte (ms)".to_owned(),
            ChartKind::Times,
            vec![
                column("Model warm, half within", &|f| f.ttft_warm.p50),
                column("Model cold, half within", &|f| f.ttft_cold.p50),
                column("All, 95 % within", &|f| f.ttft.p95),
            ],
        ),
    ]
}

fn tokens_of(figures: &UsageFigures) -> u64 {
    figures.prompt_tokens.saturating_add(figures.completion_tokens)
}

/// A column for each of the first groups, and one for all others where there are any.
fn grouped(
    report: &UsageReport,
    courses: &[Course],
    of: fn(&Course) -> &Vec<u64>,
    all: fn(&UsageFigures) -> u64,
) -> Vec<UsageColumn> {
    let columns = report.groups.iter().zip(courses).map(|(group, course)| UsageColumn {
        label: group.of.name.clone(),
        values: of(course).iter().copied().map(Some).collect(),
    });
    let mut columns: Vec<UsageColumn> = columns.collect();
    if report.groups.len() > courses.len() {
        let rest = report.points.iter().enumerate().map(|(step, point)| {
            let told = courses.iter().filter_map(|course| of(course).get(step));
            Some(told.fold(all(&point.figures), |rest, told| rest.saturating_sub(*told)))
        });
        columns.push(UsageColumn { label: "All others".to_owned(), values: rest.collect() });
    }
    columns
}

#[cfg(test)]
#[path = "page/tests.rs"]
mod tests;
