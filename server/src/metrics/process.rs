//! What the operating system says of this process: a few short files, read when somebody asks.

use control::ProcessFacts;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// `connections` are those of all listeners now.
pub fn facts(connections: u32) -> ProcessFacts {
    let facts = ProcessFacts { connections: connections.into(), ..ProcessFacts::default() };
    let Ok(own) = sysinfo::get_current_pid() else { return facts };
    let mut system = System::new();
    let wanted = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, wanted);
    let Some(process) = system.process(own) else { return facts };
    let count = |count: Option<usize>| count.and_then(|count| u64::try_from(count).ok());
    ProcessFacts {
        started_at: Some(process.start_time()),
        // Milliseconds.
        cpu_seconds: Some(process.accumulated_cpu_time() as f64 / 1e3),
        resident_bytes: Some(process.memory()),
        virtual_bytes: Some(process.virtual_memory()),
        open_files: count(process.open_files()),
        max_files: count(process.open_files_limit()),
        ..facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_known_where_this_runs() {
        let facts = facts(3);
        assert_eq!(facts.connections, 3);
        assert!(facts.started_at.is_some_and(|at| at > 1_600_000_000), "{facts:?}");
        assert!(facts.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{facts:?}");
        assert!(facts.virtual_bytes >= facts.resident_bytes && facts.cpu_seconds.is_some(), "{facts:?}");
        assert!(facts.open_files.is_some_and(|count| count >= 3) && facts.max_files >= facts.open_files, "{facts:?}");
    }
}
