//! Small answers at a fixed rate: a slow answer does not hold back the next question, so its wait is not hidden.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Check, Client, Tally, Target};
use crate::http::Fault;

/// Connections that are opened and used once before the clock runs.
const WARM: usize = 8;

#[derive(clap::Args)]
pub struct Rate {
    /// Questions a second
    #[arg(long)]
    rate: u32,
    #[arg(long)]
    pub seconds: u64,
}

#[derive(Default)]
struct Shared {
    idle: Vec<Client>,
    tally: Tally,
}

impl Rate {
    pub async fn run(&self, target: Target) -> Result<Tally, Fault> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let request: Arc<[u8]> = target.request(None).into();
        for _ in 0..WARM {
            let client = ask(Client::connect(target.to, None).await?, &request).await?;
            change(&shared, |shared| shared.idle.push(client));
        }
        let mut asked = JoinSet::new();
        let (start, gap) = (Instant::now(), Duration::from_secs(1) / self.rate.max(1));
        for index in 0..u32::try_from(self.seconds).unwrap_or(u32::MAX).saturating_mul(self.rate) {
            sleep_until(start + gap * index).await;
            let (shared, request, to) = (Arc::clone(&shared), Arc::clone(&request), target.to);
            asked.spawn(async move {
                let sent = Instant::now();
                let answered = async {
                    let client = match change(&shared, |shared| shared.idle.pop()) {
                        Some(client) => client,
                        None => Client::connect(to, None).await?,
                    };
                    ask(client, &request).await
                };
                let answered = answered.await;
                let wait = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
                change(&shared, |shared| match answered {
                    Ok(client) => {
                        shared.idle.push(client);
                        shared.tally.answers += 1;
                        shared.tally.samples.push(wait);
                    }
                    Err(fault) => shared.tally.fault(&fault),
                });
            });
            while asked.try_join_next().is_some() {}
        }
        asked.join_all().await;
        Ok(change(&shared, |shared| mem::take(&mut shared.tally)))
    }
}

async fn ask(mut client: Client, request: &[u8]) -> Result<Client, Fault> {
    let mut check = Check::small();
    client.ask(request, |data| check.feed(data)).await?;
    check.finish()?;
    Ok(client)
}

fn change<T>(shared: &Mutex<Shared>, change: impl FnOnce(&mut Shared) -> T) -> T {
    change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}
