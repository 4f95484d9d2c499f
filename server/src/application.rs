//! The composition root: the only place that makes a store, a gateway, a control plane and a listener, plugs them
//! together, runs them, and takes them apart again in order.

mod files;
mod open;
mod ports;
mod restore;
mod runtimes;

use std::{sync::Arc, time::Duration};

use control::Control;
use gateway::Gateway;
use tokio::{runtime::Handle, sync::mpsc, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accept::{
        self, Connections, Listener,
        ending::Ending,
        lanes::Lanes,
        places::{Limits, Places},
    },
    admin_plane::AdminPlane,
    config::Config,
    edge::{Edge, Planes, Readiness, Transport},
    first_line::{self, Addresses},
    logging,
    proxies::TrustedProxies,
    shutdown::Signals,
    supervisor::Supervisor,
    systemd::{self, Handed},
    tasks::{control_socket::ControlSocket, memory},
    tls::{TlsDoor, files::TlsFiles},
};
pub use files::check_data_dir;
use files::{DataDirLock, make_data_dir};
use open::open;
pub use open::{StartError, offline};
use ports::Ports;
pub use restore::{Stopped, offline_backup};

/// Usage records that may wait for the writer.
const USAGE_CAPACITY: usize = 65_536;
/// How long a start waits for all backends to say what they have, and for one of them.
const FIRST_LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Connections to the admin plane's own listener.
const ADMIN_CONNECTIONS: u32 = 256;
/// How long connections may take to end once their streams were cancelled.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);
/// How long they may take once they were dropped.
const CUT_PATIENCE: Duration = Duration::from_millis(500);
/// How long tasks may take to end, and the store to close.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the server until a signal, on the ports that were handed over where there are any. Returns once everything is
/// closed.
pub fn serve(config: Config, handed: Handed) -> Result<(), StartError> {
    logging::start(&config.log);
    let files = accept::files::raise_limit();
    let admin = runtimes::admin().map_err(StartError::other)?;
    let data = runtimes::data().map_err(StartError::other)?;
    let reception = runtimes::reception().map_err(StartError::other)?;
    let result = reception.block_on(async {
        let mut signals = Signals::install().map_err(StartError::other)?;
        let application = tokio::select! {
            application = Application::build(config, handed, files, admin.handle().clone()) => application?,
            () = signals.next() => return Ok(()),
        };
        application.announce()?;
        systemd::ready();
        application.run_until(signals, data.lanes.clone()).await
    });
    // Whatever still hangs on a connection or a lookup is not waited for a second time.
    drop(data);
    reception.shutdown_background();
    admin.shutdown_background();
    result
}

/// Everything, ready to run.
pub struct Application {
    /// Each with the front it shows.
    listeners: Vec<(Listener, Arc<Edge>)>,
    addresses: Addresses,
    readiness: Readiness,
    gateway: Gateway,
    control: Control,
    read_only: Option<String>,
    supervisor: Supervisor,
    ended: mpsc::UnboundedReceiver<&'static str>,
    admin: Handle,
    stopping: CancellationToken,
    drain: Duration,
    /// Freed last, when the store is closed.
    _data_dir: DataDirLock,
}

