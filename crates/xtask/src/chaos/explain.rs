//! Which row of the table of faults a failed call belongs to. A row is an explanation only where a backend was at that fault
//! while the call ran: an error without a cause in the schedule stays unexplained.

use super::{fleet::Window, schedule::Mode};

/// A call that failed, as its client saw it.
#[derive(Clone, Debug)]
pub struct Failed {
    pub id: String,
    pub path: String,
    /// Behind the beginning of an answer.
    pub begun: bool,
    /// The status and the words of an error instead of an answer, or the words behind the beginning of one.
    pub message: String,
    pub begin_us: u64,
    pub end_us: u64,
}

/// Rows and what they stand for, in the order of the report.
pub const ROWS: [(&str, &str); 8] = [
    ("R01", "refused, and nobody else could be reached"),
    ("R02", "died before a byte of the answer"),
    ("R03", "died in the middle of the answer"),
    ("R04", "no first byte in time"),
    ("R05", "stalled in the middle of the answer"),
    ("R06", "its own 500 or 503, passed on"),
    ("R18", "what it sent was no HTTP"),
    ("R23", "all ejected"),
];

/// A fault is noticed a moment after it began, and what it broke may end a moment after it ended.
const SLACK_US: u64 = 300_000;

/// The faults that lead to such words, the likelier first, each with its row.
fn causes(failed: &Failed) -> &'static [(Mode, &'static str)] {
    use Mode::{Busy, Dead, Drop, Fail, Frozen, Garbage, Hang, Mangle, Reset, Stall};
    const BROKEN: &[(Mode, &str)] = &[(Dead, "R03"), (Reset, "R03"), (Mangle, "R18")];
    const STALLED: &[(Mode, &str)] = &[(Stall, "R05"), (Frozen, "R05")];
    const CUT: &[(Mode, &str)] = &[(Dead, "R03"), (Reset, "R03"), (Stall, "R05"), (Frozen, "R05")];
    let has = |words: &str| failed.message.contains(words);
    match (failed.begun, failed.message.get(..3)) {
        (true, _) if has("the backend broke off before the end of its answer") => BROKEN,
        (true, _) if has("the backend stopped sending before the end of its answer") => STALLED,
        (true, _) if has("the answer was cut") => CUT,
        (false, Some("500")) if has("llama runner process has terminated") => &[(Fail, "R06")],
        (false, Some("503")) if has("server busy, please try again.") => &[(Busy, "R06")],
        (false, Some("503")) if has("can be reached") => &[(Dead, "R01")],
        (false, Some("503")) if has("busy") => &[(Busy, "R06")],
        (false, Some("502")) if has("closed the connection before it answered") => {
            &[(Dead, "R02"), (Drop, "R02"), (Reset, "R02")]
        }
        (false, Some("502")) if has("could not be understood") => &[(Garbage, "R18"), (Dead, "R02")],
        (false, Some("504")) => &[(Hang, "R04"), (Frozen, "R04")],
        _ => &[],
    }
}

/// The row, where there is one. `backends` is how many there are.
pub fn row(failed: &Failed, windows: &[Window], backends: usize) -> Option<&'static str> {
    let before = |window: &Window| window.from <= failed.end_us + SLACK_US;
    let during = |window: &Window| before(window) && window.to.saturating_add(SLACK_US) >= failed.begin_us;
    if !failed.begun && failed.message.starts_with("503 no backend that has this model is available") {
        // Ejections outlast the faults that led to them, so that every backend must have been at one.
        let all = (0..backends).all(|backend| windows.iter().any(|window| window.backend == backend && before(window)));
        return all.then_some("R23");
    }
    // What was learned of a backend that said it is full outlasts its saying so: others wait for its slots.
    let waited = failed.message.contains("queue is full") || failed.message.contains("busy for too long");
    let causes = causes(failed);
    let caused = |mode: Mode| windows.iter().filter(move |window| window.mode == mode);
    causes
        .iter()
        .find(|(mode, _)| caused(*mode).any(|window| if waited { before(window) } else { during(window) }))
        .map(|(_, row)| *row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(begun: bool, message: &str) -> Failed {
        let (id, path) = ("1".to_owned(), "/api/chat".to_owned());
        Failed { id, path, begun, message: message.to_owned(), begin_us: 10_000_000, end_us: 12_000_000 }
    }

    fn window(backend: usize, mode: Mode, from: u64, to: u64) -> Window {
        Window { backend, mode, from: from * 1_000_000, to: to.saturating_mul(1_000_000) }
    }

    #[test]
    fn a_failure_is_explained_by_a_fault_of_its_kind_while_it_ran_and_by_no_other() {
        let broke = failed(true, "the backend broke off before the end of its answer");
        assert_eq!(row(&broke, &[window(0, Mode::Dead, 11, 15)], 1), Some("R03"));
        assert_eq!(row(&broke, &[window(0, Mode::Mangle, 5, 11)], 1), Some("R18"));
        assert_eq!(row(&broke, &[window(0, Mode::Dead, 1, 9)], 1), None, "it was over");
        assert_eq!(row(&broke, &[window(0, Mode::Dead, 13, 15)], 1), None, "it came later");
        assert_eq!(row(&broke, &[window(0, Mode::Busy, 9, 15)], 1), None, "a full queue breaks nothing off");
        let late = failed(false, "504 the backend did not begin to answer in time");
        assert_eq!(row(&late, &[window(0, Mode::Hang, 9, 10)], 1), Some("R04"));
        for words in ["500 internal error", "401 invalid API key", "503 the gateway is shutting down", "429 x"] {
            assert_eq!(row(&failed(false, words), &[window(0, Mode::Dead, 9, 15)], 1), None, "{words}");
        }
    }

    #[test]
    fn nobody_being_left_needs_a_fault_of_everybody() {
        let nobody = failed(false, "503 no backend that has this model is available, try again in a moment");
        let one = window(0, Mode::Stall, 1, 2);
        assert_eq!(row(&nobody, std::slice::from_ref(&one), 2), None);
        assert_eq!(row(&nobody, &[one, window(1, Mode::Dead, 9, 20)], 2), Some("R23"));
    }
}
