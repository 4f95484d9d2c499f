//! T14: what is in the server's memory is not for others of the same account, and in no core dump.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    os::{
        fd::AsRawFd,
        unix::{
            fs::{MetadataExt, chown},
            process::CommandExt,
        },
    },
};

use crate::harness::Home;

/// Nobody's, on every system.
const NOBODY: u32 = 65_534;

/// The kernel gives the files in `/proc` of a process that may be dumped to its account, and all others to root. So the
/// server must not be root's: where the test is, it becomes somebody else.
#[test]
fn the_memory_of_a_server_is_not_for_others_of_its_account() {
    let home = Home::new();
    let own = fs::metadata("/proc/self").unwrap().uid();
    // Whoever may not reach the folder of the binary can run it all the same where it is open already.
    let binary = File::open(env!("CARGO_BIN_EXE_ollama-fortress")).unwrap();
    let mut command = home.command_of(&format!("/proc/self/fd/{}", binary.as_raw_fd()), &["serve"]);
    let account = if own == 0 {
        chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
        NOBODY
    } else {
        own
    };
    let server = home.start_command(command);
    let of = |name: &str| fs::metadata(format!("/proc/{}/{name}", server.id())).unwrap().uid();
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert_eq!(uid.split_whitespace().next(), Some(account.to_string().as_str()), "it runs as somebody else than root");
    for name in ["mem", "environ", "maps"] {
        assert_eq!(of(name), 0, "{name}");
    }
    server.stop();
}
