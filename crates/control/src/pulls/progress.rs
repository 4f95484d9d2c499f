//! How far a backend is with a pull, made of the lines of its answer. Pure: knows no connection and no clock. Whatever a
//! backend sends ends in a bounded state or in a word for why it is no progress.

use std::{collections::VecDeque, time::Duration};

use domain::pull::PullState;
use gateway::upkeep::words_of;
use serde::Deserialize;
use tokio::time::Instant;

/// Most layers of one model. Ollama's have a few; one made of single tensors has some hundreds.
const MOST_LAYERS: usize = 1_000;
/// Longest digest that is kept: `sha256:` and 64 digits have 71 characters.
const LONGEST_DIGEST: usize = 100;
/// Over so long a time the speed is measured, in steps of this.
const WINDOW: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(500);
/// So long nothing has to come until that is told: Ollama goes on saying how far it is while its registry is silent.
const IDLE: Duration = Duration::from_secs(30);
/// A pull without a line for so long has failed: Ollama sends several a second while anything comes.
const SILENCE: Duration = Duration::from_secs(180);
/// A layer of many gigabytes is verified without a line.
const VERIFYING_SILENCE: Duration = Duration::from_secs(1_800);

/// In place of an error without words.
const NO_WORDS: &str = "it says that it failed, and not why";

/// One line. Members of other kinds than these make it no progress; members of other names are Ollama's own business.
#[derive(Deserialize)]
struct Line {
    status: Option<String>,
    error: Option<String>,
    digest: Option<String>,
    total: Option<u64>,
    completed: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    pub digest: String,
    pub total: u64,
    pub completed: u64,
}

/// What is known of a pull that runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The backend's last words.
    pub said: String,
    pub layers: Vec<Layer>,
    verifying: bool,
    success: bool,
    /// Bytes that came since it was first heard of each layer: what a backend had from before took no time.
    came: u64,
    /// When bytes came last, or the backend said something else than before.
    moved: Option<Instant>,
    /// `came` at some moments of late, oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Progress {
    /// Takes a line in. The error is why the pull has failed, in the backend's own words where it has some.
    pub fn take(&mut self, line: &[u8], now: Instant) -> Result<(), String> {
        let strange = || {
            let start: String = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
            format!("it sent what is no progress of a pull: {}", words_of(&start))
        };
        let line: Line = serde_json::from_slice(line).map_err(|_| strange())?;
        if let Some(error) = line.error {
            let words = words_of(&error);
            return Err(if words.trim().is_empty() { NO_WORDS.to_owned() } else { words });
        }
        let status = line.status.ok_or_else(strange)?;
        self.success = status == "success";
        self.verifying = ["verifying", "writing", "removing"].iter().any(|start| status.starts_with(start));
        let (said, came) = (words_of(&status), self.came);
        let is_new = said != self.said;
        self.said = said;
        if let (Some(digest), Some(total)) = (line.digest.filter(|digest| !digest.is_empty()), line.total) {
            self.layer(digest.chars().take(LONGEST_DIGEST).collect(), total, line.completed.unwrap_or(0))?;
        }
        if is_new || self.came > came {
            self.moved = Some(now);
        }
        self.sample(now);
        Ok(())
    }

    fn layer(&mut self, digest: String, total: u64, completed: u64) -> Result<(), String> {
        let completed = completed.min(total);
        let count = self.layers.len();
        match self.layers.iter_mut().find(|layer| layer.digest == digest) {
            Some(layer) => {
                self.came = self.came.saturating_add(completed.saturating_sub(layer.completed));
                (layer.total, layer.completed) = (total, completed);
            }
            None if count >= MOST_LAYERS => {
                return Err(format!("it names more than {MOST_LAYERS} layers, and no model has as many"));
            }
            None => self.layers.push(Layer { digest, total, completed }),
        }
        Ok(())
    }

    fn sample(&mut self, now: Instant) {
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= STEP) {
            self.samples.push_back((now, self.came));
        }
        while self.samples.len() > 1 && self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.samples.pop_front();
        }
    }

    /// The backend says that the model is there.
    pub fn is_success(&self) -> bool {
        self.success
    }

    pub fn state(&self) -> PullState {
        if self.verifying || self.success { PullState::Verifying } else { PullState::Running }
    }

    /// How long a line may be waited for.
    pub fn patience(&self) -> Duration {
        if self.verifying { VERIFYING_SILENCE } else { SILENCE }
    }

    /// How long nothing has come, where that is long for a download.
    pub fn idle(&self, now: Instant) -> Option<Duration> {
        let idle = now.duration_since(self.moved?);
        (idle >= IDLE && self.state() == PullState::Running).then_some(idle)
    }

    /// Bytes of all layers, and how many of them are there.
    pub fn bytes(&self) -> (u64, u64) {
        let sum = |bytes: fn(&Layer) -> u64| self.layers.iter().map(bytes).fold(0, u64::saturating_add);
        (sum(|layer| layer.total), sum(|layer| layer.completed))
    }

    /// Bytes a second of late, while any come.
    pub fn speed(&self, now: Instant) -> Option<u64> {
        let (since, before) = self.samples.front()?;
        let milliseconds = now.duration_since(*since).as_millis();
        let came = u128::from(self.came.saturating_sub(*before));
        let speed = (came * 1_000).checked_div(milliseconds).filter(|_| self.state() == PullState::Running)?;
        u64::try_from(speed).ok().filter(|speed| *speed > 0)
    }
}

