//! The two kinds of threads.

use std::{io, thread};

use tokio::runtime::{Builder, Runtime};

/// SurrealDB's own server gives its threads as much: query evaluation is deeply recursive.
const ADMIN_STACK: usize = 10 << 20;

/// Connections, routing, streams. Nothing here may block.
pub fn data() -> io::Result<Runtime> {
    Builder::new_multi_thread().thread_name("data").enable_all().build()
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
