//! The requests that were kept waiting lately, with their reasons, for the dashboard. Only in memory: what they used is in
//! the store like that of any other.

use std::{collections::VecDeque, sync::Mutex};

use domain::usage::SlowRequest;

use crate::lock::lock;

/// As many as a glance takes in.
pub(super) const KEPT: usize = 10;

#[derive(Default)]
pub(crate) struct Slow(Mutex<VecDeque<SlowRequest>>);

impl Slow {
    pub(super) fn add(&self, request: SlowRequest) {
        let mut kept = lock(&self.0);
        kept.push_front(request);
        kept.truncate(KEPT);
    }

    /// The latest first.
    pub(crate) fn latest(&self) -> Vec<SlowRequest> {
        lock(&self.0).iter().cloned().collect()
    }
}
