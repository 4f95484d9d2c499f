//! The composition root: the only place that makes a store, a gateway, a control plane and a listener, plugs them
//! together, runs them, and takes them apart again in order.

mod files;
mod open;
mod restore;
mod runtimes;

use std::{sync::Arc, time::Duration};

use control::Control;
use gateway::Gateway;
use tokio::{net::TcpListener, runtime::Handle, sync::mpsc, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accept::{self, places::Places},
    admin_plane::AdminPlane,
    config::Config,
    edge::{Edge, Planes, Readiness, Transport},
    first_line::{self, Addresses},
    logging,
    proxies::TrustedProxies,
    shutdown::Signals,
    supervisor::Supervisor,
    tasks::control_socket::ControlSocket,
    tls::TlsDoor,
};
pub use files::check_data_dir;
use files::{DataDirLock, make_data_dir};
use open::open;
pub use open::{StartError, offline};
pub use restore::{Stopped, offline_backup};

/// Usage records that may wait for the writer.
const USAGE_CAPACITY: usize = 65_536;
/// How long connections may take to end once their streams were cancelled.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);
/// How long tasks may take to end, and the store to close.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the server until a signal. Returns once everything is closed.
pub fn serve(config: Config) -> Result<(), StartError> {
    logging::start(&config.log);
    let admin = runtimes::admin().map_err(StartError::other)?;
    let data = runtimes::data().map_err(StartError::other)?;
    let result = data.block_on(async {
        let mut signals = Signals::install().map_err(StartError::other)?;
        let application = tokio::select! {
            application = Application::build(config, admin.handle().clone()) => application?,
            () = signals.next() => return Ok(()),
        };
        application.announce()?;
        let stopped = async move {
            signals.next().await;
            signals.exit_on_next();
        };
        application.run_until(stopped).await
    });
    // Whatever still hangs on a connection or a lookup is not waited for a second time.
    data.shutdown_background();
    admin.shutdown_background();
    result
}

/// Everything, ready to run.
pub struct Application {
    /// Each with the front it shows.
    listeners: Vec<(TcpListener, Arc<Edge>)>,
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
    /// Binds the port, takes the data folder, opens the store, loads everything, starts the background tasks. Database and hashing run on
    /// `admin`.
    pub async fn build(config: Config, admin: Handle) -> Result<Self, StartError> {
        let listener = accept::bind(config.listen).map_err(StartError::Other)?;
        let admin_listener = config.admin_listen.map(accept::bind_admin).transpose().map_err(StartError::Other)?;
        let addresses = Addresses {
            api: listener.local_addr().map_err(StartError::other)?,
            admin: admin_listener.as_ref().map(TcpListener::local_addr).transpose().map_err(StartError::other)?,
            tls: false,
        };
        make_data_dir(&config.data_dir)?;
        let data_dir = DataDirLock::take(&config.data_dir)?;
        let (gateway, records) = Gateway::new(USAGE_CAPACITY);
        let opened = {
            let (parts, gateway) = (
                open::Parts::of(&config).listening([addresses.api].into_iter().chain(addresses.admin)),
                gateway.clone(),
            );
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
        let edge = Edge {
            gateway: gateway.clone(),
            admin: AdminPlane::new(admin.clone(), control.clone(), stopping.clone()).map_err(StartError::other)?,
            control: control.clone(),
            proxies: TrustedProxies::new(config.trusted_proxies.clone()),
            readiness: Readiness::default(),
            tls: TlsDoor::new(control.clone()).map_err(StartError::other)?,
            places: Places::new(config.connections),
            planes: if admin_listener.is_some() { Planes::Api } else { Planes::Both },
            transport: Transport::Plain,
        };
        if admin_listener.is_some() {
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
        if let Some(files) = config.tls.clone() {
            control.take_tls_files(files.read()).map_err(StartError::Other)?;
            let control = control.clone();
            supervisor.spawn("TLS files", |stop| files.watch(control, stop));
        }
        let addresses = Addresses { tls: control.tls_key().is_some(), ..addresses };
        edge.readiness.set(true);
        let readiness = edge.readiness.clone();
        let admin_edge = Edge { planes: Planes::Admin, ..edge.clone() };
        let mut listeners = vec![(listener, Arc::new(edge))];
        listeners.extend(admin_listener.map(|listener| (listener, Arc::new(admin_edge))));
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

    /// Serves until `shutdown` is ready or an essential task ends, then stops in order.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let connections = TaskTracker::new();
        let mut accepting = JoinSet::new();
        for (listener, edge) in std::mem::take(&mut self.listeners) {
            let (connections, stop) = (connections.clone(), self.stopping.clone());
            accepting.spawn(accept::run(listener, edge, connections, stop, accept::Patience::default()));
        }
        let failed = tokio::select! {
            () = shutdown => None,
            Some(name) = self.ended.recv() => Some(name),
        };
        tracing::info!(in_flight = self.gateway.in_flight(), "stopping");

        // 1. No new work: not ready, no new connections, event streams end, kept-alive connections close.
        self.readiness.set(false);
        self.stopping.cancel();
        while accepting.join_next().await.is_some() {}

        // 2. Running requests may end by themselves; what does not is ended with an error its client understands.
        connections.close();
        if tokio::time::timeout(self.drain, connections.wait()).await.is_err() {
            tracing::warn!(in_flight = self.gateway.in_flight(), "the time to drain is over: ending what still runs");
            self.gateway.cancel_all();
            let _ = tokio::time::timeout(CANCEL_PATIENCE, connections.wait()).await;
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
    let housekeeping = control.clone();
    supervisor.spawn("housekeeping", |stop| async move { housekeeping.run_housekeeping(stop).await });
}
