//! Physical memory, a 4 KiB frame at a time.
//!
//! The bookkeeping is `luge_memory::frames::FrameBitmap`; this file gives it the loader's memory
//! map and a lock. Addresses are physical, in bytes.
//!
//! Invariant: a frame handed out is in usable RAM, above the first megabyte, and handed out once.

use bootloader_api::info::{MemoryRegionKind, MemoryRegions};
use luge_memory::frames::FrameBitmap;

use crate::arch::lock::Lock;
use crate::arch::paging::{PAGE_BYTES, physical_to_virtual};

/// Below this is what firmware and old devices use.
const LOWEST: u64 = 1 << 20;

/// Guests get no frame while fewer than this share (one in 16) is free, so that the kernel can
/// always finish what it is doing.
const RESERVE_SHARE: usize = 16;

static FRAMES: Lock<Option<FrameBitmap<'static>>> = Lock::new(None);

/// Takes over the usable regions of the loader's map.
///
/// # Panics
/// When no region is large enough for the bitmap: such a machine cannot run the kernel.
pub fn init(regions: &MemoryRegions) {
    let usable = || {
        regions
            .iter()
            .filter(|region| region.kind == MemoryRegionKind::Usable)
            .map(|region| (region.start.max(LOWEST), region.end))
            .filter(|(start, end)| start < end)
    };
    let highest = usable()
        .map(|(_, end)| end)
        .max()
        .expect("a machine has RAM");
    let count = (highest / PAGE_BYTES) as usize;
    let words = FrameBitmap::words_needed(count);
    let storage_bytes = ((words * 8) as u64).next_multiple_of(PAGE_BYTES);
    let storage = usable()
        .map(|(start, end)| (start.next_multiple_of(PAGE_BYTES), end))
        .find(|(start, end)| start + storage_bytes <= *end)
        .expect("some region of RAM holds the frame bitmap")
        .0;
    // SAFETY: the loader says that nobody uses the region; `storage` is aligned and is kept out of
    // the free frames below.
    let words =
        unsafe { core::slice::from_raw_parts_mut(physical_to_virtual(storage).cast(), words) };
    let mut bitmap = FrameBitmap::new(words, count);
    for (start, end) in usable() {
        let start = if (start..end).contains(&storage) {
            storage + storage_bytes
        } else {
            start
        };
        let first = start.div_ceil(PAGE_BYTES) as usize;
        let last = (end / PAGE_BYTES) as usize;
        if first < last {
            bitmap.release_range(first..last);
        }
    }
    *FRAMES.lock() = Some(bitmap);
}

fn with<R>(f: impl FnOnce(&mut FrameBitmap<'static>) -> R) -> R {
    f(FRAMES
        .lock()
        .as_mut()
        .expect("frames::init runs before anybody asks for a frame"))
}

/// A frame with anything in it.
fn allocate() -> Option<u64> {
    with(FrameBitmap::allocate).map(|frame| frame as u64 * PAGE_BYTES)
}

/// A zeroed frame, for the kernel.
#[must_use]
pub fn allocate_zeroed() -> Option<u64> {
    let frame = allocate()?;
    zero(frame);
    Some(frame)
}

/// A zeroed frame for a guest, refused while the kernel's reserve is touched.
#[must_use]
pub fn allocate_for_guest() -> Option<u64> {
    let frame = with(|bitmap| {
        let enough = bitmap.free() > bitmap.total() / RESERVE_SHARE;
        enough.then(|| bitmap.allocate()).flatten()
    })? as u64
        * PAGE_BYTES;
    zero(frame);
    Some(frame)
}

/// Whether a guest that needs `bytes` more can have them without touching the reserve.
#[must_use]
pub fn has_room_for_guest(bytes: u64) -> bool {
    let (free, total) = counts();
    free > total / RESERVE_SHARE + bytes.div_ceil(PAGE_BYTES) as usize
}

/// Whether there are frames for `bytes` bytes and for the page tables that map them.
#[must_use]
pub fn has_frames(bytes: u64) -> bool {
    let pages = bytes.div_ceil(PAGE_BYTES) as usize;
    let tables = pages / 512 + 4;
    counts().0 >= pages + tables
}

/// Frames in a row, zeroed.
#[must_use]
pub fn allocate_contiguous(count: usize) -> Option<u64> {
    let first = with(|bitmap| bitmap.allocate_contiguous(count, 1))? as u64 * PAGE_BYTES;
    for index in 0..count as u64 {
        zero(first + index * PAGE_BYTES);
    }
    Some(first)
}

/// Takes a frame back.
///
/// # Safety
/// Nobody may use the frame any more, through any mapping.
///
/// # Panics
/// When the frame was not handed out: the kernel's books are wrong.
pub unsafe fn release(frame: u64) {
    let result = with(|bitmap| bitmap.release((frame / PAGE_BYTES) as usize));
    if let Err(error) = result {
        panic!("released a frame that was not handed out: {error:?}");
    }
}

/// (free, total)
#[must_use]
pub fn counts() -> (usize, usize) {
    with(|bitmap| (bitmap.free(), bitmap.total()))
}

fn zero(frame: u64) {
    // SAFETY: the frame was just handed out to us, is RAM, and is mapped writable there.
    unsafe { core::ptr::write_bytes(physical_to_virtual(frame), 0, PAGE_BYTES as usize) };
}
