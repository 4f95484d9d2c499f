//! Watches what memory the process takes, and has new inference refused while that is above what it may (`MAX_MEMORY_MB`).
//! The look is taken once a second, here; a request only sees its result.

use std::{fs, io, time::Duration};

use gateway::Gateway;
use tokio_util::sync::CancellationToken;

const LOOK: Duration = Duration::from_secs(1);
const MB: u64 = 1_000_000;
/// Percent of the limit under which it is over.
const RELIEF: u64 = 95;

/// Resident bytes of this process. Fails where the system does not tell.
pub fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    parse(&status).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no VmRSS in /proc/self/status"))
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Watches until `stop`.
pub async fn watch(gateway: Gateway, limit_mb: u32, stop: CancellationToken) {
    let mut pressure = Pressure { limit: u64::from(limit_mb) * MB, high: false };
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.cancelled() => return,
        }
        let before = pressure.high;
        match resident() {
            Ok(resident) => {
                gateway.refuse_inference(pressure.look(resident, gateway.in_flight()));
                match (before, pressure.high) {
                    (false, true) => tracing::warn!(
                        resident_mb = resident / MB,
                        limit_mb,
                        "above MAX_MEMORY_MB: new inference is refused while requests are in flight"
                    ),
                    (true, false) => tracing::info!(resident_mb = resident / MB, "below MAX_MEMORY_MB again"),
                    _ => {}
                }
            }
            Err(error) => tracing::warn!(%error, "cannot tell how much memory is in use"),
        }
    }
}

struct Pressure {
    /// Bytes.
    limit: u64,
    /// Above the limit, and not below the relief since.
    high: bool,
}

impl Pressure {
    /// Whether new requests are to be refused. Not while nothing is in flight: what is still taken then is not given back
    /// by waiting, and who would refuse everybody for ever is of less use than who runs out of memory.
    fn look(&mut self, resident: u64, in_flight: u64) -> bool {
        self.high = resident > if self.high { self.limit / 100 * RELIEF } else { self.limit };
        self.high && in_flight > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_above_the_limit_and_ends_only_well_below_it() {
        let mut pressure = Pressure { limit: 1_000, high: false };
        for (resident, refused) in
            [(999, false), (1_000, false), (1_001, true), (960, true), (950, false), (1_000, false)]
        {
            assert_eq!(pressure.look(resident, 1), refused, "{resident}");
        }
    }

    #[test]
    fn whoever_is_alone_is_served() {
        let mut pressure = Pressure { limit: 1_000, high: false };
        assert!(pressure.look(2_000, 1));
        assert!(!pressure.look(2_000, 0));
        assert!(pressure.look(2_000, 2));
    }

    #[test]
    fn the_systems_text_is_read_in_bytes() {
        assert_eq!(parse("Name:\tx\nVmRSS:\t  6000 kB\nRssAnon:\t1 kB\n"), Some(6_144_000));
        assert_eq!(parse("VmRSS:\n"), None);
        assert!(resident().is_ok_and(|bytes| bytes > 1_000_000));
    }
}
