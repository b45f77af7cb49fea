//! Frames for the loader's own use, handed out from the bottom of one run of memory.
//!
//! Nothing is ever given back, so what was used is one range: `BootInfo` shows it as one region.

use crate::range::PhysRange;

/// A run of frames and how far it has been handed out.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    run: PhysRange,
    next: u64,
}

impl Frames {
    /// All frames of `run`, which consists of whole pages, none handed out yet.
    #[must_use]
    pub fn new(run: PhysRange) -> Self {
        Self {
            run,
            next: run.start(),
        }
    }

    /// Fresh frames for `bytes` bytes in one piece. What they hold is not known.
    pub fn allocate(&mut self, bytes: u64) -> Option<PhysRange> {
        let frames = PhysRange::new(self.next, bytes)?.pages_around()?;
        if frames.end() > self.run.end() {
            return None;
        }
        self.next = frames.end();
        Some(frames)
    }

    /// The frames handed out so far.
    #[must_use]
    pub fn used(&self) -> PhysRange {
        PhysRange::between(self.run.start(), self.next)
    }
}
