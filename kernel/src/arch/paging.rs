//! Page tables: mapping, unmapping and looking into them, a range at a time.
//!
//! Key types: [`Access`] and [`Caching`]; key functions: [`map`], [`protect`], [`unmap`],
//! [`take_dirty`] (`paging/dirty.rs`), [`translate`]. Only 4 KiB pages are made here. The loader's map of physical memory
//! uses larger ones, which are split where it must show a frame read-only ([`show_frame`]).
//!
//! Invariant: no page that this file maps is both writable and executable ([`Access`] cannot say
//! it); what is executable is writable through no other mapping, if [`show_frame`] was asked; and every table that it walks lies in the map of physical memory.

#[cfg(feature = "scenarios")]
mod audit;
pub mod changes;
mod dirty;
mod shown;

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::page_table::PageTableEntry;
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags, PageTableIndex};

use super::landmarks::Landmark;

#[cfg(feature = "scenarios")]
pub use audit::audit;
pub use dirty::{for_each_dirty, take_dirty};
pub use shown::show_frame;

/// The size of a page and of a frame, in bytes.
pub const PAGE_BYTES: u64 = 4096;
/// How much one last-level table maps, in bytes.
pub const TABLE_SPAN: u64 = 512 * PAGE_BYTES;

/// What a mapping allows. Writable and executable at once cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "they are what they allow")]
pub enum Access {
    /// Data that nobody changes.
    ReadOnly,
    /// Data.
    ReadWrite,
    /// Code.
    ReadExecute,
}

/// How a mapping is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Memory.
    WriteBack,
    /// Device registers.
    Uncached,
}

/// No frame could be had; the range is mapped only up to `mapped_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfFrames {
    /// The first address that is not mapped.
    pub mapped_to: u64,
}

/// Where physical memory is mapped: virtual = physical + this.
static PHYSICAL_OFFSET: AtomicU64 = AtomicU64::new(0);
/// The physical address of the root table, for a debugger that cannot ask the processor.
static ROOT: AtomicU64 = AtomicU64::new(0);

/// The address space, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("paging.physical_offset", &raw const PHYSICAL_OFFSET),
    Landmark::place("paging.root", &raw const ROOT),
];

/// Tells where the loader mapped physical memory, and drops what it left in the lower half.
///
/// # Safety
/// All RAM must be mapped writable from `physical_offset` on, in the tables that CR3 names, and
/// nothing in use may lie in the lower half.
pub unsafe fn init(physical_offset: u64) {
    PHYSICAL_OFFSET.store(physical_offset, Relaxed);
    let root = Cr3::read().0.start_address().as_u64();
    ROOT.store(root, Relaxed);
    // SAFETY: the root table is in RAM and nobody else holds a reference to it at boot.
    let root = unsafe { &mut *table_at(root) };
    for entry in root.iter_mut().take(256) {
        entry.set_unused();
    }
    tlb::flush_all();
}

/// Where physical memory is to be seen: the whole quarter of the address space that the loader may
/// choose from, since how much RAM there is does not matter to whoever asks.
#[must_use]
pub fn physical_map() -> Range<u64> {
    let start = PHYSICAL_OFFSET.load(Relaxed);
    start..start + (1 << 46)
}

/// Where a physical address in RAM is to be seen. For RAM only: devices are mapped on their own.
#[inline]
#[must_use]
pub fn physical_to_virtual(physical: u64) -> *mut u8 {
    (physical + PHYSICAL_OFFSET.load(Relaxed)) as *mut u8
}

fn table_at(physical: u64) -> *mut PageTable {
    physical_to_virtual(physical).cast()
}

/// Maps every page of `range`, which must be page-aligned and unmapped.
///
/// `frame_for` gives the frame of a page by its address; `new_table` gives a zeroed frame for a
/// page table.
///
/// # Errors
/// [`OutOfFrames`] when either has none; what was mapped until then stays mapped.
///
/// # Safety
/// Nobody may count on `range` being unmapped, the frames must be unused otherwise (or be device
/// registers, uncached), and those of `new_table` must be RAM, zeroed and given away for good.
pub unsafe fn map(
    range: Range<u64>,
    access: Access,
    caching: Caching,
    frame_for: &mut dyn FnMut(u64) -> Option<u64>,
    new_table: &mut dyn FnMut() -> Option<u64>,
) -> Result<(), OutOfFrames> {
    let flags = flags_of(access, caching);
    let mut page = range.start;
    while page < range.end {
        let table = leaf_table(page, Some(new_table)).ok_or(OutOfFrames { mapped_to: page })?;
        let end = range.end.min(end_of_table(page));
        while page < end {
            let frame = frame_for(page).ok_or(OutOfFrames { mapped_to: page })?;
            // SAFETY: `leaf_table` gives a table in RAM; the entry is this page's own.
            let entry = unsafe { entry_of(table, page) };
            assert!(entry.is_unused(), "the range is unmapped");
            entry.set_addr(x86_64::PhysAddr::new(frame), flags);
            changes::note();
            page += PAGE_BYTES;
        }
    }
    Ok(())
}

