//! Times between requests, for the tests of limits.

use proptest::prelude::*;

/// Milliseconds of all sizes that matter: inside a sub-bucket, across some, across the window. By hand, because `prop_oneof!`
/// makes a generator of random numbers for every value: that was nearly all of the time.
pub(super) fn gap() -> impl Strategy<Value = u64> {
    (0_u8..10, 0_u64..130_000).prop_map(|(size, gap)| match size {
        0..4 => gap % 50,
        4..7 => gap % 2_000,
        7 | 8 => gap % 20_000,
        _ => gap,
    })
}
