//! What the kernel says of a process and everything it started: CPU time and memory. The readers of its texts are apart
//! from the reading, because a wrong column would look like a figure.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use anyhow::{Context, Result, bail};

/// Clock ticks a second of `/proc/PID/stat`: a constant of Linux's interface on the machines this is built for.
const TICKS: u64 = 100;

/// CPU time of one process.
#[derive(Clone, Debug, Default)]
struct Cpu {
    /// User and system time of all threads, ended ones included, in nanoseconds; steps of 10 ms.
    coarse: u64,
    /// The name and the nanoseconds of each living thread, exactly.
    threads: BTreeMap<u32, (String, u64)>,
}

/// CPU time of a process and all it started, at one moment.
#[derive(Clone, Debug, Default)]
pub struct CpuTimes(BTreeMap<u32, Cpu>);

impl CpuTimes {
    pub fn of(root: u32) -> Result<Self> {
        let mut times = BTreeMap::new();
        for pid in family(root)? {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process ended while measured")?;
            let coarse = parse_stat(&stat)?.ticks * (1_000_000_000 / TICKS);
            let mut threads = BTreeMap::new();
            for entry in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
                // A thread may end between the two reads.
                let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
                if let (Ok(thread), Some(run)) = (entry.file_name().to_string_lossy().parse(), parse_schedstat(&text)) {
                    let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                    threads.insert(thread, (name.trim_end().to_owned(), run));
                }
            }
            times.insert(pid, Cpu { coarse, threads });
        }
        Ok(Self(times))
    }

    /// What was used since `earlier`, in nanoseconds. Processes that began since count whole; one that ended is a fault.
    pub fn since(&self, earlier: &Self) -> Result<u64> {
        if earlier.0.keys().any(|pid| !self.0.contains_key(pid)) {
            bail!("a process ended while it was measured");
        }
        let none = Cpu::default();
        Ok(self.0.iter().map(|(pid, now)| now.since(earlier.0.get(pid).unwrap_or(&none))).sum())
    }

    /// What the living threads of this name used since `earlier`, in nanoseconds.
    pub fn of_threads(&self, name: &str, earlier: &Self) -> u64 {
        let none = Cpu::default();
        let used = |(pid, now): (&u32, &Cpu)| now.exact(earlier.0.get(pid).unwrap_or(&none), |found| found == name);
        self.0.iter().map(used).sum()
    }
}

impl Cpu {
    /// The exact figure, unless threads ended meanwhile: then the coarse one, which has them.
    fn since(&self, earlier: &Self) -> u64 {
        let coarse = self.coarse.saturating_sub(earlier.coarse);
        let ended = earlier.threads.keys().any(|thread| !self.threads.contains_key(thread));
        let exact = self.exact(earlier, |_| true);
        // A thread that began and ended in between is in neither list; two ticks and 2 % are the coarse one's error.
        let near = exact.abs_diff(coarse) <= 2 * 1_000_000_000 / TICKS + coarse / 50;
        if ended || !near { coarse } else { exact }
    }

    /// The living threads whose name is one that is wanted.
    fn exact(&self, earlier: &Self, wanted: impl Fn(&str) -> bool) -> u64 {
        let before = |thread: &u32| earlier.threads.get(thread).map_or(0, |(_, before)| *before);
        let used = |(thread, (_, now)): (&u32, &(String, u64))| now.saturating_sub(before(thread));
        self.threads.iter().filter(|(_, (name, _))| wanted(name)).map(used).sum()
    }
}

/// Resident bytes; pages that processes share count once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub whole: u64,
    /// Without the pages of files, which are the program itself for the most part: how many of those are mapped depends on
    /// what the machine has in its cache, and it can drop them at any time.
    pub own: u64,
}