/// Changes what every mapped page of `range` allows.
///
/// # Safety
/// Nobody may count on an access that is taken away, and what becomes executable must be code.
pub unsafe fn protect(range: Range<u64>, access: Access) {
    for_each_mapped(range, &mut |page, entry| {
        let kept = entry.flags() & (Flags::NO_CACHE | Flags::WRITE_THROUGH | Flags::DIRTY);
        entry.set_flags(flags_of(access, Caching::WriteBack) | kept);
        tlb::flush(VirtAddr::new(page));
        changes::note();
    });
}

/// Unmaps every mapped page of `range` and hands its frame to `release`. Tables stay.
///
/// # Safety
/// Nobody may touch `range` afterwards.
pub unsafe fn unmap(range: Range<u64>, release: &mut dyn FnMut(u64)) {
    // SAFETY: as the caller promises.
    unsafe { unmap_pages(range, &mut |_, frame| release(frame)) };
}

/// As [`unmap`], for frames that are not all released alike: `release` gets each page's address too.
///
/// # Safety
/// As for [`unmap`].
pub unsafe fn unmap_pages(range: Range<u64>, release: &mut dyn FnMut(u64, u64)) {
    for_each_mapped(range, &mut |page, entry| {
        let frame = entry.addr().as_u64();
        entry.set_unused();
        tlb::flush(VirtAddr::new(page));
        changes::note();
        release(page, frame);
    });
}

/// Takes the last-level tables of `range`, a whole number of [`TABLE_SPAN`]s, out of the tables above
/// them and hands their frames to `release`.
///
/// # Safety
/// Nothing in `range` may be mapped.
pub unsafe fn unmap_tables(range: Range<u64>, release: &mut dyn FnMut(u64)) {
    for start in range.step_by(TABLE_SPAN as usize) {
        let Some(entry) = directory_entry(start) else {
            continue;
        };
        let table = entry.addr().as_u64();
        entry.set_unused();
        // Any flush also forgets what the processor remembers of the tables above the last one. SDM
        // Vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
        tlb::flush(VirtAddr::new(start));
        changes::note();
        release(table);
    }
}

/// The entry that names the last-level table of `page`, if there is one.
fn directory_entry<'a>(page: u64) -> Option<&'a mut PageTableEntry> {
    let mut table = table_at(Cr3::read().0.start_address().as_u64());
    for level in (1..4).rev() {
        // SAFETY: present entries of tables in RAM name tables in RAM; the reference is the only one
        // while the caller has it.
        let entry = unsafe { &mut (&mut (*table))[index_at(page, level)] };
        if entry.is_unused() {
            return None;
        }
        if level == 1 {
            return Some(entry);
        }
        table = table_at(entry.addr().as_u64());
    }
    None
}

/// Zeroes every page of `range` that was written to since it was last clean, and marks it clean.
/// Returns how many there were.
///
/// # Safety
/// Nobody may count on the bytes of `range`.
pub unsafe fn wipe_dirty(range: Range<u64>) -> u64 {
    let mut wiped = 0;
    take_dirty(range, &mut |_, frame| {
        let bytes = physical_to_virtual(frame);
        // SAFETY: the frame is RAM, mapped writable there, and nobody counts on its bytes.
        unsafe { core::ptr::write_bytes(bytes, 0, PAGE_BYTES as usize) };
        wiped += 1;
    });
    wiped
}

/// What is mapped at a page: its frame, and whether it is writable.
#[must_use]
pub fn mapping_of(page: u64) -> Option<(u64, Access)> {
    let table = leaf_table(page, None)?;
    // SAFETY: `leaf_table` gives a table in RAM; the entry is this page's own.
    let entry = unsafe { entry_of(table, page) };
    let flags = entry.flags();
    let access = if flags.contains(Flags::WRITABLE) {
        Access::ReadWrite
    } else if flags.contains(Flags::NO_EXECUTE) {
        Access::ReadOnly
    } else {
        Access::ReadExecute
    };
    flags
        .contains(Flags::PRESENT)
        .then(|| (entry.addr().as_u64(), access))
}

