//! The kinds of threads: lanes of the data plane, the one that welcomes callers, and the admin plane's.

use std::{io, thread};

use gateway::lanes;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::accept::lanes::Lanes;

/// SurrealDB's own server gives its threads as much: query evaluation is deeply recursive.
const ADMIN_STACK: usize = 10 << 20;

/// Accepting, signals, Redis. Nothing here may block.
pub fn reception() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Pages, password hashing, database, background tasks.
pub fn admin() -> io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let threads = cores.div_ceil(2).clamp(2, 4);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("admin")
        .thread_stack_size(ADMIN_STACK)
        .enable_all()
        .build()
}

/// The threads that serve connections, one for each core. They end when this is dropped.
pub struct DataPlane {
    pub lanes: Lanes,
    _running: DropGuard,
}

/// Routing and streams. Nothing here may block: a lane's connections wait for each other.
pub fn data() -> io::Result<DataPlane> {
    let stop = CancellationToken::new();
    let lane = |number| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, stop) = (runtime.handle().clone(), stop.clone());
        thread::Builder::new().name("data".into()).spawn(move || {
            lanes::enter(number);
            runtime.block_on(stop.cancelled());
            runtime.shutdown_background();
        })?;
        Ok(handle)
    };
    let handles = (1..=lanes::count()).map(lane).collect::<io::Result<Vec<_>>>()?;
    Ok(DataPlane { lanes: Lanes::new(handles), _running: stop.drop_guard() })
}
