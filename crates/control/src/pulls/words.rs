//! Amounts and times of downloads in words, made here so that pages and command line say the same.

use crate::models::words::size;

/// Bytes as people say them, in decimal units as Ollama has them: `4.7 GB`.
pub(super) fn bytes(count: u64) -> String {
    if count < 1_000 { format!("{count} B") } else { size(count) }
}

/// A share in words: `1.2 GB of 4.7 GB`.
pub(super) fn share(completed: u64, total: u64) -> String {
    format!("{} of {}", bytes(completed), bytes(total))
}

/// A stretch of time: `40 s`, `5 min`, `2 h 5 min`.
pub(super) fn stretch(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_said_as_people_say_them() {
        for (count, text) in [(0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (4_700_000_000, "4.7 GB")] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(share(1_200_000, 4_700_000_000), "1.2 MB of 4.7 GB");
        assert_eq!(
            [0, 59, 60, 61, 3_599, 7_500].map(stretch),
            ["0 s", "59 s", "1 min", "2 min", "60 min", "2 h 5 min"]
        );
    }
}
