//! Points in time as forms and command line write them, always UTC. A few lines of calendar in place of a library, because
//! this is compiled into the browser.

const DAY: u64 = 86_400;
/// The year 9999 ends here, and with it the four digits.
const LATEST: u64 = 253_402_300_800;

/// Unix milliseconds of `2026-12-31`, `2026-12-31T23:59`, `2026-12-31 23:59:59` or either with `Z` behind it. A day alone
/// is its end.
pub fn parse_utc(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let day = days(date)?;
    let seconds = match time {
        None => DAY,
        Some(time) => {
            let mut parts = time.split(':');
            let mut next = |below: u64| number(parts.next()?, 2).filter(|&value| value < below);
            let (hour, minute) = (next(24)?, next(60)?);
            let second = if time.len() > 5 { next(60)? } else { 0 };
            if parts.next().is_some() {
                return None;
            }
            hour * 3_600 + minute * 60 + second
        }
    };
    Some((day * DAY + seconds) * 1_000)
}

/// `2026-12-31T23:59`, with seconds where they are not 0: what a browser's field for date and time takes.
pub fn format_utc(unix_ms: u64) -> String {
    let seconds = (unix_ms / 1_000).min(LATEST - 1);
    let (year, month, day) = civil(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3_600, seconds % 3_600 / 60, seconds % 60);
    let tail = if second == 0 { String::new() } else { format!(":{second:02}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}{tail}")
}

/// Days since 1970, for counts that begin anew each day of UTC.
pub fn day_of(unix_ms: u64) -> u64 {
    unix_ms / 1_000 / DAY
}

/// Months since 1970, for counts that begin anew each month of UTC.
pub fn month_of(unix_ms: u64) -> u64 {
    let (year, month, _) = civil(day_of(unix_ms));
    (year - 1970) * 12 + month - 1
}

/// Unix milliseconds at which the day begins that [`day_of`] counts.
pub fn day_begins(day: u64) -> u64 {
    day.saturating_mul(DAY * 1_000)
}

/// Unix milliseconds at which the month begins that [`month_of`] counts.
pub fn month_begins(month: u64) -> u64 {
    day_begins(from_civil(1970 + month / 12, month % 12 + 1, 1))
}

/// Days since 1970 of `2026-12-31`.
fn days(date: &str) -> Option<u64> {
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let good = parts.next().is_none()
        && year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day);
    good.then(|| from_civil(year, month, day))
}

fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years begin in March here, so that the leap day is the last one; eras of 400 years have 146,097 days.
fn from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + of_year;
    (year / 400) * 146_097 + of_era - 719_468
}

/// Year, month and day of a number of days since 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = (days / 146_097) * 400 + year_of_era + u64::from(month <= 2);
    (year, month, of_year - (153 * march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_is_offered() {
        for (text, seconds) in [
            ("1970-01-01", DAY),
            ("1970-01-01T00:00", 0),
            ("2026-11-22T10:30", 1_795_343_400),
            ("2026-11-22 10:30:05Z", 1_795_343_405),
            ("2028-02-29", 1_835_481_600),
            (" 9999-12-31 ", LATEST),
        ] {
            assert_eq!(parse_utc(text), Some(seconds * 1_000), "{text}");
        }
        for bad in [
            "",
            "tomorrow",
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "2026-01-01T24:00",
            "2026-01-01T1:00",
            "2026-01-01T10:00:00.5",
            "2026-01-01T10:00+02:00",
            "1969-12-31",
            "+026-01-01",
            "2026-01-01-01",
            "2026-01-01T10",
        ] {
            assert_eq!(parse_utc(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_comes_back_as_it_was() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..80_000 {
            assert_eq!((civil(number), from_civil(year, month, day)), ((year, month, day), number));
            day += 1;
            if day > days_of(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        for month in 0..2_400 {
            let begins = month_begins(month);
            assert_eq!((month_of(begins), begins % 86_400_000), (month, 0));
            assert!(month == 0 || month_of(begins - 1) == month - 1);
        }
        for seconds in [0, 59, 86_399, 1_795_343_405, LATEST - 1] {
            assert_eq!(parse_utc(&format_utc(seconds * 1_000)), Some(seconds * 1_000));
        }
    }
}