/// The physical address behind a virtual one, if it is mapped.
#[must_use]
pub fn translate(address: u64) -> Option<u64> {
    let (entry, level) = leaf_of(address)?;
    let span = span_of(level) as u64;
    let base = entry.addr().as_u64() & !(span - 1);
    Some(base + (address & (span - 1)))
}

/// Whether an address is mapped writable.
#[cfg(feature = "scenarios")]
fn is_writable(address: u64) -> bool {
    leaf_of(address).is_some_and(|(entry, _)| entry.flags().contains(Flags::WRITABLE))
}

/// The entry that maps an address, and the level of its table.
fn leaf_of<'a>(address: u64) -> Option<(&'a PageTableEntry, u32)> {
    let mut table = table_at(Cr3::read().0.start_address().as_u64());
    for level in (0..4).rev() {
        // SAFETY: present entries of tables in RAM name tables in RAM.
        let entry = unsafe { &(&(*table))[index_at(address, level)] };
        if !entry.flags().contains(Flags::PRESENT) {
            return None;
        }
        if level == 0 || entry.flags().contains(Flags::HUGE_PAGE) {
            return Some((entry, level));
        }
        table = table_at(entry.addr().as_u64());
    }
    None
}

fn for_each_mapped(range: Range<u64>, f: &mut dyn FnMut(u64, &mut PageTableEntry)) {
    let mut page = range.start;
    while page < range.end {
        let end = range.end.min(end_of_table(page));
        if let Some(table) = leaf_table(page, None) {
            for page in (page..end).step_by(PAGE_BYTES as usize) {
                // SAFETY: `leaf_table` gives a table in RAM; the entry is this page's own.
                let entry = unsafe { entry_of(table, page) };
                if entry.flags().contains(Flags::PRESENT) {
                    f(page, entry);
                }
            }
        }
        page = end;
    }
}

/// The last-level table that maps `page`, made if `new_table` is given.
fn leaf_table(
    page: u64,
    mut new_table: Option<&mut dyn FnMut() -> Option<u64>>,
) -> Option<*mut PageTable> {
    let mut table = table_at(Cr3::read().0.start_address().as_u64());
    for level in (1..4).rev() {
        // SAFETY: the table is in RAM; the reference ends within this turn of the loop.
        let entry = unsafe { &mut (&mut (*table))[index_at(page, level)] };
        if entry.is_unused() {
            let frame = new_table.as_mut()?()?;
            let flags = Flags::PRESENT | Flags::WRITABLE;
            entry.set_addr(x86_64::PhysAddr::new(frame), flags);
            changes::note();
        }
        assert!(
            !entry.flags().contains(Flags::HUGE_PAGE),
            "only 4 KiB pages are made here"
        );
        table = table_at(entry.addr().as_u64());
    }
    Some(table)
}

/// # Safety
/// `table` must be the last-level table of `page`, and the entry must not be borrowed elsewhere.
unsafe fn entry_of<'a>(table: *mut PageTable, page: u64) -> &'a mut PageTableEntry {
    // SAFETY: as the caller promises.
    unsafe { &mut (&mut (*table))[index_at(page, 0)] }
}

fn index_at(address: u64, level: u32) -> PageTableIndex {
    PageTableIndex::new_truncate((address >> (12 + 9 * level)) as u16)
}

/// How much an entry of a table of `level` maps, in bytes.
fn span_of(level: u32) -> usize {
    (PAGE_BYTES as usize) << (9 * level)
}

fn end_of_table(page: u64) -> u64 {
    (page & !(TABLE_SPAN - 1)) + TABLE_SPAN
}

fn flags_of(access: Access, caching: Caching) -> Flags {
    let mut flags = Flags::PRESENT;
    flags |= match access {
        Access::ReadOnly => Flags::NO_EXECUTE,
        Access::ReadWrite => Flags::NO_EXECUTE | Flags::WRITABLE,
        Access::ReadExecute => Flags::empty(),
    };
    if caching == Caching::Uncached {
        flags |= Flags::NO_CACHE | Flags::WRITE_THROUGH;
    }
    flags
}
