//! How sizes, times and what to do next are said.

use domain::models::AskModels;
use gateway::holdings::{Held, Holdings, InMemory};

/// Letters of a digest that tell one from another, as Ollama's own list shows them.
const DIGITS: usize = 12;
/// Whoever expires that far in the future was told to stay.
const FOR_EVER_S: i64 = 100 * 365 * 24 * 3_600;

pub(super) fn digest(whole: &str) -> String {
    whole.chars().take(DIGITS).collect()
}

/// `2.0 GB`; nothing for nothing.
pub(crate) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
    let text = |unit, name| format!("{}.{} {name}", tenths(unit) / 10, tenths(unit) % 10);
    match bytes {
        0 => String::new(),
        1..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => text(1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => text(1_000_000_000, "GB"),
        _ => text(1_000_000_000_000, "TB"),
    }
}

pub(super) fn facts(held: Held<'_>) -> Vec<String> {
    let texts = [size(held.size()), held.parameters().into(), held.quantization().into(), held.family().into()];
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// Where it lies and for how long.
pub(crate) fn warm(loaded: InMemory, now: i64) -> String {
    let InMemory { size: all, vram, expires } = loaded;
    let place = match (all, vram) {
        (0, 0) => None,
        (all, 0) => Some(format!("{} in main memory", size(all))),
        (all, vram) if vram < all => Some(format!("{} of {} in VRAM", size(vram), size(all))),
        (_, vram) => Some(format!("{} in VRAM", size(vram))),
    };
    place.into_iter().chain([left(expires, now)]).collect::<Vec<_>>().join(", ")
}

/// How long a model stays without another request.
fn left(expires: i64, now: i64) -> String {
    match expires.saturating_sub(now) {
        ..=0 => "leaving now".to_owned(),
        1..60 => "less than a minute left".to_owned(),
        seconds @ 60..7_200 => format!("{} min left", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h left", seconds / 3_600),
        seconds if seconds > FOR_EVER_S => "until it is unloaded".to_owned(),
        seconds => format!("{} days left", seconds / 86_400),
    }
}

/// What to do where there is nothing to show; `of_one` on the page of one backend.
pub(super) fn next(fleet: &[Holdings], asked: &AskModels, of_one: bool) -> String {
    match () {
        () if asked.is_narrow() && !of_one => "No model fits. Search for less of the name, or leave the filters away.",
        () if of_one && !fleet.is_empty() => {
            "It has not told of any model yet. Pull one onto it, or see above whether it answers."
        }
        () => nothing(!fleet.is_empty()),
    }
    .to_owned()
}

/// What to do where the fleet has no model; `backends` where it has any of those.
pub(crate) fn nothing(backends: bool) -> &'static str {
    if backends {
        "No backend has told of a model yet. Pull one, or see on the Backends page whether they answer."
    } else {
        "No backend yet. Add the address of an Ollama, and its models appear here by themselves."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_said_in_one_unit() {
        for (bytes, text) in [
            (0, ""),
            (1, "1 kB"),
            (12_345_678, "12.3 MB"),
            (2_019_393_189, "2.0 GB"),
            (999_960_000, "1000.0 MB"),
            (1_250_000_000_000, "1.3 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        let texts = [-5, 30, 299, 7_199, 7_200, 200_000, 300 * 365 * 86_400].map(|after| left(1_000 + after, 1_000));
        let said = [
            "leaving now",
            "less than a minute left",
            "4 min left",
            "119 min left",
            "2 h left",
            "2 days left",
            "until it is unloaded",
        ];
        assert_eq!(texts, said);
    }

    #[test]
    fn a_model_that_is_not_wholly_on_graphics_cards_says_so() {
        let said = |size, vram| warm(InMemory { size, vram, expires: 300 }, 0);
        assert_eq!(said(5_000_000_000, 5_000_000_000), "5.0 GB in VRAM, 5 min left");
        assert_eq!(said(5_000_000_000, 2_000_000_000), "2.0 GB of 5.0 GB in VRAM, 5 min left");
        assert_eq!(said(5_000_000_000, 0), "5.0 GB in main memory, 5 min left");
        assert_eq!(said(0, 0), "5 min left");
    }
}