impl Application {
    /// Binds the port, takes the data folder, opens the store, loads everything, starts the background tasks. Database and
    /// hashing run on `admin`; `files` is how many may be open.
    pub async fn build(config: Config, handed: Handed, files: u64, admin: Handle) -> Result<Self, StartError> {
        let tls = config.tls.clone().map(TlsFiles::watched).transpose().map_err(StartError::other)?;
        let ports = Ports::open(&config, handed)?;
        let addresses = ports.addresses()?;
        make_data_dir(&config.data_dir)?;
        let data_dir = DataDirLock::take(&config.data_dir)?;
        let (gateway, records) = Gateway::new(USAGE_CAPACITY);
        let opened = {
            let (parts, gateway) = (open::Parts::of(&config).listening(ports.all()?), gateway.clone());
            admin.spawn(open(parts, gateway)).await.map_err(StartError::other)??
        };
        let (control, read_only) = (opened.control, opened.read_only);
        if let Some((user, password)) = config.admin.clone() {
            let control = control.clone();
            admin.spawn(async move {
                if let Some(warning) = control.unused_credentials(&user, &password).await {
                    tracing::warn!("{warning}");
                }
            });
        }
        let stopping = CancellationToken::new();
        let limits = limits(&config, files);
        let places = Places::new(limits);
        let pages = AdminPlane::new(admin.clone(), control.clone(), gateway.clone(), stopping.clone())
            .map_err(StartError::other)?;
        let edge = Edge {
            gateway: gateway.clone(),
            admin: pages.with_metrics(control.clone(), config.metrics_token, places.clone()),
            control: control.clone(),
            proxies: TrustedProxies::new(config.trusted_proxies.clone()),
            readiness: Readiness::default(),
            tls: TlsDoor::new(control.clone()).map_err(StartError::other)?,
            places,
            planes: if addresses.admin.is_some() { Planes::Api } else { Planes::Both },
            transport: Transport::Plain,
        };
        if addresses.admin.is_some() {
            control.api_listens_on(addresses.api.port());
        }
        let (supervisor, ended) = Supervisor::new(admin.clone());
        start_tasks(&supervisor, &gateway, &control, records);
        match ControlSocket::bind(&config.socket()) {
            Ok(socket) => {
                let control = control.clone();
                supervisor.spawn("control socket", |stop| socket.run(control, stop));
            }
            Err(error) if read_only.is_some() => {
                tracing::error!(%error, "no control socket: the command line works only while this is stopped")
            }
            Err(error) => {
                let socket = config.socket();
                return Err(StartError::Other(format!("cannot open {}: {error}: {}", socket.display(), files::REMEDY)));
            }
        }
        if let Some(watch) = tls {
            control.take_tls_files(watch.read()).map_err(StartError::Other)?;
            let control = control.clone();
            supervisor.spawn("TLS files", |stop| watch.run(control, stop));
        }
        if let Some(limit) = config.max_memory_mb {
            memory::resident()
                .map_err(|error| StartError::Other(format!("MAX_MEMORY_MB cannot be held here: {error}: remove it")))?;
            let gateway = gateway.clone();
            supervisor.spawn("memory", move |stop| memory::watch(gateway, limit, stop));
        }
        let addresses = Addresses { tls: control.tls_key().is_some(), ..addresses };
        // Whoever waits at the port already should not hear that nobody has its model.
        let (all, one) = FIRST_LOOKS;
        gateway.first_looks(all, one).await;
        edge.readiness.set(true);
        let readiness = edge.readiness.clone();
        // Callers of the API must not be able to shut the pages, which the operator needs just then.
        let places = Places::new(Limits { all: ADMIN_CONNECTIONS, ..limits });
        let admin_edge = Arc::new(Edge { planes: Planes::Admin, places, ..edge.clone() });
        let edge = Arc::new(edge);
        let api = ports.api.into_iter().map(|port| (port, Arc::clone(&edge)));
        let listeners = api.chain(ports.admin.into_iter().map(|port| (port, Arc::clone(&admin_edge)))).collect();
        Ok(Self {
            listeners,
            addresses,
            readiness,
            gateway,
            control,
            read_only,
            supervisor,
            ended,
            admin,
            stopping,
            drain: config.drain,
            _data_dir: data_dir,
        })
    }

    /// Tells on standard output where to go.
    fn announce(&self) -> Result<(), StartError> {
        let token = self.control.new_setup_token();
        first_line::print(&self.addresses, token.as_deref(), self.read_only.as_deref())
            .map_err(|error| StartError::Other(format!("cannot write to standard output: {error}")))
    }

