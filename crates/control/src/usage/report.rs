//! Reports: sums by time, by what or who, and by the hours of the week, out of the roll-ups.

use std::{cmp::Reverse, collections::HashMap};

use domain::{
    error::AdminError,
    usage::report::{
        ColdTax, Filters, GROUPS, GroupBy, LONGEST_IN_ZONE, NO_MODEL, Named, OtherGroups, Step, UsageGroup, UsagePoint,
        UsageQuery, UsageReport,
    },
};
use jiff::tz::TimeZone;
use store::{
    StoreError,
    row::{SumsQuery, UsageFilter, UsageSum},
};

use super::{
    figures::Tally,
    names::{self, Names},
    series::{Course, Series},
    zone,
};
use crate::{Actor, Control, fault};

/// Tries anew where roll-ups were moved while they were read: that happens for a moment every hour.
const ATTEMPTS: usize = 8;

/// The filters of a query as the store takes them.
pub(super) fn filter(filters: &Filters) -> UsageFilter {
    UsageFilter {
        user: filters.user.clone(),
        key: filters.key.clone(),
        model: filters.model.clone(),
        backend: filters.backend.clone(),
        endpoint: filters.endpoint,
        outcome: filters.outcome,
        failed: filters.failed,
    }
}

impl Control {
    /// What was used, by time and by what the query asks for. Every role may read it. Faults name their fields.
    pub async fn usage_report(&self, _actor: &Actor, query: &UsageQuery) -> Result<UsageReport, AdminError> {
        Ok(self.report_with_courses(query, 0).await?.0)
    }

    /// A report, and what its first groups, at most `charted`, used in each step.
    pub(super) async fn report_with_courses(
        &self,
        query: &UsageQuery,
        charted: usize,
    ) -> Result<(UsageReport, Vec<Course>), AdminError> {
        let filters = query.read().map_err(|fields| AdminError::Invalid { fields })?;
        let viewer = zone::zone(&query.zone)?;
        let utc_days = query.step != Step::Hour && query.to - query.from > LONGEST_IN_ZONE;
        let (of_days, zone_name) = match query.zone.trim() {
            _ if utc_days => (TimeZone::UTC, "UTC"),
            "" => (viewer, "UTC"),
            name => (viewer, name),
        };
        let borders = zone::borders(&of_days, query.step, query.from, query.to)
            .ok_or_else(|| AdminError::invalid("to", "is beyond the calendar"))?;
        let (from, to) = match (borders.first(), borders.last()) {
            (Some(from), Some(to)) => (*from, *to),
            _ => return Err(AdminError::invalid("to", "must be later than the beginning")),
        };
        let asked = SumsQuery { from, to, filter: filter(&filters), days: utc_days };
        let series = || (charted > 0).then(|| Series::of_all(query.by));
        let mut sums =
            self.sums(&asked, || Sums::new(&borders, query.by, (!utc_days).then_some(&of_days), series())).await?;
        let series = sums.series.take();
        let state = self.state();
        let names = Names::of(&state);
        let (groups, others) = groups(sums.groups, query.by, &names);
        let mut total = Tally::default();
        sums.points.iter().for_each(|point| total.merge(point));
        let first = || groups.iter().take(charted).map(|group| group.of.id.clone());
        let series = match series {
            Some(series) if series.is_overflown() => self.series(&asked, &borders, query.by, first).await?,
            series => series,
        };
        let steps = sums.points.len();
        let courses = series.iter().flat_map(|series| first().map(|id| series.course(&id, steps))).collect();
        let points = borders.iter().zip(&sums.points);
        let report = UsageReport {
            from,
            to,
            step: query.step,
            zone: zone_name.to_owned(),
            utc_days,
            exact: zone::has_whole_hours(&of_days, &borders),
            by: query.by,
            total: total.figures(),
            points: points.map(|(&at, tally)| UsagePoint { at, figures: tally.figures() }).collect(),
            groups,
            others,
            peak: sums.peak.map(|peak| peak.to_vec()),
            tax_by_model: taxes(sums.tax_by_model, names::model),
            tax_by_key: taxes(sums.tax_by_key, |id| names.key(id)),
        };
        Ok((report, courses))
    }

    /// Looks once more, at these groups only.
    async fn series<G: Iterator<Item = String>>(
        &self,
        asked: &SumsQuery,
        borders: &[u64],
        by: GroupBy,
        groups: impl Fn() -> G,
    ) -> Result<Option<Series>, AdminError> {
        let again = || Sums { groups_too: false, ..Sums::new(borders, by, None, Some(Series::of(by, groups()))) };
        Ok(self.sums(asked, again).await?.series)
    }

