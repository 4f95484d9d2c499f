//! Lanes: the threads of the data plane, each with a runtime of its own that serves its share of the connections. What is
//! kept for reuse is kept per lane: a connection that another lane reads from costs two wake-ups across cores a request,
//! and a lock that all lanes take.

use std::{cell::Cell, sync::LazyLock, thread};

thread_local! {
    /// 0 is every thread that is no lane.
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// Lanes of this process: one for each core it may use.
static COUNT: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));

/// How many lanes a process should run.
pub fn count() -> usize {
    *COUNT
}

/// Makes the calling thread lane `number`, counted from 1.
pub fn enter(number: usize) {
    LANE.set(number);
}

/// The calling thread's part of what all lanes may have together. Threads that are no lanes may have as much among them.
pub(crate) fn share(all: usize) -> usize {
    if LANE.get() == 0 { all } else { all.div_ceil(count()) }
}

/// What is kept once per lane, and once for all other threads.
pub(crate) struct PerLane<T>(Box<[Apart<T>]>);

/// So far from its neighbours that no two lanes write to the same line of the processor's cache, which would travel
/// between cores with every request.
#[repr(align(128))]
struct Apart<T>(T);

impl<T> PerLane<T> {
    pub(crate) fn new(make: impl Fn() -> T) -> Self {
        Self((0..=count()).map(|_| Apart(make())).collect())
    }

    /// The calling thread's.
    pub(crate) fn here(&self) -> &T {
        &self.0[self.number()].0
    }

    /// The calling thread's place in [`PerLane::all`].
    pub(crate) fn number(&self) -> usize {
        LANE.get() % self.0.len()
    }

    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &T> {
        self.0.iter().map(|Apart(one)| one)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[test]
    fn each_lane_has_its_own_and_other_threads_share_one() {
        let kept = PerLane::new(|| AtomicU32::new(0));
        let add = |lane: Option<usize>| {
            thread::scope(|scope| {
                scope.spawn(|| {
                    lane.into_iter().for_each(enter);
                    kept.here().fetch_add(1, Relaxed);
                });
            });
        };
        [None, None, Some(1), Some(count()), None].into_iter().for_each(add);
        let mut expected = vec![0; count() + 1];
        expected[0] = 3;
        expected[1] += 1;
        expected[count()] += 1;
        let found: Vec<_> = kept.all().map(|number| number.load(Relaxed)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lanes_share_what_is_for_all_of_them() {
        let of_lane = thread::spawn(|| {
            enter(1);
            share(128)
        });
        let part = of_lane.join().unwrap();
        assert!(part * count() >= 128 && (part - 1) * count() < 128, "{part}");
        assert_eq!(share(128), 128);
    }
}
