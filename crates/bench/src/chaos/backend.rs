//! A backend that fails as it is told on standard input: by the name of a [`Mode`], which holds until the next one comes. It
//! keeps a list of what came to it in a file, line by line, because it may be killed at any moment.

mod memory;
mod record;
mod serve;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

use crate::{http::Fault, lifeline, say};
use memory::Memory;
use record::Record;

#[derive(clap::Args)]
pub struct Backend {
    /// Where to listen; several are several machines
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
    /// Models that all of them have
    #[arg(long, required = true, value_delimiter = ',')]
    models: Vec<String>,
    /// Gets a line for every call
    #[arg(long)]
    record: PathBuf,
    /// Models that a machine holds in its memory at once
    #[arg(long, default_value_t = 64)]
    memory: usize,
    /// Milliseconds that loading one takes
    #[arg(long, default_value_t = 0)]
    load_ms: u64,
    /// Calls that a machine is to get at once, for the record
    #[arg(long, default_value_t = 64)]
    slots: usize,
}

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Well,
    /// Takes calls and says nothing; its lists are well.
    Hang,
    /// As above, its lists too.
    Frozen,
    /// Running answers stop.
    Stall,
    /// Running answers are reset.
    Reset,
    /// Closes after each call's request.
    Drop,
    /// 503.
    Busy,
    /// 500.
    Fail,
    /// What is no HTTP.
    Garbage,
    /// Running streams go on in broken chunks.
    Mangle,
}

impl Mode {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "well" => Self::Well,
            "hang" => Self::Hang,
            "frozen" => Self::Frozen,
            "stall" => Self::Stall,
            "reset" => Self::Reset,
            "drop" => Self::Drop,
            "busy" => Self::Busy,
            "fail" => Self::Fail,
            "garbage" => Self::Garbage,
            "mangle" => Self::Mangle,
            _ => return None,
        })
    }
}

/// What all machines of this process share.
struct Shared {
    mode: watch::Sender<Mode>,
    models: Vec<String>,
    record: Record,
    load: Duration,
    slots: usize,
    machines: Vec<Machine>,
    started: Instant,
}

/// One address.
struct Machine {
    memory: Memory,
    /// Calls that are being answered.
    open: AtomicUsize,
    /// When its last slot was given back, in milliseconds since the start.
    full_until: AtomicU64,
}

/// A slot counts as free so many milliseconds after it was given back: the gateway learns of it by the end of an answer that
/// is still on its way.
const NOTICE_MS: u64 = 20;

impl Shared {
    /// The machine has the model in memory and a slot that its gateway can know of.
    fn is_ready(&self, machine: &Machine, model: &str) -> bool {
        let freed = machine.full_until.load(Ordering::Relaxed);
        machine.memory.has(model)
            && machine.open.load(Ordering::Relaxed) < self.slots
            && (freed == 0 || self.now() > freed + NOTICE_MS)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Counts as open until it is dropped.
struct Open<'m> {
    shared: &'m Shared,
    machine: &'m Machine,
}

impl<'m> Open<'m> {
    fn new(shared: &'m Shared, machine: &'m Machine) -> Self {
        machine.open.fetch_add(1, Ordering::Relaxed);
        Self { shared, machine }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.machine.open.fetch_sub(1, Ordering::Relaxed) >= self.shared.slots {
            self.machine.full_until.store(self.shared.now().max(1), Ordering::Relaxed);
        }
    }
}

/// Prints `{"listening"}` and serves until standard input closes.
pub async fn run(backend: Backend) -> Result<(), Fault> {
    let Backend { listen, models, record, memory, load_ms, slots } = backend;
    let machine = |_| Machine { memory: Memory::new(memory), open: AtomicUsize::new(0), full_until: AtomicU64::new(0) };
    let shared = Arc::new(Shared {
        mode: watch::Sender::new(Mode::Well),
        models,
        record: Record::open(&record)?,
        load: Duration::from_millis(load_ms),
        slots,
        machines: listen.iter().map(machine).collect(),
        started: Instant::now(),
    });
    for (index, address) in listen.iter().enumerate() {
        let listener = TcpListener::bind(address).await?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let shared = Arc::clone(&shared);
                // A connection that breaks is the gateway's business.
                tokio::spawn(async move { serve::serve(stream, &shared, index).await.is_ok() });
            }
        });
    }
    let mut lines = lifeline::lines();
    say(&json!({ "listening": listen.len() }));
    while let Some(line) = lines.recv().await {
        if let Some(mode) = Mode::named(line.trim()) {
            shared.mode.send_replace(mode);
            say(&json!({ "mode": line.trim() }));
        }
    }
    Ok(())
}
