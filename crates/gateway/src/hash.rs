//! Hashes for spreading and labelling: the same in every process, fast, and good for nothing that an attacker must not
//! foresee.

/// FNV-1a over the bytes.
pub(crate) fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What SplitMix64 multiplies its counter by.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64, which is a bijection.
pub(crate) fn scramble(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_the_published_ones() {
        assert_eq!(fnv(*b"foobar"), 0x8594_4171_f739_67e8);
        // The first number of SplitMix64 from the seed 0.
        assert_eq!(scramble(GOLDEN), 0xe220_a839_7b1d_cdaf);
    }
}
