//! A counter of 16 bits that counts down, and goes on at its top after zero, as the 8254 does.

/// How far such a counter has come down, in counts, if it has gone around less than once in between.
#[must_use]
pub const fn counted_down(from: u16, to: u16) -> u16 {
    from.wrapping_sub(to)
}

#[cfg(test)]
mod tests {
    use super::counted_down;

    #[test]
    fn a_count_goes_on_at_the_top_after_zero() {
        assert_eq!(counted_down(60_000, 57_000), 3_000);
        assert_eq!(counted_down(1_000, 0xffff), 1_001);
        assert_eq!(counted_down(7, 7), 0);
    }

    /// The host may stop a machine for so long that the first count that is read is a small one.
    #[test]
    fn a_measurement_ends_wherever_its_first_count_lies() {
        const LEAST: u16 = 2_386;
        for first in 0..=u16::MAX {
            let mut count = first;
            let mut reads = 0;
            while counted_down(first, count) < LEAST {
                count = count.wrapping_sub(100);
                reads += 1;
                assert!(reads <= 24, "from {first} on");
            }
        }
    }
}
