//! Small answers as fast as they come: the load that CPU time per request is taken under.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Check, Client, Tally, Target};
use crate::http::Fault;

#[derive(clap::Args)]
pub struct Small {
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    pub seconds: u64,
    /// No more answers than these, however fast they come
    #[arg(long)]
    most: u64,
}

impl Small {
    pub async fn run(&self, target: Target) -> Result<Tally, Fault> {
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let share = self.most / self.connections.max(1) as u64;
        let mut runs = JoinSet::new();
        for _ in 0..self.connections {
            let target = target.clone();
            runs.spawn(async move {
                let mut tally = Tally::default();
                if let Err(fault) = one(&target, until, share, &mut tally).await {
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

async fn one(target: &Target, until: Instant, share: u64, tally: &mut Tally) -> Result<(), Fault> {
    let request = target.request(None);
    let mut client = Client::connect(target.to, None).await?;
    while tally.answers < share && Instant::now() < until {
        let mut check = Check::small();
        client.ask(&request, |data| check.feed(data)).await?;
        check.finish()?;
        tally.answers += 1;
    }
    Ok(())
}
