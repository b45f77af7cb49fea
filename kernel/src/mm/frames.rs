//! Physical memory, a 4 KiB frame at a time.
//!
//! The bookkeeping is `luge_memory::frames::FrameBitmap`; this file gives it the loader's memory
//! map and a lock. Addresses are physical, in bytes.
//!
//! Invariant: a frame handed out is in usable RAM, above the first megabyte, and handed out once.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use bootloader_api::info::{MemoryRegionKind, MemoryRegions};
use luge_memory::frames::FrameBitmap;
use luge_memory::promises::Promises;
use luge_memory::shares::{Holder, Shares};

use crate::arch::lock::Lock;
use crate::arch::paging::{PAGE_BYTES, physical_to_virtual};

/// Below this is what firmware and old devices use.
const LOWEST: u64 = 1 << 20;

/// Guests get no frame while fewer than this share (one in 16) is free, so that the kernel can
/// always finish what it is doing.
const RESERVE_SHARE: usize = 16;
/// Of the rest, tenants' sandboxes are sure of one part in so many, of which [`Shares`] keeps a half: bodies and deployed
/// programs may have a quarter each.
const SHARED_PART: usize = 2;

static FRAMES: Lock<Option<Frames>> = Lock::new(None);
static ARE_SHARED: AtomicBool = AtomicBool::new(false);

struct Frames {
    bitmap: FrameBitmap<'static>,
    promises: Promises,
    shares: Shares,
    tenants: usize,
}

impl Frames {
    /// How many frames guests may have that nobody counts on.
    fn left_for_guests(&self) -> usize {
        self.promises.unpromised(self.bitmap.free(), self.reserve())
    }

    /// Frames that are kept for the kernel.
    fn reserve(&self) -> usize {
        self.bitmap.total() / RESERVE_SHARE
    }
}

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
    *FRAMES.lock() = Some(Frames {
        bitmap,
        promises: Promises::none(),
        shares: Shares::new(),
        tenants: 0,
    });
}

fn with<R>(f: impl FnOnce(&mut Frames) -> R) -> R {
    f(FRAMES
        .lock()
        .as_mut()
        .expect("frames::init runs before anybody asks for a frame"))
}

/// A frame for the kernel, with anything in it.
#[must_use]
pub fn allocate() -> Option<u64> {
    with(|frames| frames.bitmap.allocate()).map(|frame| frame as u64 * PAGE_BYTES)
}

/// A zeroed frame, for the kernel.
#[must_use]
pub fn allocate_zeroed() -> Option<u64> {
    let frame = allocate()?;
    zero(frame);
    Some(frame)
}

/// Page tables of stacks, arenas and linear memories.
static TABLES: AtomicUsize = AtomicUsize::new(0);

/// A zeroed frame for a page table of a stack's, an arena's or a linear memory's slot.
#[must_use]
pub fn allocate_table() -> Option<u64> {
    let frame = allocate_zeroed()?;
    TABLES.fetch_add(1, Relaxed);
    Some(frame)
}

/// Takes a page table back.
///
/// # Safety
/// As for [`release`]; it must come from [`allocate_table`].
pub unsafe fn release_table(frame: u64) {
    TABLES.fetch_sub(1, Relaxed);
    // SAFETY: as the caller promises.
    unsafe { release(frame) };
}

/// Page tables that there are: those of slots that were used stay for the next who gets the slot.
#[must_use]
pub fn tables() -> usize {
    TABLES.load(Relaxed)
}

/// A zeroed frame for a guest, refused while the kernel's reserve is touched.
#[must_use]
pub fn allocate_for_guest() -> Option<u64> {
    let frame = allocate_unwiped_for_guest()?;
    zero(frame);
    Some(frame)
}

/// A frame on behalf of a guest or a client, with anything in it, refused while the kernel's reserve is touched.
#[must_use]
pub fn allocate_unwiped_for_guest() -> Option<u64> {
    #[cfg(feature = "scenarios")]
    if super::refusals::this_one() {
        return None;
    }
    let frame = with(|frames| {
        let enough = frames.left_for_guests() > 0;
        enough.then(|| frames.bitmap.allocate()).flatten()
    });
    frame.map(|frame| frame as u64 * PAGE_BYTES)
}

