//! Numbers that only grow.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often something happened, or how much of it.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Once more.
    #[inline]
    pub fn count(&self) {
        self.add(1);
    }

    /// So much more.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// How much it is.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A counter for each label of a fixed list; what is not in the list counts as its last one.
#[derive(Debug)]
pub struct Counters<const N: usize>([Counter; N]);

impl<const N: usize> Counters<N> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { Counter::new() }; N])
    }

    /// The one at this place of the list.
    #[inline]
    #[must_use]
    pub fn at(&self, place: usize) -> &Counter {
        &self.0[place.min(N - 1)]
    }

    /// All of them, with their labels.
    pub fn with<'a, L>(&'a self, labels: &'a [L; N]) -> impl Iterator<Item = (&'a L, u64)> {
        labels.iter().zip(self.0.iter().map(Counter::get))
    }
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a pool had what was asked of it.
#[derive(Debug, Default)]
pub struct PoolMeter {
    /// It had it.
    pub hits: Counter,
    /// It had to be made.
    pub misses: Counter,
}

impl PoolMeter {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            hits: Counter::new(),
            misses: Counter::new(),
        }
    }

    /// Something was asked of the pool.
    #[inline]
    pub fn asked(&self, had_it: bool) {
        if had_it { &self.hits } else { &self.misses }.count();
    }
}

/// What went through a device in one direction.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Frames, or requests.
    pub items: Counter,
    /// Bytes in them.
    pub bytes: Counter,
}

impl Traffic {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            items: Counter::new(),
            bytes: Counter::new(),
        }
    }

    /// One more, of so many bytes.
    #[inline]
    pub fn passed(&self, bytes: usize) {
        self.items.count();
        self.bytes.add(bytes as u64);
    }
}
