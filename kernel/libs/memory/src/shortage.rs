//! What to tell whoever runs a machine that has too little memory for something.

use core::fmt;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// There is less memory than something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What it may take, in bytes.
    pub wanted: u64,
    /// What is free, in bytes.
    pub free: u64,
    /// What the machine has, in bytes.
    pub total: u64,
}

/// To start the machine with this much memory, in bytes: an option of `qemu-run.sh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice(u64);

impl Shortage {
    /// Checks that `wanted` bytes are there, of `free` in a machine of `total` bytes.
    ///
    /// # Errors
    /// They are not.
    pub const fn check(wanted: u64, free: u64, total: u64) -> Result<(), Self> {
        if wanted <= free {
            return Ok(());
        }
        Err(Self {
            wanted,
            free,
            total,
        })
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        Advice(self.enough())
    }

    /// A machine that has enough: a power of two, in bytes. What the kernel hands out is less than what the
    /// machine has.
    #[must_use]
    pub const fn enough(&self) -> u64 {
        let missing = self.wanted.saturating_sub(self.free);
        let handed_out = self.total.saturating_add(missing);
        let whole = handed_out.saturating_add(handed_out / 8 + 32 * MIB);
        match whole.checked_next_power_of_two() {
            Some(bytes) if bytes > MIB => bytes,
            Some(_) => MIB,
            None => u64::MAX,
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wanted, free) = (self.wanted.div_ceil(MIB), self.free / MIB);
        let advice = self.advice();
        write!(
            f,
            "{wanted} MiB of memory may be needed, and {free} MiB are free: {advice}"
        )
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("give the machine more, --memory ")?;
        match self.0 {
            enough if enough >= GIB => write!(f, "{}G", enough / GIB),
            enough => write!(f, "{}M", enough / MIB),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn what_fits_is_no_shortage() {
        assert_eq!(Shortage::check(10 * MIB, 10 * MIB, 256 * MIB), Ok(()));
    }

    #[test]
    fn a_shortage_names_a_machine_that_has_enough() {
        let told = |wanted, free, total| {
            let shortage = Shortage::check(wanted, free, total).expect_err("it is too much");
            assert!(shortage.enough() >= total + (wanted - free));
            shortage.to_string()
        };
        assert_eq!(
            told(200 * MIB + 1, 180 * MIB, 250 * MIB),
            "201 MiB of memory may be needed, and 180 MiB are free: give the machine more, --memory 512M"
        );
        // A machine of 256 MiB hands out 220.
        let told_of_little = told(221 * MIB, 200 * MIB, 220 * MIB);
        assert!(
            told_of_little.ends_with("--memory 512M"),
            "{told_of_little}"
        );
        assert_eq!(
            told(530 * MIB, 200 * MIB + 5, 250 * MIB),
            "530 MiB of memory may be needed, and 200 MiB are free: give the machine more, --memory 1G"
        );
        assert_eq!(
            told(3 * GIB, 400 * MIB, 500 * MIB),
            "3072 MiB of memory may be needed, and 400 MiB are free: give the machine more, --memory 4G"
        );
    }

    #[test]
    fn no_figure_is_too_large_to_be_said() {
        let shortage = Shortage::check(u64::MAX, 0, u64::MAX).expect_err("it is too much");
        assert!(shortage.to_string().contains("MiB of memory may be needed"));
    }
}
