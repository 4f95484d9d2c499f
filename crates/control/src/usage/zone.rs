//! Borders of hours, days and weeks in a time zone.

use domain::{error::AdminError, usage::report::Step};
use jiff::{
    Span, Timestamp, Zoned,
    civil::{Date, Weekday},
    tz::TimeZone,
};

const HOUR: u64 = 3_600_000;

/// The zone of that name; empty is UTC.
pub(super) fn zone(name: &str) -> Result<TimeZone, AdminError> {
    let unknown = || AdminError::invalid("zone", "must be the name of a time zone, such as Europe/Berlin");
    match name.trim() {
        "" => Ok(TimeZone::UTC),
        name if name.len() > 64 => Err(unknown()),
        name => TimeZone::get(name).map_err(|_| unknown()),
    }
}

fn at(zone: &TimeZone, unix_ms: u64) -> Option<Zoned> {
    let timestamp = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(timestamp.to_zoned(zone.clone()))
}

fn unix_ms(zoned: &Zoned) -> Option<u64> {
    // A first day may begin before 1970.
    Some(u64::try_from(zoned.timestamp().as_millisecond()).unwrap_or(0))
}

/// Starts of the steps that together hold `from..to`, and the end of the last: each once, in order. `None` where the
/// calendar ends.
pub(super) fn borders(zone: &TimeZone, step: Step, from: u64, to: u64) -> Option<Vec<u64>> {
    let mut borders = Vec::new();
    if step == Step::Hour {
        // An hour is as long everywhere; only where it begins is the zone's matter.
        let past = at(zone, from)?.offset().seconds().rem_euclid(3_600);
        let shift = u64::try_from(past).ok()? * 1_000;
        let mut border = (from + shift) / HOUR * HOUR;
        border = border.saturating_sub(shift);
        while border < to {
            borders.push(border);
            border += HOUR;
        }
        borders.push(border);
        return Some(borders);
    }
    let mut date = at(zone, from)?.date();
    let length = match step {
        Step::Week => {
            date = monday(date)?;
            Span::new().days(7)
        }
        _ => Span::new().days(1),
    };
    loop {
        // The first moment of a day, also where the clock skips midnight.
        let border = unix_ms(&date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?)?;
        if borders.last() != Some(&border) {
            borders.push(border);
        }
        if border >= to {
            return Some(borders);
        }
        date = date.checked_add(length).ok()?;
    }
}

fn monday(date: Date) -> Option<Date> {
    let past = date.weekday().since(Weekday::Monday);
    date.checked_sub(Span::new().days(i64::from(past))).ok()
}

/// Day of the week (Monday is 0) and hour of the day.
pub(super) fn hour_of_week(zone: &TimeZone, unix_ms: u64) -> Option<(usize, usize)> {
    let zoned = at(zone, unix_ms)?;
    let day = usize::try_from(zoned.weekday().to_monday_zero_offset()).ok()?;
    Some((day, usize::try_from(zoned.hour()).ok()?))
}

/// First moment of a day as `2026-12-31`, and the one after its last; `None` where that is no day of the calendar.
pub(super) fn day(zone: &TimeZone, text: &str) -> Option<(u64, u64)> {
    let date: Date = (text.len() == 10).then(|| text.parse().ok())??;
    let start = |date: Date| unix_ms(&date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?);
    Some((start(date)?, start(date.checked_add(Span::new().days(1)).ok()?)?))
}

