//! Which lane of the data plane serves a connection. It stays there: its task, its timers and the connections to backends
//! that it uses are one thread's, and nothing of them wakes another.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::runtime::Handle;

/// All lanes; cheap to clone.
#[derive(Clone)]
pub struct Lanes(Arc<[Lane]>);

struct Lane {
    runtime: Handle,
    connections: AtomicUsize,
}

/// A connection's place in its lane, until this is dropped.
pub struct Seat {
    lanes: Lanes,
    number: usize,
}

impl Lanes {
    /// One lane for each runtime, of which there must be one at least.
    pub fn new(runtimes: impl IntoIterator<Item = Handle>) -> Self {
        Self(runtimes.into_iter().map(|runtime| Lane { runtime, connections: AtomicUsize::new(0) }).collect())
    }

    /// Takes a seat where the fewest connections are.
    pub fn seat(&self) -> Seat {
        let counts = self.0.iter().map(|lane| lane.connections.load(Relaxed));
        let number = counts.enumerate().min_by_key(|(_, count)| *count).map_or(0, |(number, _)| number);
        self.0[number].connections.fetch_add(1, Relaxed);
        Seat { lanes: self.clone(), number }
    }
}

impl Seat {
    fn lane(&self) -> &Lane {
        &self.lanes.0[self.number]
    }

    /// Where the connection's task belongs.
    pub fn runtime(&self) -> &Handle {
        &self.lane().runtime
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.lane().connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_goes_where_the_fewest_are() {
        let lanes = Lanes::new([Handle::current(), Handle::current(), Handle::current()]);
        let mut seats: Vec<_> = (0..7).map(|_| lanes.seat()).collect();
        let taken = |seats: &[Seat]| {
            (0..3).map(|lane| seats.iter().filter(|seat| seat.number == lane).count()).collect::<Vec<_>>()
        };
        assert_eq!(taken(&seats), [3, 2, 2]);
        seats.retain(|seat| seat.number != 1);
        seats.extend([lanes.seat(), lanes.seat()]);
        assert_eq!(taken(&seats), [3, 2, 2]);
    }
}
