//! What a client got, held against what it must get: all of the right answer, or a beginning of it and one error in the
//! caller's dialect, or an error instead of an answer. Anything else is wrong, whatever the backends did.

use super::call::{Call, Kind};

/// What came of one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub status: u16,
    pub body: Vec<u8>,
    /// The answer came to the end that its framing names.
    pub clean: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Complete,
    /// Failed as a call may fail: an error instead of an answer (`begun` is false), or behind the beginning of one.
    Failed {
        begun: bool,
        message: String,
    },
    /// No gateway may answer so.
    Wrong(String),
}

/// What a whole answer is said to have failed by that was cut in its middle: nothing can be put into it.
pub const CUT: &str = "the answer was cut";

pub fn judge(call: &Call, heard: &Heard) -> Verdict {
    let Heard { status, body, clean } = heard;
    if *status != 200 {
        return refused(call.kind, *status, body, *clean);
    }
    let answer = call.answer();
    match (clean, answer.starts_with(body)) {
        (true, true) if body.len() == answer.len() => Verdict::Complete,
        (true, true) => Verdict::Wrong(format!("a clean end after {} of {} bytes", body.len(), answer.len())),
        (true, false) => Verdict::Wrong(format!("a clean end after other bytes: {}", shown(body))),
        (false, true) if !call.kind.is_stream() => Verdict::Failed { begun: !body.is_empty(), message: CUT.to_owned() },
        (false, true) => Verdict::Wrong(format!("it broke off after {} bytes without an error", body.len())),
        (false, false) => match in_band(call.kind, body) {
            Some((before, message)) if begins(&answer, before) => Verdict::Failed { begun: true, message },
            Some((before, _)) => Verdict::Wrong(format!("other bytes before the error: {}", shown(before))),
            None => Verdict::Wrong(format!("other bytes: {}", shown(body))),
        },
    }
}

/// Of a call that its client gave up: what came until then.
pub fn is_beginning(call: &Call, body: &[u8]) -> bool {
    let answer = call.answer();
    let told = || in_band(call.kind, body).is_some_and(|(before, _)| begins(&answer, before));
    answer.starts_with(body) || told()
}

fn refused(kind: Kind, status: u16, body: &[u8], clean: bool) -> Verdict {
    let message = std::str::from_utf8(body).ok().and_then(|text| kind.message(text));
    match message {
        Some(message) if clean => Verdict::Failed { begun: false, message: format!("{status} {message}") },
        Some(_) => Verdict::Wrong(format!("{status} whose error was cut: {}", shown(body))),
        None => Verdict::Wrong(format!("{status} in another dialect: {}", shown(body))),
    }
}

/// What stands before the one error at the end, and its message.
fn in_band(kind: Kind, body: &[u8]) -> Option<(&[u8], String)> {
    let (mark, end): (&[u8], &[u8]) = match kind {
        Kind::Chat => (b"{\"error\":", b"\n"),
        Kind::OpenAi => (b"data: {\"error\":", b"\n\n"),
        Kind::Generate => return None,
    };
    let at = body.windows(mark.len()).position(|window| window == mark)?;
    let (before, error) = body.split_at(at);
    let text = std::str::from_utf8(error.strip_suffix(end)?).ok()?;
    let message = kind.message(text.strip_prefix("data: ").unwrap_or(text))?;
    Some((before, message))
}

/// A beginning of the answer, and the newlines that put the error on a line of its own: one, or two where an event was cut.
fn begins(answer: &[u8], before: &[u8]) -> bool {
    let gap = before.iter().rev().take(2).take_while(|byte| **byte == b'\n').count();
    (0..=gap).any(|own| answer.starts_with(&before[..before.len() - own]))
}

fn shown(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(300);
    format!("…{}", bytes[from..].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::{super::call::tests::call, *};

    fn verdict(kind: Kind, status: u16, body: impl Into<Vec<u8>>, clean: bool) -> Verdict {
        judge(&call(kind), &Heard { status, body: body.into(), clean })
    }

    fn is_wrong(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Wrong(_))
    }

    #[test]
    fn the_whole_answer_is_complete_and_nothing_else_with_a_clean_end_is_right() {
        for kind in Kind::ALL {
            let answer = call(kind).answer();
            assert_eq!(verdict(kind, 200, answer.clone(), true), Verdict::Complete);
            for cut in [0, 1, answer.len() / 2, answer.len() - 1] {
                assert!(is_wrong(&verdict(kind, 200, &answer[..cut], true)), "{kind:?} cut at {cut}");
                let mut other = answer.clone();
                other[cut] ^= 1;
                assert!(is_wrong(&verdict(kind, 200, other.clone(), true)), "{kind:?} changed at {cut}");
                assert!(is_wrong(&verdict(kind, 200, other, false)), "{kind:?} changed at {cut}, then cut");
            }
            assert!(is_wrong(&verdict(kind, 200, [&answer[..], b"\n"].concat(), true)));
        }
    }

    #[test]
    fn a_stream_that_dies_ends_in_one_error_wherever_it_was_cut_and_never_cleanly() {
        let error = |gap: &str, kind: Kind| match kind {
            Kind::OpenAi => format!("{gap}data: {}\n\n", kind.error("gone")),
            _ => format!("{gap}{}\n", kind.error("gone")),
        };
        for kind in [Kind::Chat, Kind::OpenAi] {
            let call = Call { chunks: 1, ..call(kind) };
            let answer = call.answer();
            let verdict = |body: Vec<u8>, clean| judge(&call, &Heard { status: 200, body, clean });
            for cut in 0..=answer.len() {
                let gap = match (kind, answer[..cut].last()) {
                    (Kind::Chat, None | Some(b'\n')) => "",
                    (Kind::Chat, _) | (_, None | Some(b'\n')) => "\n",
                    _ => "\n\n",
                };
                let told = [&answer[..cut], error(gap, kind).as_bytes()].concat();
                let failed = Verdict::Failed { begun: true, message: "gone".into() };
                assert_eq!(verdict(told.clone(), false), failed, "{kind:?} cut at {cut}");
                assert!(is_beginning(&call, &told));
                assert!(is_wrong(&verdict(told.clone(), true)), "a clean end");
                assert!(is_wrong(&verdict([told, error("", kind).into()].concat(), false)), "two errors");
                assert!(is_wrong(&verdict(answer[..cut].to_vec(), false)), "no error");
            }
            let lost = [&answer[1..20], error("\n", kind).as_bytes()].concat();
            assert!(is_wrong(&verdict(lost, false)), "a byte is missing before the error");
        }
    }

    #[test]
    fn a_whole_answer_may_be_cut_and_an_error_must_be_whole_and_in_the_callers_dialect() {
        let answer = call(Kind::Generate).answer();
        let cut = Verdict::Failed { begun: true, message: CUT.into() };
        assert_eq!(verdict(Kind::Generate, 200, &answer[..9], false), cut);
        for (kind, other) in [(Kind::Chat, Kind::OpenAi), (Kind::OpenAi, Kind::Chat), (Kind::Generate, Kind::OpenAi)] {
            let failed = Verdict::Failed { begun: false, message: "503 busy".into() };
            assert_eq!(verdict(kind, 503, kind.error("busy"), true), failed);
            assert!(is_wrong(&verdict(kind, 503, kind.error("busy"), false)));
            assert!(is_wrong(&verdict(kind, 503, other.error("busy"), true)));
            assert!(is_wrong(&verdict(kind, 502, "Bad Gateway", true)));
        }
    }
}
