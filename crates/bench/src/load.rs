//! The loads: what is asked, how often, on how many connections. Every answer is checked to the byte; one fault makes the
//! whole run one that cannot count.

mod client;
mod hold;
mod rate;
mod small;
mod streams;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use clap::Subcommand;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{answers, http::Fault, keep, lifeline, say};
use client::Check;
pub use client::Client;

/// How much later than planned a run may end.
const GRACE: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub struct Load {
    /// Where to; a key for it is read from the environment variable BENCH_KEY
    #[arg(long)]
    to: SocketAddr,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Ask until the first right answer; prints when it came, in microseconds since 1970
    First {
        #[arg(long, default_value_t = 20)]
        patience: u64,
    },
    /// Small answers, one after another on each connection
    Small(small::Small),
    /// Small answers at a fixed rate, whatever becomes of the ones before
    Rate(rate::Rate),
    /// Paced streams, one after another on each connection
    Streams(streams::Streams),
    /// Open streams that last until a line comes on standard input
    Hold(hold::Hold),
}

/// Where a load goes.
#[derive(Clone)]
pub struct Target {
    to: SocketAddr,
    key: Option<String>,
}

impl Target {
    fn request(&self, pace: Option<answers::Pace>) -> Vec<u8> {
        answers::request(&self.to.to_string(), self.key.as_deref(), pace)
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Tally {
    answers: u64,
    chunks: u64,
    faults: u64,
    /// The first fault in words.
    fault: Option<String>,
    /// Waits in nanoseconds, for the loads that measure them.
    samples: Vec<u64>,
}

impl Tally {
    fn fault(&mut self, fault: &Fault) {
        self.faults += 1;
        self.fault.get_or_insert_with(|| fault.to_string());
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.chunks += other.chunks;
        self.faults += other.faults;
        self.fault = self.fault.take().or(other.fault);
        self.samples.extend(other.samples);
    }
}

pub async fn run(load: Load) -> Result<(), Fault> {
    let target = Target { to: load.to, key: std::env::var("BENCH_KEY").ok() };
    let lines = lifeline::lines();
    let work = async {
        let (planned, tally) = match load.what {
            What::Hold(hold) => return hold.run(target, lines).await,
            What::First { patience } => return first(&target, Duration::from_secs(patience)).await,
            What::Small(small) => (small.seconds, timeout(grace(small.seconds), small.run(target)).await),
            What::Rate(rate) => (rate.seconds, timeout(grace(rate.seconds), rate.run(target)).await),
            What::Streams(streams) => (streams.seconds, timeout(grace(streams.seconds), streams.run(target)).await),
        };
        let Tally { answers, chunks, faults, fault, samples } = tally.map_err(|_| Fault::Late(planned))??;
        say(&json!({
            "answers": answers, "chunks": chunks, "faults": faults, "fault": fault, "samples_ns": samples,
        }));
        Ok(())
    };
    // Loads are bounded in time, so that only the one that waits for a line looks whether anybody still listens.
    work.await
}

fn grace(seconds: u64) -> Duration {
    Duration::from_secs(seconds) + GRACE
}

async fn first(target: &Target, patience: Duration) -> Result<(), Fault> {
    let request = target.request(None);
    let start = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let tried = async {
            let mut check = Check::small();
            Client::connect(target.to, None).await?.ask(&request, |data| check.feed(data)).await?;
            check.finish()
        };
        match tried.await {
            Ok(()) => {
                say(&json!({ "at_us": keep::now_us(), "tries": tries }));
                return Ok(());
            }
            Err(fault) if start.elapsed() > patience => return Err(fault),
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}
