//! The measuring: which load, in which order, and what is read of which process meanwhile. A run with a fault fails its
//! figures and the measuring goes on.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, Result};

use super::{
    peers::Peer,
    plan::Plan,
    proc,
    process::{Aim, Kept, Mock, Run},
    stats::percentile,
    table::Column,
    targets::Figure,
};

/// What is deferred (accounting is written once a second) belongs to the requests that caused it.
const DEFERRED: Duration = Duration::from_millis(1200);
/// Before memory is looked at.
const CALM: Duration = Duration::from_millis(1000);
/// How long the machine is looked at before a round.
const LOOK: Duration = Duration::from_millis(500);
/// How our program names the threads of its data plane.
const DATA_THREADS: &str = "data";

/// Everything at hand while measuring.
pub struct Bench<'a> {
    pub tool: &'a Path,
    pub folder: &'a Path,
    pub mock: &'a Mock,
    pub direct: Aim,
    pub plan: &'a Plan,
}

impl Bench<'_> {
    /// Fills the columns, one for each peer, in the same order; a peer that is not there is passed over. Returns the share
    /// of the machine that was busy before each round, when nothing of ours was.
    pub fn measure(&self, peers: &[Option<Peer>], columns: &mut [Column]) -> Vec<f64> {
        let mut others = Vec::new();
        let mut pairs: Vec<_> =
            peers.iter().zip(columns).filter_map(|(peer, column)| Some((peer.as_ref()?, column))).collect();
        for round in 1..=self.plan.starts {
            eprintln!("==> starts and memory, round {round} of {}", self.plan.starts);
            others.push(proc::busy(LOOK));
            for (peer, column) in &mut pairs {
                let mut next = Figure::Start;
                if let Err(error) = self.start_and_memory(peer, column, &mut next) {
                    eprintln!("    {}: {error:#}", peer.name);
                    column.fail(next, &format!("{error:#}"));
                }
            }
        }
        let mut running = Vec::new();
        for (peer, column) in pairs {
            match self.start(peer).and_then(|(kept, _)| self.warm(&peer.aim).map(|()| kept)) {
                Ok(kept) => running.push((peer, column, kept)),
                Err(error) => {
                    eprintln!("    {}: {error:#}", peer.name);
                    self.plan.figures().into_iter().for_each(|figure| column.fail(figure, &format!("{error:#}")));
                }
            }
        }
        if let Err(error) = self.warm(&self.direct) {
            eprintln!("    the mock itself: {error:#}");
        }
        for round in 1..=self.plan.rounds {
            eprintln!("==> CPU and latency, round {round} of {}", self.plan.rounds);
            others.push(proc::busy(LOOK));
            self.round(&mut running);
        }
        for (peer, column, kept) in running {
            if let Err(error) = kept.end() {
                // It was there to the last round, so the figures stand; its end is no figure.
                eprintln!("    {} did not end in order: {error:#}", peer.name);
                column.fail(Figure::Start, &format!("did not end in order: {error:#}"));
            }
        }
        others
    }

    fn round(&self, running: &mut [(&Peer, &mut Column, Kept)]) {
        for (peer, column, kept) in &mut *running {
            let run = self.with_cpu(kept, peer, &self.plan.small());
            let value = run.map(|(run, cpu)| vec![cpu.per(run.answers, column, Figure::CpuSmall)]);
            note(column, &[Figure::CpuSmall], value);
        }
        let direct = self.direct.run(self.tool, &self.plan.rate()).and_then(quantiles);
        for (peer, column, _) in &mut *running {
            let run = peer.aim.run(self.tool, &self.plan.rate()).and_then(quantiles);
            note(column, &[Figure::Latency50, Figure::Latency99], added(run, &direct));
        }
        let direct = self.direct.run(self.tool, &self.plan.streams()).and_then(quantiles);
        for (peer, column, kept) in &mut *running {
            match self.with_cpu(kept, peer, &self.plan.streams()) {
                Ok((run, cpu)) => {
                    let microseconds = cpu.per(run.chunks, column, Figure::CpuChunk);
                    column.add(Figure::CpuChunk, microseconds);
                    note(column, &[Figure::Ttft50, Figure::Ttft99], added(quantiles(run), &direct));
                }
                Err(error) => {
                    note(column, &[Figure::CpuChunk, Figure::Ttft50, Figure::Ttft99], Err(error));
                }
            }
        }
    }

    /// Runs a load and gives the CPU time that the program used for it.
    fn with_cpu(&self, kept: &Kept, peer: &Peer, load: &[String]) -> Result<(Run, Used)> {
        let before = kept.cpu()?;
        let run = peer.aim.run(self.tool, load)?;
        if peer.is_ours() {
            thread::sleep(DEFERRED);
        }
        let now = kept.cpu()?;
        let used = Used {
            whole: now.since(&before)? as f64,
            data: peer.is_ours().then(|| now.of_threads(DATA_THREADS, &before) as f64),
        };
        self.mock.wait_until_closed()?;
        Ok((run, used))
    }

    /// Starts a program and waits for its first right answer; how many seconds that took.
    fn start(&self, peer: &Peer) -> Result<(Kept, f64)> {
        let first = peer.aim.first(self.tool)?;
        let kept = Kept::start(self.tool, &self.folder.join(format!("{}.log", peer.name)), &peer.launch)?;
        let came = first.came().with_context(|| format!("no right answer; it said: {}", kept.said()))?;
        let seconds = came.saturating_sub(kept.at_us) as f64 / 1e6;
        Ok((kept, seconds))
    }

    fn warm(&self, aim: &Aim) -> Result<()> {
        aim.run(self.tool, &Plan::warm()).map(drop)
    }

    /// `next`: the figure that fails if this does.
    fn start_and_memory(&self, peer: &Peer, column: &mut Column, next: &mut Figure) -> Result<()> {
        let (kept, seconds) = self.start(peer)?;
        column.add(Figure::Start, seconds);
        *next = Figure::Idle;
        thread::sleep(CALM);
        add_memory(column, *next, kept.memory()?);
        for streams in &self.plan.held {
            *next = Figure::Held(*streams);
            let held = peer.aim.hold(self.tool, *streams).with_context(|| format!("it said: {}", kept.said()))?;
            thread::sleep(CALM);
            let memory = kept.memory()?;
            held.let_go()?;
            self.mock.wait_until_closed()?;
            add_memory(column, *next, memory);
        }
        kept.end()
    }
}

