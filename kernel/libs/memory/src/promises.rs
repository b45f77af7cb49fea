//! Frames that are promised to somebody who will ask for them later.
//!
//! A page that is mapped at its first touch needs a frame at a moment when "there is none" is no
//! possible answer. So the frames are counted before, and a promise is made only if it can be kept.

/// How many frames are promised and not yet handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    open: usize,
}

impl Promises {
    /// No promises yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { open: 0 }
    }

    /// How many frames are promised and not yet handed out.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// How many of `free` frames nobody counts on, `reserve` being kept back.
    #[must_use]
    pub const fn unpromised(&self, free: usize, reserve: usize) -> usize {
        free.saturating_sub(reserve).saturating_sub(self.open)
    }

    /// Promises `frames` more, if that many are left. False if not; nothing has changed then.
    pub const fn make(&mut self, frames: usize, free: usize, reserve: usize) -> bool {
        let possible = frames <= self.unpromised(free, reserve);
        if possible {
            self.open += frames;
        }
        possible
    }

    /// `frames` that were promised have been handed out, or are not wanted any more.
    ///
    /// # Panics
    /// If so many were never promised.
    pub const fn close(&mut self, frames: usize) {
        assert!(frames <= self.open, "a promise is closed once");
        self.open -= frames;
    }
}
