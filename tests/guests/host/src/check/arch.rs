//! The machine, as far as WASI needs it.

/// Clocks.
pub mod time {
    use std::sync::OnceLock;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    static BOOT: OnceLock<std::time::Instant> = OnceLock::new();

    /// A moment, in nanoseconds since the first look at the clock.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub struct Instant(u64);

    impl Instant {
        pub fn now() -> Self {
            Self(ns(BOOT.get_or_init(std::time::Instant::now).elapsed()))
        }

        pub const fn from_ns(ns: u64) -> Self {
            Self(ns)
        }

        pub const fn as_ns(self) -> u64 {
            self.0
        }

        #[expect(dead_code, reason = "the kernel's has it")]
        pub const fn plus_ns(self, ns: u64) -> Self {
            Self(self.0.saturating_add(ns))
        }

        pub const fn since(self, earlier: Self) -> u64 {
            self.0.saturating_sub(earlier.0)
        }
    }

    /// Time since 1970 in nanoseconds.
    pub fn wall_clock_ns() -> u64 {
        ns(SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default())
    }

    fn ns(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Random numbers, good enough for tests.
pub mod random {
    use std::hash::{BuildHasher, RandomState};

    pub fn fill(bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = RandomState::new().hash_one(chunk.len()).to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}