    async fn sums<'a>(&self, asked: &SumsQuery, new: impl Fn() -> Sums<'a>) -> Result<Sums<'a>, AdminError> {
        let mut result = Err(StoreError::Stale);
        for _ in 0..ATTEMPTS {
            let mut sums = new();
            result = self.0.store.usage_sums(asked, &mut |sum| sums.add(sum)).await;
            match &result {
                Ok(()) => return Ok(sums),
                Err(StoreError::Stale) => {}
                Err(_) => break,
            }
        }
        let error = result.err().unwrap_or(StoreError::Stale);
        Err(fault::internal("the usage cannot be read", &error))
    }
}

/// Microseconds of loading, and cold answers.
type Tax = (u64, u64);
/// Weekday from Monday, and hour.
type Hour = (usize, usize);

struct Sums<'a> {
    borders: &'a [u64],
    by: GroupBy,
    /// The viewer's, where hours are known.
    zone: Option<&'a TimeZone>,
    points: Vec<Tally>,
    groups: HashMap<String, Tally>,
    peak: Option<Box<[[u64; 24]; 7]>>,
    tax_by_model: HashMap<String, Tax>,
    tax_by_key: HashMap<String, Tax>,
    series: Option<Series>,
    /// Not only the series.
    groups_too: bool,
    /// Where sums of the last time seen belong: they come in the order of time, mostly.
    last: Option<(u64, usize, Option<Hour>)>,
}

impl<'a> Sums<'a> {
    fn new(borders: &'a [u64], by: GroupBy, zone: Option<&'a TimeZone>, series: Option<Series>) -> Self {
        Self {
            borders,
            by,
            zone,
            points: vec![Tally::default(); borders.len().saturating_sub(1)],
            groups: HashMap::new(),
            peak: zone.map(|_| Box::new([[0; 24]; 7])),
            tax_by_model: HashMap::new(),
            tax_by_key: HashMap::new(),
            series,
            groups_too: true,
            last: None,
        }
    }

    fn place(&mut self, at: u64) -> (usize, Option<(usize, usize)>) {
        match self.last {
            Some((known, point, hour)) if known == at => (point, hour),
            _ => {
                let point = self.borders.partition_point(|&border| border <= at).saturating_sub(1);
                let hour = self.zone.and_then(|zone| zone::hour_of_week(zone, at));
                self.last = Some((at, point, hour));
                (point, hour)
            }
        }
    }

    fn add(&mut self, sum: &UsageSum<'_>) {
        let (point, hour) = self.place(sum.at);
        if let Some(series) = &mut self.series {
            series.add(point, sum);
        }
        if !self.groups_too {
            return;
        }
        if let Some(point) = self.points.get_mut(point) {
            point.add(sum);
        }
        with(&mut self.groups, names::id_of(self.by, sum), |group| group.add(sum));
        if let (Some(peak), Some((day, hour))) = (&mut self.peak, hour)
            && let Some(requests) = peak.get_mut(day).and_then(|day| day.get_mut(hour))
        {
            *requests = requests.saturating_add(sum.requests);
        }
        if sum.load_us > 0 || sum.cold > 0 {
            let add = |tax: &mut Tax| {
                *tax = (tax.0.saturating_add(sum.load_us), tax.1.saturating_add(sum.cold));
            };
            with(&mut self.tax_by_model, sum.model.unwrap_or(NO_MODEL), add);
            with(&mut self.tax_by_key, sum.key, add);
        }
    }
}

/// Changes the entry of that name. Most are there already, and looking costs no text of one's own.
fn with<T: Default>(map: &mut HashMap<String, T>, name: &str, change: impl FnOnce(&mut T)) {
    match map.get_mut(name) {
        Some(entry) => change(entry),
        None => change(map.entry(name.to_owned()).or_default()),
    }
}

fn groups(sums: HashMap<String, Tally>, by: GroupBy, names: &Names<'_>) -> (Vec<UsageGroup>, Option<OtherGroups>) {
    let mut sums: Vec<(String, Tally)> = sums.into_iter().collect();
    sums.sort_unstable_by(|(one, a), (other, b)| (Reverse(a.requests()), one).cmp(&(Reverse(b.requests()), other)));
    let rest = sums.split_off(sums.len().min(GROUPS));
    let groups = sums.iter().map(|(id, tally)| UsageGroup { of: names.group(by, id), figures: tally.figures() });
    let others = (!rest.is_empty()).then(|| {
        let mut all = Tally::default();
        rest.iter().for_each(|(_, tally)| all.merge(tally));
        OtherGroups { count: rest.len() as u64, figures: all.figures() }
    });
    (groups.collect(), others)
}

fn taxes(sums: HashMap<String, Tax>, name: impl Fn(&str) -> Named) -> Vec<ColdTax> {
    let mut sums: Vec<(String, Tax)> = sums.into_iter().collect();
    sums.sort_unstable_by(|(one, a), (other, b)| (Reverse(a), one).cmp(&(Reverse(b), other)));
    sums.truncate(GROUPS);
    sums.into_iter().map(|(id, (load_us, cold))| ColdTax { of: name(&id), cold, load_us }).collect()
}
