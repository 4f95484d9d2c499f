//! Many open streams that hardly flow, for as long as somebody looks at the memory of what they go through.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{Client, Target};
use crate::{answers::Pace, http::Fault, say};

/// Streams that are being opened at once.
const OPENING: usize = 64;
/// Streams that come from one address.
const PER_SOURCE: usize = 1000;
/// Longest time until all are open.
const PATIENCE: Duration = Duration::from_secs(60);
/// Each goes on for hours, a chunk at a time.
const PACE: Pace = Pace { chunks: 10_000, every: Duration::from_secs(5) };

#[derive(clap::Args)]
pub struct Hold {
    #[arg(long)]
    streams: usize,
}

enum News {
    Open,
    Broken(Fault),
}

impl Hold {
    /// Prints `{"open"}` when all streams gave their first chunk, waits for a line, and prints how many broke meanwhile.
    pub async fn run(self, target: Target, mut lines: mpsc::UnboundedReceiver<String>) -> Result<(), Fault> {
        let (sender, mut news) = mpsc::unbounded_channel();
        let opening = Arc::new(Semaphore::new(OPENING));
        for index in 0..self.streams {
            let (target, sender, opening) = (target.clone(), sender.clone(), Arc::clone(&opening));
            tokio::spawn(async move {
                let broken = match one(&target, index, &opening, &sender).await {
                    Ok(()) => Fault::Closed,
                    Err(fault) => fault,
                };
                // Nobody listens any more only when the run is over.
                let _ = sender.send(News::Broken(broken));
            });
        }
        let all_open = async {
            for _ in 0..self.streams {
                match news.recv().await {
                    Some(News::Open) => {}
                    Some(News::Broken(fault)) => return Err(fault),
                    None => return Err(Fault::Closed),
                }
            }
            Ok(())
        };
        timeout(PATIENCE, all_open).await.map_err(|_| Fault::Late(PATIENCE.as_secs()))??;
        say(&json!({ "open": self.streams }));
        lines.recv().await;
        let (mut broken, mut fault) = (0, None);
        while let Ok(News::Broken(found)) = news.try_recv() {
            broken += 1;
            fault.get_or_insert(found.to_string());
        }
        say(&json!({ "faults": broken, "fault": fault }));
        Ok(())
    }
}

async fn one(
    target: &Target,
    index: usize,
    opening: &Semaphore,
    news: &mpsc::UnboundedSender<News>,
) -> Result<(), Fault> {
    let mut turn = opening.acquire().await.ok();
    let source = u8::try_from(index / PER_SOURCE + 1).unwrap_or(u8::MAX);
    let mut client = Client::connect(target.to, Some(IpAddr::V4(Ipv4Addr::new(127, 0, 1, source)))).await?;
    client
        .ask(&target.request(Some(PACE)), |_| {
            if turn.take().is_some() {
                let _ = news.send(News::Open);
            }
        })
        .await
}