/// The start of a step, for people: its day, and of an hour its time.
pub(super) fn label(zone: &TimeZone, step: Step, unix_ms: u64) -> String {
    let form = if step == Step::Hour { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
    at(zone, unix_ms).map(|zoned| zoned.strftime(form).to_string()).unwrap_or_default()
}

/// Hours of the zone begin when those of UTC do, at each of these moments.
pub(super) fn has_whole_hours(zone: &TimeZone, moments: &[u64]) -> bool {
    moments.iter().all(|&moment| at(zone, moment).is_none_or(|zoned| zoned.offset().seconds() % 3_600 == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29T01:00:00Z, when Berlin goes on to summer time, and 2026-10-25T01:00:00Z, when it goes back.
    const SPRING: u64 = 1_774_746_000_000;
    const AUTUMN: u64 = 1_792_890_000_000;

    fn lengths(zone_name: &str, step: Step, from: u64, to: u64) -> Vec<u64> {
        let borders = borders(&zone(zone_name).unwrap(), step, from, to).unwrap();
        assert!(borders[0] <= from && *borders.last().unwrap() >= to);
        borders.windows(2).map(|pair| (pair[1] - pair[0]) / HOUR).collect()
    }

    #[test]
    fn days_of_a_change_are_shorter_or_longer() {
        let berlin = "Europe/Berlin";
        assert_eq!(lengths(berlin, Step::Day, SPRING - 24 * HOUR, SPRING + 24 * HOUR), [24, 23, 24]);
        assert_eq!(lengths(berlin, Step::Day, AUTUMN - 24 * HOUR, AUTUMN + 24 * HOUR), [24, 25, 24]);
        assert_eq!(lengths(berlin, Step::Week, SPRING, SPRING + 1), [167]);
        assert_eq!(lengths(berlin, Step::Week, AUTUMN, AUTUMN + 1), [169]);
        assert_eq!(lengths(berlin, Step::Hour, AUTUMN - HOUR, AUTUMN + 2 * HOUR), [1, 1, 1]);
        assert_eq!(lengths("", Step::Day, SPRING, SPRING + 1), [24]);
        // In Sao Paulo of 2018 the fourth of November began at one o'clock.
        let skipped = 1_541_300_400_000;
        assert_eq!(lengths("America/Sao_Paulo", Step::Day, skipped, skipped + 1), [23]);
    }

    #[test]
    fn the_hour_that_comes_twice_is_the_same_hour_of_the_week() {
        let berlin = zone("Europe/Berlin").unwrap();
        let of = |at| hour_of_week(&berlin, at).unwrap();
        assert_eq!((of(SPRING - HOUR), of(SPRING)), ((6, 1), (6, 3)));
        assert_eq!((of(AUTUMN - HOUR), of(AUTUMN), of(AUTUMN + HOUR)), ((6, 2), (6, 2), (6, 3)));
    }

    #[test]
    fn half_hours_are_told_and_hours_begin_with_the_zones() {
        let (india, berlin) = (zone("Asia/Kolkata").unwrap(), zone("Europe/Berlin").unwrap());
        assert!(!has_whole_hours(&india, &[SPRING]) && has_whole_hours(&berlin, &[SPRING, AUTUMN]));
        let hours = borders(&india, Step::Hour, SPRING, SPRING + HOUR).unwrap();
        assert_eq!(hours, [SPRING - HOUR / 2, SPRING + HOUR / 2, SPRING + 3 * HOUR / 2]);
    }

    #[test]
    fn days_are_those_of_the_zone_and_nothing_else_is_a_day() {
        let (berlin, utc) = (zone("Europe/Berlin").unwrap(), TimeZone::UTC);
        let (from, to) = day(&berlin, "2026-03-29").unwrap();
        assert_eq!((to - from) / HOUR, 23);
        assert_eq!(label(&berlin, Step::Day, from), "2026-03-29");
        assert_eq!(label(&utc, Step::Hour, from), "2026-03-28 23:00");
        for odd in ["", "yesterday", "2026-02-30", "2026-3-29", "2026-03-29T01:00", "9999-12-31"] {
            assert_eq!(day(&berlin, odd), None, "{odd}");
        }
    }

    #[test]
    fn names_that_are_no_zone_are_refused() {
        for name in ["Mars/Olympus", "../../etc/passwd", "Europe/Berlin\0", &"x".repeat(65)] {
            assert!(zone(name).unwrap_err().field("zone").is_some(), "{name}");
        }
        assert!(zone(" America/New_York ").is_ok());
    }
}
