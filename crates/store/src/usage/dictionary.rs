//! Names as numbers, for the blocks of segments and of sums.

use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Dictionary<'a> {
    numbers: HashMap<&'a str, u32>,
    pub(super) names: Vec<String>,
}

impl<'a> Dictionary<'a> {
    /// Counted from 1.
    pub(super) fn number(&mut self, name: &'a str) -> u32 {
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(name.to_owned());
            u32::try_from(self.names.len()).unwrap_or(u32::MAX)
        })
    }
}
