//! How often something may happen.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

const SECOND_NS: u64 = 1_000_000_000;

/// A bucket of tokens, which is filled at a constant rate up to a most.
///
/// What is kept is when it will be full again; from that follows what is in it at any time. Nothing has to fill it.
#[derive(Debug)]
pub struct Bucket {
    full_at_ns: AtomicU64,
    /// Time in which one token comes.
    token_ns: u64,
    /// Time in which all of them come.
    all_ns: u64,
}

impl Bucket {
    /// A full one with room for `most` tokens, of which `each_second` come in a second. Neither may be 0.
    #[must_use]
    pub const fn new(most: u64, each_second: u64) -> Self {
        let token_ns = SECOND_NS / each_second;
        Self {
            full_at_ns: AtomicU64::new(0),
            token_ns,
            all_ns: token_ns * most,
        }
    }

    /// Takes a token, if there is one at `now_ns`, which is in nanoseconds since boot.
    pub fn take(&self, now_ns: u64) -> bool {
        let taken = self
            .full_at_ns
            .fetch_update(Relaxed, Relaxed, |full_at_ns| {
                let full_at_ns = full_at_ns.max(now_ns) + self.token_ns;
                (full_at_ns - now_ns <= self.all_ns).then_some(full_at_ns)
            });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many tokens can be taken at this moment.
    fn taken(bucket: &Bucket, now_ns: u64) -> usize {
        core::iter::from_fn(|| bucket.take(now_ns).then_some(())).count()
    }

    #[test]
    fn a_full_bucket_has_as_many_tokens_as_fit() {
        let bucket = Bucket::new(64, 32);
        assert_eq!(taken(&bucket, 0), 64);
        assert_eq!(taken(&bucket, 0), 0);
    }

    #[test]
    fn tokens_come_at_their_rate_and_no_more_than_fit() {
        let bucket = Bucket::new(64, 32);
        assert_eq!(taken(&bucket, 5), 64);
        assert_eq!(taken(&bucket, 5 + SECOND_NS / 32 - 1), 0);
        assert_eq!(taken(&bucket, 5 + SECOND_NS / 32), 1);
        assert_eq!(taken(&bucket, 5 + SECOND_NS + SECOND_NS / 32), 32);
        assert_eq!(taken(&bucket, 100 * SECOND_NS), 64);
    }

    #[test]
    fn whoever_takes_slower_than_they_come_always_gets_one() {
        let bucket = Bucket::new(2, 10);
        for turn in 0..100 {
            assert!(bucket.take(turn * SECOND_NS / 10), "turn {turn}");
        }
    }
}