/// What a process and all it started have.
pub fn memory(root: u32) -> Result<Memory> {
    let mut sum = Memory::default();
    for pid in family(root)? {
        let path = format!("/proc/{pid}/smaps_rollup");
        let found = match fs::read_to_string(&path) {
            Ok(text) => parse_rollup(&text).context(path)?,
            // Our own program lets only root look closer. It is one process, which shares its pages with nobody.
            Err(_) => {
                let path = format!("/proc/{pid}/status");
                parse_status(&fs::read_to_string(&path).context(path.clone())?).context(path)?
            }
        };
        sum = Memory { whole: sum.whole + found.whole, own: sum.own + found.own };
    }
    Ok(sum)
}

/// The hard limit of open files, which what we start can raise its own to.
pub fn open_files() -> Result<u64> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    parse_open_files(&limits).context("/proc/self/limits")
}

/// The share of the machine, 0 to 1, that is busy for so long: everybody's work, other machines' on the same host included.
/// 0 where the kernel does not tell.
pub fn busy(time: Duration) -> f64 {
    let look = || parse_idle(&fs::read_to_string("/proc/stat").unwrap_or_default());
    let before = look();
    thread::sleep(time);
    match (before, look()) {
        (Some((idle, all)), Some((idle_now, all_now))) if all_now > all => {
            1.0 - idle_now.saturating_sub(idle) as f64 / (all_now - all) as f64
        }
        _ => 0.0,
    }
}

/// `root` and everything it started, directly or not.
fn family(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // It may have ended since.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        parents.push((pid, parse_stat(&stat)?.parent));
    }
    if !parents.iter().any(|(pid, _)| *pid == root) {
        bail!("the process is gone");
    }
    Ok(descendants(root, &parents))
}

fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let of = found[next];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// User and system time in clock ticks.
    ticks: u64,
}

/// `/proc/PID/stat`. The name in parentheses may hold spaces and parentheses.
fn parse_stat(text: &str) -> Result<Stat> {
    let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The state, the third field, is the first one here.
    let field =
        |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok()).context("short stat");
    Ok(Stat { parent: u32::try_from(field(4)?)?, ticks: field(14)? + field(15)? })
}

/// Nanoseconds on the CPU: the first number of `/proc/PID/task/TID/schedstat`.
fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// `/proc/PID/smaps_rollup`.
fn parse_rollup(text: &str) -> Option<Memory> {
    parse_memory(text, "Pss:", "Pss_File:")
}

/// The same of `/proc/PID/status`, shared pages in full.
fn parse_status(text: &str) -> Option<Memory> {
    parse_memory(text, "VmRSS:", "RssFile:")
}

fn parse_memory(text: &str, whole: &str, files: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    let whole = bytes(whole)?;
    Some(Memory { whole, own: whole.saturating_sub(bytes(files)?) })
}

/// Idle ticks (waiting for a disk is idle, too) and all ticks of the first line of `/proc/stat`.
fn parse_idle(text: &str) -> Option<(u64, u64)> {
    let numbers = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    // Behind the eighth number come those of guests, which are counted in the first ones already.
    let ticks = numbers.take(8).map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
    Some((ticks.get(3)? + ticks.get(4)?, ticks.iter().sum()))
}

