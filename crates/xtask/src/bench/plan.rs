//! How much is measured, and the loads as arguments of the loader. Every run is bounded in time here.

use super::targets::Figure;

/// A warm-up that every program gets before it is measured.
const WARM_SECONDS: u64 = 1;

/// How much is done; the whole run is bounded by it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rounds: usize,
    /// Rounds of starts and memory.
    pub starts: usize,
    pub small_seconds: u64,
    pub rate_seconds: u64,
    pub stream_seconds: u64,
    /// Numbers of open streams, growing.
    pub held: Vec<u64>,
}

/// Connections of the load of small requests, and a bound on its answers.
const CONNECTIONS: usize = 32;
const MOST_ANSWERS: u64 = 400_000;
/// Requests a second when latency is taken.
const RATE: u32 = 200;
/// Streams at once, how long each is, and how fast it flows: some 6,700 chunks and 130 starts a second.
const STREAMS: usize = 200;
const CHUNKS: usize = 50;
const EVERY_MS: u64 = 30;

impl Plan {
    pub fn full(held: Vec<u64>) -> Self {
        Self { rounds: 5, starts: 3, small_seconds: 2, rate_seconds: 4, stream_seconds: 4, held }
    }

    /// Under a minute and a half, for a look: two rounds make no spread.
    pub fn quick(held: Vec<u64>) -> Self {
        Self { rounds: 2, starts: 1, small_seconds: 1, rate_seconds: 1, stream_seconds: 1, held }
    }

    pub fn figures(&self) -> Vec<Figure> {
        use Figure::{CpuChunk, CpuSmall, Held, Idle, Latency50, Latency99, Start, Ttft50, Ttft99};
        let mut figures = vec![CpuSmall, CpuChunk, Latency50, Latency99, Ttft50, Ttft99, Idle];
        figures.extend(self.held.iter().copied().map(Held));
        figures.push(Start);
        figures
    }

    /// The loads in words, for the report.
    pub fn words(&self) -> String {
        let Self { rounds, starts, small_seconds, rate_seconds, stream_seconds, .. } = self;
        format!(
            "{rounds} rounds, interleaved: {CONNECTIONS} connections with small `/api/chat` answers for {small_seconds} s; \
             {RATE} small requests a second for {rate_seconds} s; {STREAMS} streams of {CHUNKS} chunks, one every \
             {EVERY_MS} ms, begun for {stream_seconds} s. Starts and memory: {starts} of them"
        )
    }

    pub fn small(&self) -> Vec<String> {
        small(self.small_seconds)
    }

    /// A short run before anything is measured.
    pub fn warm() -> Vec<String> {
        small(WARM_SECONDS)
    }

    pub fn rate(&self) -> Vec<String> {
        ["rate", "--rate", &RATE.to_string(), "--seconds", &self.rate_seconds.to_string()].map(str::to_owned).into()
    }

    pub fn streams(&self) -> Vec<String> {
        let (streams, chunks, every) = (STREAMS.to_string(), CHUNKS.to_string(), EVERY_MS.to_string());
        let seconds = self.stream_seconds.to_string();
        ["streams", "--streams", &streams, "--chunks", &chunks, "--every", &every, "--seconds", &seconds]
            .map(str::to_owned)
            .into()
    }
}

fn small(seconds: u64) -> Vec<String> {
    let (connections, seconds, most) = (CONNECTIONS.to_string(), seconds.to_string(), MOST_ANSWERS.to_string());
    ["small", "--connections", &connections, "--seconds", &seconds, "--most", &most].map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_plan_is_there_once() {
        let figures = Plan::full(vec![1000, 9800]).figures();
        let mut sorted = figures.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), figures.len());
        assert!(figures.contains(&Figure::Held(9800)));
    }
}
