//! Frames that somebody will need, kept for them beforehand.
//!
//! Who must not find in the middle of its work that others have taken the memory has it promised first, or is refused
//! before it begins.

use super::{frames, idle};
use crate::arch::paging::PAGE_BYTES;

/// Frames that are promised and not handed out yet. They are anybody's again when this is dropped.
#[derive(Debug, Default)]
pub struct Promised {
    pages: usize,
}

impl Promised {
    /// None.
    pub const NONE: Self = Self { pages: 0 };

    /// Frames for `bytes` bytes. None if there are not so many, even without what waits to be used again.
    #[must_use]
    pub fn for_bytes(bytes: u64) -> Option<Self> {
        let mut promised = Self::NONE;
        promised.grow_to(bytes).then_some(promised)
    }

    /// So many bytes at least from now on. False if there is not so much; then nothing has changed.
    #[must_use]
    pub fn grow_to(&mut self, bytes: u64) -> bool {
        let wanted = bytes.div_ceil(PAGE_BYTES) as usize;
        let more = wanted.saturating_sub(self.pages);
        let is_promised = idle::or_without(|| frames::promise(more).then_some(())).is_some();
        if is_promised {
            self.pages += more;
        }
        is_promised
    }

    /// So many bytes at least from now on, as far as there are frames. For those that were just given back.
    pub fn keep(&mut self, bytes: u64) {
        let more = (bytes / PAGE_BYTES).saturating_sub(self.pages as u64) as usize;
        if more > 0 && frames::promise(more) {
            self.pages += more;
        }
    }

    /// One of the frames, zeroed. None if there is none left.
    #[must_use]
    pub fn take_frame(&mut self) -> Option<u64> {
        let left = self.pages.checked_sub(1)?;
        let frame = frames::allocate_promised(|bytes| bytes.fill(0))?;
        self.pages = left;
        Some(frame)
    }

    /// How much there still is, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.pages as u64 * PAGE_BYTES
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        if self.pages > 0 {
            frames::take_back_promise(self.pages);
        }
    }
}
