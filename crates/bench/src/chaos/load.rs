//! The clients: each asks one call after another, checks every byte, and hangs up by itself now and then. Prints one line
//! at the end: how many calls went how, all that failed, all that is wrong, and how long first bytes took.

mod exchange;

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    call::{Call, Kind},
    judge::{Verdict, is_beginning, judge},
    random::Random,
};
use crate::{http::Fault, keep::now_us, lifeline, say};
use exchange::Exchange;

/// Nothing that a gateway with short time-outs does takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Faults that are told in words.
const TOLD: usize = 20;

#[derive(clap::Args, Clone)]
pub struct Load {
    /// Where to; a key for it is read from the environment variable BENCH_KEY
    #[arg(long)]
    to: SocketAddr,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    clients: u64,
    /// New calls begin for so long, or until a line comes on standard input
    #[arg(long)]
    seconds: u64,
    /// The first is asked for most
    #[arg(long, required = true, value_delimiter = ',')]
    models: Vec<String>,
    /// Most pieces of an answer
    #[arg(long, default_value_t = 30)]
    chunks: u64,
    /// Most milliseconds between two pieces
    #[arg(long, default_value_t = 100)]
    every: u64,
    /// Most milliseconds between two calls of a client
    #[arg(long, default_value_t = 1000)]
    pause: u64,
    /// One call in so many is given up by its client; 0 is none
    #[arg(long, default_value_t = 20)]
    leave: u64,
}

/// What came of all calls.
#[derive(Default)]
struct Tally {
    calls: u64,
    complete: u64,
    left: u64,
    failed: Vec<serde_json::Value>,
    wrong: Vec<String>,
    wrong_count: u64,
    /// Microseconds to the first byte of complete answers: of calls that met a faulty backend before, and of the others.
    retried_us: Vec<u64>,
    plain_us: Vec<u64>,
}

/// Prints the tally as one line.
pub async fn run(load: Load) -> Result<(), Fault> {
    let key = std::env::var("BENCH_KEY").unwrap_or_default();
    let over = watch::Sender::new(false);
    let (sender, mut news) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for number in 0..load.clients {
        let client = Client {
            load: load.clone(),
            key: key.clone(),
            random: Random::new(load.seed.wrapping_mul(1_000_003).wrapping_add(number)),
            over: over.subscribe(),
            news: sender.clone(),
            stream: None,
        };
        clients.spawn(client.run());
    }
    drop(sender);
    let mut lines = lifeline::lines();
    tokio::spawn(async move {
        tokio::select! {
            () = sleep(Duration::from_secs(load.seconds)) => {}
            _ = lines.recv() => {}
        }
        over.send_replace(true);
    });
    let mut tally = Tally::default();
    while let Some(ended) = news.recv().await {
        tally.add(ended);
    }
    clients.join_all().await;
    let Tally { calls, complete, left, failed, wrong, wrong_count, retried_us, plain_us } = tally;
    say(&json!({
        "calls": calls, "complete": complete, "left": left, "failed": failed,
        "wrong": wrong, "wrong_count": wrong_count, "retried_us": retried_us, "plain_us": plain_us,
    }));
    Ok(())
}

/// A call that is over.
struct Ended {
    call: Call,
    begin_us: u64,
    exchange: Exchange,
    outcome: Outcome,
}

enum Outcome {
    Heard,
    Left,
    /// It did not end in time, or there was no connection to the gateway.
    Lost(String),
}

struct Client {
    load: Load,
    key: String,
    random: Random,
    over: watch::Receiver<bool>,
    news: mpsc::UnboundedSender<Ended>,
    /// A connection that can go on.
    stream: Option<TcpStream>,
}

impl Client {
    async fn run(mut self) {
        // Clients do not come all at once.
        self.wait(self.load.pause).await;
        while !*self.over.borrow() {
            let call = self.call();
            let leaves = self.load.leave > 0 && self.random.below(self.load.leave) == 0;
            let length = call.every * call.chunks as u64;
            let patience = if leaves { Duration::from_millis(self.random.below(length + 20)) } else { PATIENCE };
            let begin_us = now_us();
            let mut exchange = Exchange::default();
            let asked = timeout(patience, self.ask(&call, &mut exchange)).await;
            let outcome = match asked {
                Ok(Ok(())) => Outcome::Heard,
                Ok(Err(fault)) => Outcome::Lost(fault.to_string()),
                Err(_) if leaves => Outcome::Left,
                Err(_) => Outcome::Lost(format!("no end after {} s", PATIENCE.as_secs())),
            };
            if self.news.send(Ended { call, begin_us, exchange, outcome }).is_err() {
                return;
            }
            self.wait(self.load.pause).await;
        }
    }

    /// A random time, or to the end of the run.
    async fn wait(&mut self, most: u64) {
        let pause = Duration::from_millis(self.random.below(most.max(1)));
        _ = timeout(pause, self.over.wait_for(|over| *over)).await;
    }

    fn call(&mut self) -> Call {
        let random = &mut self.random;
        let kind = match random.below(10) {
            0..=4 => Kind::Chat,
            5..=6 => Kind::Generate,
            _ => Kind::OpenAi,
        };
        let count = self.load.models.len() as u64;
        // The smaller of two: the first is asked for most and the last least.
        let model = random.below(count).min(random.below(count));
        Call {
            id: random.next(),
            kind,
            model: self.load.models.get(model as usize).cloned().unwrap_or_default(),
            chunks: random.between(1, self.load.chunks.max(1) + 1) as usize,
            every: random.between(1, self.load.every.max(1) + 1),
        }
    }

    async fn ask(&mut self, call: &Call, exchange: &mut Exchange) -> Result<(), Fault> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.load.to).await?,
        };
        stream.set_nodelay(true)?;
        let request = call.request(&self.load.to.to_string(), &self.key);
        if exchange.run(&mut stream, &request, Instant::now()).await? {
            self.stream = Some(stream);
        }
        Ok(())
    }
}

impl Tally {
    fn add(&mut self, ended: Ended) {
        let Ended { call, begin_us, exchange, outcome } = ended;
        let Exchange { heard, first, tried } = exchange;
        self.calls += 1;
        let verdict = match outcome {
            Outcome::Heard => judge(&call, &heard),
            Outcome::Left if heard.status != 200 || is_beginning(&call, &heard.body) => {
                self.left += 1;
                return;
            }
            Outcome::Left => Verdict::Wrong("other bytes before it was given up".to_owned()),
            Outcome::Lost(fault) => Verdict::Wrong(fault),
        };
        match verdict {
            Verdict::Complete => {
                self.complete += 1;
                let samples = if tried { &mut self.retried_us } else { &mut self.plain_us };
                samples.push(u64::try_from(first.unwrap_or_default().as_micros()).unwrap_or(u64::MAX));
            }
            Verdict::Failed { begun, message } => self.failed.push(json!({
                "id": format!("{:016x}", call.id), "path": call.kind.path(), "model": call.model, "begun": begun,
                "message": message, "begin_us": begin_us, "end_us": now_us(),
            })),
            Verdict::Wrong(fault) => {
                self.wrong_count += 1;
                if self.wrong.len() < TOLD {
                    self.wrong.push(format!("call {:016x} at {}: {fault}", call.id, call.kind.path()));
                }
            }
        }
    }
}