    /// Serves until the first signal or the end of an essential task, then stops in order; the second signal ends the
    /// patience with what runs.
    async fn run_until(mut self, mut signals: Signals, lanes: Lanes) -> Result<(), StartError> {
        let (connections, ending) = (TaskTracker::new(), Ending::default());
        let mut accepting = JoinSet::new();
        for (listener, edge) in std::mem::take(&mut self.listeners) {
            let served = Connections { tasks: connections.clone(), lanes: lanes.clone() };
            accepting.spawn(accept::run(listener, edge, served, ending.clone(), accept::Patience::default()));
        }
        let failed = tokio::select! {
            () = signals.next() => None,
            Some(name) = self.ended.recv() => Some(name),
        };
        tracing::info!(in_flight = self.gateway.in_flight(), "stopping");
        systemd::stopping();

        // 1. No new work: not ready, no new connections, event streams end, idle connections close.
        self.readiness.set(false);
        self.stopping.cancel();
        ending.begin();
        while accepting.join_next().await.is_some() {}

        // 2. Running requests may end by themselves; what does not is ended with an error its client understands.
        connections.close();
        let drained = tokio::select! {
            drained = tokio::time::timeout(self.drain, connections.wait()) => drained.is_ok(),
            () = signals.next() => false,
        };
        signals.exit_on_next();
        if !drained {
            tracing::warn!(in_flight = self.gateway.in_flight(), "not waiting any longer: ending what still runs");
            self.gateway.cancel_all();
            if tokio::time::timeout(CANCEL_PATIENCE, connections.wait()).await.is_err() {
                // Whoever takes nothing cannot be told. What these hold is accounted for when they are dropped.
                ending.cut();
                let _ = tokio::time::timeout(CUT_PATIENCE, connections.wait()).await;
            }
        }

        // 3. Tasks: the command line is answered, the last usage written.
        if !self.supervisor.stop(STOP_PATIENCE).await {
            tracing::error!("a background task did not end in time");
        }

        // 4. The store. Once it is closed another process may open it.
        let control = self.control;
        let close = self.admin.spawn(tokio::time::timeout(STOP_PATIENCE, control.close()));
        match close.await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => return Err(error.into()),
            Ok(Err(_)) => return Err(StartError::Other("the store did not close in time".into())),
            Err(error) => return Err(StartError::other(error)),
        }
        match failed {
            None => Ok(()),
            Some(name) => {
                Err(StartError::Other(format!("stopped because the task \"{name}\" ended; the log has the reason")))
            }
        }
    }
}

/// How many connections there may be.
fn limits(config: &Config, files: u64) -> Limits {
    let room = accept::files::room(files);
    let all = config.max_connections.unwrap_or(room);
    if all > room {
        tracing::warn!(
            max_connections = all,
            open_files = files,
            "MAX_CONNECTIONS is more than the limit of open files (ulimit -n) has room for: about {room}"
        );
    }
    Limits { all, per_address: config.max_connections_per_ip }
}

/// The tasks without which the process would only seem to work.
fn start_tasks(
    supervisor: &Supervisor,
    gateway: &Gateway,
    control: &Control,
    records: mpsc::Receiver<domain::usage::UsageRecord>,
) {
    let catalogue = gateway.clone();
    supervisor.spawn("catalogue", |stop| async move { catalogue.run_catalogue(stop).await });
    let writer = control.clone();
    supervisor.spawn("usage writer", |stop| async move { writer.run_usage_writer(records, stop).await });
    let upgrades = control.clone();
    supervisor.spawn("fleet upgrade", |stop| async move { upgrades.run_upgrades(stop).await });
    let pulls = control.clone();
    supervisor.spawn("pulls", |stop| async move { pulls.run_pulls(stop).await });
    let housekeeping = control.clone();
    supervisor.spawn("housekeeping", |stop| async move { housekeeping.run_housekeeping(stop).await });
}