/// The hard limit, the second number of its line.
fn parse_open_files(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn stat_is_read_behind_any_name() {
        let text =
            "42 (a) b (c)) S 7 42 42 0 -1 4194560 995 0 0 0 123 45 1 2 20 0 3 0 8836 1 2 3 4 5 6 7 8 9 0 0 0 0 0 0";
        assert_eq!(parse_stat(text).unwrap(), Stat { parent: 7, ticks: 168 });
        assert!(parse_stat("42 (a) S 7 42").is_err());
        assert!(parse_stat("").is_err());
    }

    #[test]
    fn schedstat_memory_and_limits_are_read() {
        assert_eq!(parse_schedstat("224833 2648896 2\n"), Some(224_833));
        assert_eq!(parse_schedstat(""), None);
        let rollup =
            "00400000-7ffd rollup\nRss:    9000 kB\nPss:    5120 kB\nPss_Dirty:   12 kB\nPss_File:   4096 kB\n";
        assert_eq!(parse_rollup(rollup), Some(Memory { whole: 5120 * 1024, own: 1024 * 1024 }));
        assert_eq!(parse_rollup("Pss:    5120 kB\n"), None);
        let status = "VmHWM:\t9999 kB\nVmRSS:\t    6000 kB\nRssAnon:\t 1000 kB\nRssFile:\t    5000 kB\n";
        assert_eq!(parse_status(status), Some(Memory { whole: 6000 * 1024, own: 1000 * 1024 }));
        let limits = "Limit     Soft Limit   Hard Limit   Units\nMax open files    1024    20000    files\n";
        assert_eq!(parse_open_files(limits), Some(20_000));
        assert_eq!(parse_open_files("Max open files   1024   unlimited   files\n"), Some(u64::MAX));
    }

    #[test]
    fn the_machines_idle_time_is_read() {
        assert_eq!(parse_idle("cpu  10 1 5 80 4 0 0 2 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), Some((84, 102)));
        assert_eq!(parse_idle("cpu  10 1\n"), None);
        assert_eq!(parse_idle(""), None);
        assert!((0.0..=1.0).contains(&busy(Duration::from_millis(1))));
    }

    #[test]
    fn a_family_is_the_process_and_all_below_it() {
        let parents = [(1, 0), (10, 1), (11, 10), (12, 11), (20, 1), (13, 10)];
        let mut found = descendants(10, &parents);
        found.sort_unstable();
        assert_eq!(found, [10, 11, 12, 13]);
    }

    fn cpu(coarse_ms: u64, threads: &[(u32, u64)]) -> Cpu {
        Cpu {
            coarse: coarse_ms * 1_000_000,
            threads: threads.iter().map(|(thread, ms)| (*thread, (format!("t{thread}"), ms * 1_000_000))).collect(),
        }
    }

    #[test]
    fn cpu_time_is_exact_and_misses_no_thread() {
        let before = cpu(1000, &[(1, 600), (2, 400)]);
        // A new thread counts, and the exact figure is the one taken.
        assert_eq!(cpu(1100, &[(1, 650), (2, 403), (3, 50)]).since(&before), 103_000_000);
        // An ended thread is only in the coarse figure.
        assert_eq!(cpu(1100, &[(1, 650)]).since(&before), 100_000_000);
        // So is one that began and ended in between.
        assert_eq!(cpu(1500, &[(1, 650), (2, 403)]).since(&before), 500_000_000);
    }

    #[test]
    fn threads_are_told_apart_by_name() {
        let of = |threads: &[(u32, u64)]| CpuTimes([(7, cpu(0, threads))].into());
        let (before, now) = (of(&[(1, 600), (2, 400)]), of(&[(1, 650), (2, 403), (3, 50)]));
        assert_eq!(now.of_threads("t1", &before), 50_000_000);
        assert_eq!(now.of_threads("t3", &before), 50_000_000);
        assert_eq!(now.of_threads("t4", &before), 0);
    }

    #[test]
    fn a_process_that_ended_is_a_fault_and_a_new_one_counts() {
        let of = |pids: &[u32]| CpuTimes(pids.iter().map(|pid| (*pid, cpu(10, &[(*pid, 10)]))).collect());
        assert_eq!(of(&[1, 2]).since(&of(&[1])).unwrap(), 10_000_000);
        assert!(of(&[1]).since(&of(&[1, 2])).is_err());
    }

    #[test]
    fn this_process_has_cpu_time_and_memory() {
        let me = std::process::id();
        let before = CpuTimes::of(me).unwrap();
        let start = Instant::now();
        while CpuTimes::of(me).unwrap().since(&before).unwrap() < 1_000_000 {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        assert!(memory(me).unwrap().own > 100_000);
        assert!(open_files().unwrap() > 0);
    }
}
