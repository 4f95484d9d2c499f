//! The figures and what they shall be: the targets that the product was promised with.

/// A figure of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    CpuSmall,
    CpuChunk,
    Latency50,
    Latency99,
    Ttft50,
    Ttft99,
    Idle,
    Held(u64),
    Start,
}

/// What a target bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// So many times what nginx needs.
    OfNginx(f64),
    /// In the figure's own unit.
    Plain(f64),
}

impl Figure {
    pub fn name(self) -> String {
        match self {
            Self::CpuSmall => "CPU per small request".into(),
            Self::CpuChunk => "CPU per streamed chunk".into(),
            Self::Latency50 => "added latency at 200 rps, p50 (noisy)".into(),
            Self::Latency99 => "added latency at 200 rps, p99 (noisy)".into(),
            Self::Ttft50 => "added TTFT, 200 streams, p50 (noisy)".into(),
            Self::Ttft99 => "added TTFT, 200 streams, p99 (noisy)".into(),
            Self::Idle => "memory, idle".into(),
            Self::Held(streams) => format!("memory, {} streams", thousands(streams)),
            Self::Start => "start to first answer (noisy)".into(),
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::CpuSmall | Self::CpuChunk => "µs",
            Self::Latency50 | Self::Latency99 | Self::Ttft50 | Self::Ttft99 => "ms",
            Self::Idle | Self::Held(_) => "MB",
            Self::Start => "s",
        }
    }

    pub fn decimals(self) -> usize {
        match self {
            Self::CpuSmall | Self::CpuChunk => 1,
            Self::Latency50 | Self::Latency99 | Self::Ttft50 | Self::Ttft99 | Self::Start => 2,
            Self::Idle | Self::Held(_) => 0,
        }
    }

    /// What is told apart within the figure: the threads of our data plane, or memory without the pages of files.
    pub fn part(self) -> &'static str {
        match self {
            Self::Idle | Self::Held(_) => "own",
            _ => "data plane",
        }
    }

    /// The first step and the aim.
    pub fn targets(self) -> Option<(Bound, Bound)> {
        use Bound::{OfNginx, Plain};
        match self {
            Self::CpuSmall => Some((OfNginx(1.5), OfNginx(1.0))),
            Self::CpuChunk => Some((OfNginx(1.2), OfNginx(1.0))),
            Self::Latency50 => Some((Plain(0.15), Plain(0.1))),
            Self::Latency99 => Some((Plain(0.5), Plain(0.3))),
            Self::Ttft50 => Some((Plain(0.25), Plain(0.15))),
            Self::Ttft99 => None,
            Self::Idle => Some((Plain(60.0), Plain(50.0))),
            Self::Held(streams) if streams <= 1_000 => Some((Plain(90.0), Plain(80.0))),
            Self::Held(_) => Some((Plain(350.0), Plain(250.0))),
            Self::Start => Some((Plain(1.0), Plain(0.3))),
        }
    }
}

/// 9800 as `9,800`.
pub fn thousands(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", thousands(number / 1000), number % 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown: Vec<_> = [0, 999, 1000, 9800, 1_000_005].into_iter().map(thousands).collect();
        assert_eq!(shown, ["0", "999", "1,000", "9,800", "1,000,005"]);
    }
}