/// CPU time in nanoseconds.
struct Used {
    whole: f64,
    /// Of the data plane's threads alone, where there are such.
    data: Option<f64>,
}

impl Used {
    /// Microseconds for each of so many; notes the data plane's share.
    fn per(&self, count: f64, column: &mut Column, figure: Figure) -> f64 {
        if let Some(data) = self.data {
            column.add_part(figure, data / count / 1e3);
        }
        self.whole / count / 1e3
    }
}

/// The median and the 99th percentile of a run's waits.
fn quantiles(mut run: Run) -> Result<[f64; 2]> {
    let mut at = |share| percentile(&mut run.waits, share).context("no waits were measured");
    Ok([at(0.5)?, at(0.99)?])
}

/// What a program adds to the same load without it.
fn added(run: Result<[f64; 2]>, direct: &Result<[f64; 2]>) -> Result<Vec<f64>> {
    let direct = direct.as_ref().map_err(|error| anyhow::anyhow!("the mock itself: {error:#}"))?;
    Ok(run?.iter().zip(direct).map(|(with, without)| with - without).collect())
}

/// Adds a value to each figure, or fails them all.
fn note(column: &mut Column, figures: &[Figure], values: Result<Vec<f64>>) {
    match values {
        Ok(values) => figures.iter().zip(values).for_each(|(figure, value)| column.add(*figure, value)),
        Err(error) => {
            eprintln!("    {}: {error:#}", column.name);
            figures.iter().for_each(|figure| column.fail(*figure, &format!("{error:#}")));
        }
    }
}

fn add_memory(column: &mut Column, figure: Figure, memory: proc::Memory) {
    column.add(figure, memory.whole as f64 / 1e6);
    column.add_part(figure, memory.own as f64 / 1e6);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_a_difference_and_a_failed_run_adds_nothing() {
        assert_eq!(added(Ok([3.0, 9.0]), &Ok([1.0, 2.0])).unwrap(), [2.0, 7.0]);
        assert!(added(Err(anyhow::anyhow!("status 500")), &Ok([1.0, 2.0])).is_err());
        assert!(added(Ok([3.0, 9.0]), &Err(anyhow::anyhow!("closed"))).is_err());
    }
}
