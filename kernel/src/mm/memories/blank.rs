//! Blank memory in the place of what there was, as an `mmap` over a mapping gives it.

use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use luge_memory::layout;

use super::{Memory, MemoryError, Slot, fill};
use crate::arch::paging::{self, Access, PAGE_BYTES};
use crate::mm::frames;

/// What takes the place of what was in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// Zeroes, to be read and written.
    Zeroes,
    /// Nothing: a touch is out of bounds.
    Nothing,
}

impl Memory {
    /// Drops what is in `range`, initial data included.
    ///
    /// # Errors
    /// [`MemoryError::BadRange`] if the range is not one of whole pages in the slot, if it would leave a part
    /// of the initial data, if zeroes are to be where nothing is accessible, or if something behind
    /// the range would stay accessible where it is to be nothing. Nothing has changed then.
    ///
    /// # Safety
    /// Nobody may count on what is in the range.
    pub unsafe fn blank(&mut self, range: Range<u64>, blank: Blank) -> Result<(), MemoryError> {
        let (space, slot) = (layout::memory_range(self.slot), self.slot());
        let end = space.start + self.exposed();
        let fits = space.start <= range.start
            && range.end <= space.end
            && range.start.is_multiple_of(PAGE_BYTES)
            && range.end.is_multiple_of(PAGE_BYTES)
            && match blank {
                Blank::Zeroes => range.end <= end,
                Blank::Nothing => (range.start..=range.end).contains(&end),
            };
        let has_image = slot.image_range(space.start).is_some_and(|image| {
            // A part of it would be left otherwise.
            image.start < range.end && range.start < image.end
        });
        let all_of_it = slot
            .image_range(space.start)
            .is_none_or(|image| range.start <= image.start && image.end <= range.end);
        if !fits || (has_image && !all_of_it) {
            return Err(MemoryError::BadRange);
        }
        match blank {
            Blank::Zeroes => zero(range),
            Blank::Nothing => slot.hide(range.start..end, space.start),
        }
        if has_image {
            slot.image.store(null_mut(), Relaxed);
            self.for_use = None;
        }
        Ok(())
    }
}

impl Slot {
    /// Where the image lies, if there is one; the slot's memory begins at `start`.
    fn image_range(&self, start: u64) -> Option<Range<u64>> {
        // SAFETY: as in `image_frame`.
        let image = unsafe { self.image.load(Relaxed).as_ref() }?;
        let start = start + self.image_start.load(Relaxed);
        Some(start..start + image.frames.len() as u64 * PAGE_BYTES)
    }

    /// Unmaps `range`, up to where the accessible part ends, which ends before it then.
    fn hide(&self, range: Range<u64>, start: u64) {
        let promised = self.open_promises();
        self.accessible.store(range.start - start, Relaxed);
        self.unmap(range, start);
        frames::take_back_promise((promised - self.open_promises()) as usize);
    }
}

/// Zeroes the pages of `range` that have a frame of their own, and unmaps the image's.
fn zero(range: Range<u64>) {
    for page in range.step_by(PAGE_BYTES as usize) {
        match paging::mapping_of(page) {
            Some((frame, Access::ReadWrite)) => {
                // SAFETY: the page has the frame, which is RAM, for itself, and nobody counts on its bytes.
                fill(
                    unsafe { &mut *paging::physical_to_virtual(frame).cast() },
                    None,
                );
            }
            // SAFETY: nobody counts on what is there; the frame stays the image's.
            Some(_) => unsafe { paging::unmap(page..page + PAGE_BYTES, &mut |_| ()) },
            None => {}
        }
    }
}
