//! In which order the backends that have a model are tried. Round robin for now; another strategy is another way to
//! choose the first one here, and nothing outside needs to know.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Whose turn it is. Clones share the count, so that it goes on when the catalogue is replaced.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<AtomicUsize>);

impl Turn {
    /// Takes a turn among `count`: every index once, beginning with the next one.
    pub(crate) fn order(&self, count: usize) -> Order {
        let first = if count == 0 { 0 } else { self.0.fetch_add(1, Ordering::Relaxed) % count };
        Order { first, tried: 0, count }
    }
}

/// The indices still to be tried.
pub(crate) struct Order {
    first: usize,
    tried: usize,
    count: usize,
}

impl Iterator for Order {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.tried == self.count {
            return None;
        }
        let index = (self.first + self.tried) % self.count;
        self.tried += 1;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_begins_equally_often_and_nobody_is_tried_twice() {
        let turn = Turn::default();
        let orders: Vec<Vec<usize>> = (0..6).map(|_| turn.clone().order(3).collect()).collect();
        let rounds = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];
        assert_eq!(orders, [rounds, rounds].concat());
    }

    #[test]
    fn nobody_to_choose_from_takes_no_turn() {
        let turn = Turn::default();
        assert_eq!(turn.order(0).count(), 0);
        assert_eq!(turn.order(2).next(), Some(0));
    }
}