/// How long nothing was heard, as it is told.
pub(super) fn silent(patience: Duration) -> String {
    format!("nothing was heard of it for {} minutes, and the connection was given up", patience.as_secs() / 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(lines: &[&str]) -> Result<Progress, String> {
        let (mut progress, now) = (Progress::default(), Instant::now());
        lines.iter().try_for_each(|line| progress.take(line.as_bytes(), now))?;
        Ok(progress)
    }

    #[test]
    fn a_pull_goes_from_layers_to_verifying_to_success() {
        let layer = r#"{"status":"pulling 6a0746a1ec1a","digest":"sha256:6a","total":100,"completed":40}"#;
        let other = r#"{"status":"pulling 4fa551d4f938","digest":"sha256:4f","total":10}"#;
        let mut progress = after(&[r#"{"status":"pulling manifest"}"#, layer, other]).unwrap();
        assert_eq!((progress.state(), progress.bytes()), (PullState::Running, (110, 40)));
        assert_eq!(progress.patience(), SILENCE);
        progress.take(br#"{"status":"verifying sha256 digest"}"#, Instant::now()).unwrap();
        assert_eq!((progress.state(), progress.patience()), (PullState::Verifying, VERIFYING_SILENCE));
        assert!(!progress.is_success());
        progress.take(br#"{"status":"success"}"#, Instant::now()).unwrap();
        assert!(progress.is_success());
    }

    #[test]
    fn what_is_no_progress_fails_with_words_and_an_error_is_the_backends_own() {
        for (line, words) in [
            ("<html>hello</html>", "it sent what is no progress of a pull: <html>hello</html>"),
            (r#"{"hello":["world"]}"#, "it sent what is no progress"),
            ("[]", "it sent what is no progress"),
            ("null", "it sent what is no progress"),
            (r#"{"status":7}"#, "it sent what is no progress"),
            (r#"{"status":"pulling","digest":"a","total":-1}"#, "it sent what is no progress"),
            (r#"{"status":"pulling","digest":"a","total":1e300}"#, "it sent what is no progress"),
            ("\u{1b}[2J\u{7}", "it sent what is no progress of a pull: [2J"),
            (r#"{"error":" \n\u0007"}"#, NO_WORDS),
            (r#"{"error":"pull model manifest: file does not exist"}"#, "pull model manifest: file does not exist"),
        ] {
            let error = after(&[line]).unwrap_err();
            assert!(error.starts_with(words), "{line}: {error}");
        }
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(10_000));
        assert!(after(&[&long]).unwrap_err().len() < 300);
    }

    #[test]
    fn no_backend_names_endless_layers() {
        let (mut progress, now) = (Progress::default(), Instant::now());
        let line = |n: usize| format!(r#"{{"status":"pulling","digest":"sha256:{n}","total":9,"completed":1}}"#);
        for n in 0..MOST_LAYERS {
            progress.take(line(n).as_bytes(), now).unwrap();
        }
        progress.take(line(0).as_bytes(), now).unwrap();
        assert!(progress.take(line(MOST_LAYERS).as_bytes(), now).unwrap_err().contains("more than 1000 layers"));
    }

    #[test]
    fn the_speed_is_of_what_came_of_late_and_not_of_what_was_there() {
        let (mut progress, start) = (Progress::default(), Instant::now());
        let mut take = |at: u64, completed: u64| {
            let line = format!(r#"{{"status":"pulling","digest":"a","total":1000000,"completed":{completed}}}"#);
            progress.take(line.as_bytes(), start + Duration::from_secs(at)).unwrap();
            progress.speed(start + Duration::from_secs(at))
        };
        assert_eq!(take(0, 500_000), None, "that was there from before");
        assert_eq!(take(1, 510_000), Some(10_000));
        assert_eq!(take(2, 510_000), Some(5_000));
        assert_eq!(take(100, 510_000), None, "nothing came for long");
        assert_eq!(take(101, 530_000), Some(20_000));
    }

    #[test]
    fn a_backend_that_goes_on_talking_while_nothing_comes_is_told() {
        let (mut progress, start) = (Progress::default(), Instant::now());
        let mut take = |at: u64, completed: u64| {
            let line = format!(r#"{{"status":"pulling a","digest":"a","total":1000000,"completed":{completed}}}"#);
            progress.take(line.as_bytes(), start + Duration::from_secs(at)).unwrap();
            progress.idle(start + Duration::from_secs(at)).map(|idle| idle.as_secs())
        };
        assert_eq!(
            [take(0, 0), take(1, 10), take(30, 10), take(31, 10), take(60, 10)],
            [None, None, None, Some(30), Some(59)]
        );
        assert_eq!(take(61, 5), Some(60), "what goes backwards has not come");
        assert_eq!(take(62, 20), None);
        progress.take(br#"{"status":"verifying sha256 digest"}"#, start).unwrap();
        assert_eq!(progress.idle(start + Duration::from_secs(900)), None, "verifying takes its time");
    }

    proptest! {
        /// Whatever a backend sends.
        #[test]
        fn no_line_panics(lines in prop::collection::vec(".{0,80}", 0..20), now in 0_u64..1_000_000) {
            let (mut progress, start) = (Progress::default(), Instant::now());
            for line in &lines {
                let _ = progress.take(line.as_bytes(), start + Duration::from_millis(now));
            }
        }

        #[test]
        fn no_numbers_panic_or_pass_the_whole(numbers in prop::collection::vec((0_u8..4, any::<u64>(), any::<u64>()), 0..40)) {
            let (mut progress, now) = (Progress::default(), Instant::now());
            for (digest, total, completed) in numbers {
                let line = format!(r#"{{"status":"s","digest":"{digest}","total":{total},"completed":{completed}}}"#);
                progress.take(line.as_bytes(), now).unwrap();
                let (total, completed) = progress.bytes();
                prop_assert!(completed <= total);
                let _ = progress.speed(now + Duration::from_secs(1));
            }
        }
    }
}