/// As [`allocate_table`], refused while the kernel's reserve is touched.
#[must_use]
pub fn allocate_table_for_guest() -> Option<u64> {
    let frame = allocate_for_guest()?;
    TABLES.fetch_add(1, Relaxed);
    Some(frame)
}

/// Promises a guest that [`allocate_promised`] will have `pages` frames for it. False if there are not so
/// many without the kernel's reserve; then nothing has changed.
#[must_use]
pub fn promise(pages: usize) -> bool {
    with(|frames| {
        let (free, reserve) = (frames.bitmap.free(), frames.reserve());
        frames.promises.make(pages, free, reserve)
    })
}

/// Takes back a promise of `pages` frames that were not asked for.
pub fn take_back_promise(pages: usize) {
    with(|frames| frames.promises.close(pages));
}

/// A frame that was promised, once `fill` has set its bytes, which are anything before. None only if the
/// kernel has used up its own reserve.
#[must_use]
pub fn allocate_promised(fill: impl FnOnce(&mut [u8; PAGE_BYTES as usize])) -> Option<u64> {
    let frame = with(|frames| {
        let frame = frames.bitmap.allocate()?;
        frames.promises.close(1);
        Some(frame as u64 * PAGE_BYTES)
    })?;
    // SAFETY: the frame was just handed out to us, is RAM, and is mapped writable there.
    fill(unsafe { &mut *physical_to_virtual(frame).cast() });
    Some(frame)
}

/// Adds a tenant, whose sandboxes never have more than `most` bytes.
pub fn add_tenant(most: Option<u64>) -> Holder {
    with(|frames| {
        let guests = frames.bitmap.total() - frames.reserve();
        frames.shares.set_total((guests / SHARED_PART) as u64);
        frames.tenants += 1;
        ARE_SHARED.store(frames.tenants > 1, Relaxed);
        let most = most.map_or(u64::MAX, |bytes| bytes.div_ceil(PAGE_BYTES));
        frames.shares.add(most)
    })
}

/// Whether there are several tenants, and so shares.
#[must_use]
pub fn are_shared() -> bool {
    ARE_SHARED.load(Relaxed)
}

/// Counts `pages` frames, which are taken or promised next, as a tenant's. False if those that are free are kept for others;
/// then nothing has changed.
#[must_use]
pub fn charge(tenant: Holder, pages: u64) -> bool {
    with(|frames| {
        let free = frames.left_for_guests() as u64;
        let may_take = frames.shares.may_take(tenant, pages, free);
        if may_take {
            frames.shares.take(tenant, pages);
        }
        may_take
    })
}

/// Counts `pages` frames, which are taken, as a tenant's.
pub fn count(tenant: Holder, pages: u64) {
    with(|frames| frames.shares.take(tenant, pages));
}

/// A tenant does not have `pages` frames any more.
pub fn take_charge_back(tenant: Holder, pages: u64) {
    with(|frames| frames.shares.give_back(tenant, pages));
}

/// How many frames are neither free for guests nor handed out: the kernel's reserve, and what is promised.
#[must_use]
pub fn kept_back() -> usize {
    with(|frames| frames.reserve() + frames.promises.open())
}

/// Whether the kernel would still have half of its reserve if `bytes` were taken.
#[must_use]
pub fn spares_half_of_reserve(bytes: u64) -> bool {
    let pages = bytes.div_ceil(PAGE_BYTES) as usize;
    with(|frames| frames.bitmap.free() >= frames.reserve() / 2 + pages)
}

/// Whether a guest that needs `bytes` more can have them without touching the reserve.
#[must_use]
pub fn has_room_for_guest(bytes: u64) -> bool {
    with(|frames| frames.left_for_guests()) > bytes.div_ceil(PAGE_BYTES) as usize
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
    let first = with(|frames| frames.bitmap.allocate_contiguous(count, 1))? as u64 * PAGE_BYTES;
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
    let result = with(|frames| frames.bitmap.release((frame / PAGE_BYTES) as usize));
    if let Err(error) = result {
        panic!("released a frame that was not handed out: {error:?}");
    }
}

/// (free, total)
#[must_use]
pub fn counts() -> (usize, usize) {
    with(|frames| (frames.bitmap.free(), frames.bitmap.total()))
}

fn zero(frame: u64) {
    // SAFETY: the frame was just handed out to us, is RAM, and is mapped writable there.
    unsafe { core::ptr::write_bytes(physical_to_virtual(frame), 0, PAGE_BYTES as usize) };
}
