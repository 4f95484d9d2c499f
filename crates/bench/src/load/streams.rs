//! Paced streams, so many at once: the load that CPU time per chunk and time to first token are taken under.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Check, Client, Tally, Target};
use crate::{answers::Pace, http::Fault};

/// Between the first starts, so that they are no burst.
const STAGGER: Duration = Duration::from_millis(1);

#[derive(clap::Args)]
pub struct Streams {
    /// Streams at once
    #[arg(long)]
    streams: usize,
    /// Chunks of each
    #[arg(long)]
    chunks: usize,
    /// Milliseconds between two chunks of a stream
    #[arg(long)]
    every: u64,
    /// For so long streams begin; the last ones then run to their end
    #[arg(long)]
    pub seconds: u64,
}

impl Streams {
    pub async fn run(&self, target: Target) -> Result<Tally, Fault> {
        let start = Instant::now();
        let until = start + Duration::from_secs(self.seconds);
        let mut runs = JoinSet::new();
        for index in 0..self.streams {
            let target = target.clone();
            let every = Duration::from_millis(self.every);
            let whole = Pace { chunks: self.chunks, every };
            // The first stream of each connection has a length of its own: from then on streams begin evenly.
            let first = Pace { chunks: index % self.chunks.max(1) + 1, every };
            let begin = start + STAGGER * u32::try_from(index).unwrap_or(u32::MAX);
            runs.spawn(async move {
                let mut tally = Tally::default();
                sleep_until(begin).await;
                if let Err(fault) = one(&target, first, whole, until, &mut tally).await {
                    tally.fault(&fault);
                }
                tally
            });
        }
        let mut all = Tally::default();
        runs.join_all().await.into_iter().for_each(|tally| all.add(tally));
        Ok(all)
    }
}

/// Streams until the time is over. The wait for the first chunk counts from the second stream on, when all are open.
async fn one(target: &Target, first: Pace, whole: Pace, until: Instant, tally: &mut Tally) -> Result<(), Fault> {
    let mut client = Client::connect(target.to, None).await?;
    let mut pace = first;
    while Instant::now() < until {
        let request = target.request(Some(pace));
        let mut check = Check::stream(pace);
        let sent = Instant::now();
        let mut waited = None;
        client
            .ask(&request, |data| {
                waited.get_or_insert_with(|| sent.elapsed());
                check.feed(data);
            })
            .await?;
        check.finish()?;
        if let (true, Some(waited)) = (tally.answers > 0, waited) {
            tally.samples.push(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX));
        }
        tally.answers += 1;
        tally.chunks += pace.chunks as u64;
        pace = whole;
    }
    Ok(())
}
