//! The options of a request as they are typed, and what they mean.

use super::json::quote;

/// How many there are.
pub(super) const COUNT: usize = 7;

/// Name, label, and what it holds or means.
pub(super) const OPTIONS: [(&str, &str, &str); COUNT] = [
    ("temperature", "Temperature", "0 to 2"),
    ("top_p", "Top p", "0 to 1"),
    ("num_ctx", "Context (num_ctx)", "tokens; another than usual loads the model anew"),
    ("num_predict", "Longest answer (num_predict)", "tokens, -1 for no bound"),
    ("seed", "Seed", "a whole number"),
    ("keep_alive", "Keep loaded (keep_alive)", "5m, 1h30m, seconds, or -1 for ever"),
    ("think", "Thinking", "on, off, or low, medium, high"),
];

/// What was typed, in that order.
pub(super) type Typed = [String; COUNT];
/// What is wrong with each.
pub(super) type Faults = [Option<&'static str>; COUNT];

/// What a request says of them, each as JSON; nothing of what is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub keep_alive: Option<String>,
    pub think: Option<String>,
    /// Those that are a model's own, with their names.
    pub numbers: Vec<(&'static str, String)>,
}

impl Options {
    /// Reads what was typed, or tells every fault beside its field.
    pub fn read(typed: &Typed) -> Result<Self, Faults> {
        let (mut read, mut faults) = (Self::default(), Faults::default());
        for (((name, ..), text), fault) in OPTIONS.iter().zip(typed).zip(&mut faults) {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let (value, why) = match *name {
                "temperature" => (decimal(text, 2), "must be a number from 0 to 2"),
                "top_p" => (decimal(text, 1), "must be a number from 0 to 1"),
                "num_ctx" => (whole(text, 1, 10_000_000), "must be a whole number from 1 to 10000000"),
                "num_predict" => (whole(text, -2, 10_000_000), "must be a whole number from -2 to 10000000"),
                "seed" => (whole(text, 0, 0xffff_ffff), "must be a whole number from 0 to 4294967295"),
                "keep_alive" => (keep_alive(text), "must be seconds, or a time like 5m or 1h30m"),
                _ => (think(text), "must be on, off, low, medium or high"),
            };
            match (value, *name) {
                (None, _) => *fault = Some(why),
                (value, "keep_alive") => read.keep_alive = value,
                (value, "think") => read.think = value,
                (Some(value), name) => read.numbers.push((name, value)),
            }
        }
        if faults.iter().any(Option::is_some) { Err(faults) } else { Ok(read) }
    }
}

/// Only digits with one point or comma; the text of the same number as JSON has it.
fn decimal(text: &str, most: u64) -> Option<String> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let are_digits = |text: &str| text.len() < 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(part) || whole.is_empty() && part.is_empty() {
        return None;
    }
    let (number, part) = (if whole.is_empty() { 0 } else { whole.parse().ok()? }, part.trim_end_matches('0'));
    let fits = number < most || number == most && part.is_empty();
    fits.then(|| if part.is_empty() { number.to_string() } else { format!("{number}.{part}") })
}

fn whole(text: &str, least: i64, most: i64) -> Option<String> {
    let number: i64 = text.parse().ok()?;
    (least..=most).contains(&number).then(|| number.to_string())
}

fn keep_alive(text: &str) -> Option<String> {
    whole(text, -1, 31_536_000).or_else(|| is_duration(text).then(|| quote(text)))
}

fn think(text: &str) -> Option<String> {
    match text {
        "on" => Some("true".to_owned()),
        "off" => Some("false".to_owned()),
        "low" | "medium" | "high" => Some(quote(text)),
        _ => None,
    }
}

/// Numbers with units, as Go writes times.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let known = ["ms", "h", "m", "s"].into_iter().find_map(|known| unit.strip_prefix(known));
        match known {
            Some(after) if unit.len() < rest.len() => rest = after,
            _ => return false,
        }
    }
    !text.trim_start_matches('-').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(at: usize, text: &str) -> Typed {
        let mut typed = Typed::default();
        typed[at] = text.to_owned();
        typed
    }

    #[test]
    fn good_values_are_taken_and_others_told_beside_their_fields() {
        for (at, good, bad) in [
            (0, "0,7", "2.1"),
            (0, ".50", "."),
            (0, "2.0", "1e0"),
            (0, "1.", "1,2,3"),
            (0, "0", "NaN"),
            (1, "1", "-0.1"),
            (2, "4096", "0"),
            (2, " 8192 ", "4k"),
            (3, "-1", "-3"),
            (4, "0", "1.5"),
            (5, "5m", "5 minutes"),
            (5, "1h30m", "m"),
            (5, "-1", "-"),
            (5, "0", "10x"),
            (6, "off", "maybe"),
        ] {
            assert!(Options::read(&typed(at, good)).is_ok_and(|options| options != Options::default()), "{good}");
            let faults = Options::read(&typed(at, bad)).unwrap_err();
            let faulty: Vec<usize> = (0..COUNT).filter(|at| faults[*at].is_some()).collect();
            assert_eq!(faulty, [at], "{bad}");
        }
        assert_eq!(Options::read(&Typed::default()), Ok(Options::default()));
        for (given, json) in [("0,70", "0.7"), (".5", "0.5"), ("2.000", "2"), ("007", ""), ("0.000", "0")] {
            let read = Options::read(&typed(0, given)).unwrap_or_default().numbers;
            assert_eq!(read.first().map(|(_, json)| json.as_str()).unwrap_or_default(), json, "{given}");
        }
    }
}
