//! Keys, passwords and prompts are in this process's memory: it is for nobody else of the same account to read, and is not
//! written into core dumps. Whoever may read all memory (root, `CAP_SYS_PTRACE`) still can.

/// Where the system refuses, or knows no such thing, everything is as it was.
pub fn become_so() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
