//! Memory by its physical address, through the loader's identity mapping.
//!
//! Invariant: everything below [`REACH`] is mapped where it is, and writable from
//! [`WRITABLE_FROM`] on. Frames that the plan's [`Frames`] hand out are the loader's alone.

use core::ptr;
use core::slice;

use luge_boot_info::frames::Frames;
use luge_boot_info::paging::TableMemory;
use luge_boot_info::plan::Copy;
use luge_boot_info::range::{PAGE, PhysRange};
use luge_boot_info::start_info::{REACH, WRITABLE_FROM};
use x86_64::PhysAddr;
use x86_64::structures::paging::PageTable;

const _: () = assert!(
    WRITABLE_FROM == 2 << 20,
    "what entry.rs and pvh.ld make of it"
);

unsafe extern "C" {
    static loader_code_start: u8;
    static loader_code_end: u8;
    static loader_data_start: u8;
    static loader_data_end: u8;
}

/// Where the loader lies: code, and data.
pub fn loader() -> [PhysRange; 2] {
    let at = |symbol: *const u8| symbol.addr() as u64;
    [
        PhysRange::between(
            at(&raw const loader_code_start),
            at(&raw const loader_code_end),
        ),
        PhysRange::between(
            at(&raw const loader_data_start),
            at(&raw const loader_data_end),
        ),
    ]
}

/// The bytes of `range`, as far as the loader can read them.
///
/// # Safety
/// Nothing may write to the range as long as the slice is used.
pub unsafe fn bytes(range: PhysRange) -> &'static [u8] {
    let start = range.start().min(REACH);
    let len = range.end().min(REACH) - start;
    if len == 0 {
        return &[];
    }
    // SAFETY: all addresses below REACH are mapped for reading; the caller vouches for writers.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(start as usize), len as usize) }
}

/// Fills `copy`'s frames with its bytes of `file`, and with zeros around them.
///
/// # Safety
/// The frames must be the loader's own, from [`Frames`].
pub unsafe fn carry_out(copy: &Copy, file: &[u8]) {
    let source = &file[copy.file.clone()];
    let start = ptr::with_exposed_provenance_mut::<u8>(copy.frames.start() as usize);
    let offset = copy.offset as usize;
    let behind = offset + source.len();
    // SAFETY: the plan gives each copy frames for offset + bytes, and they are the loader's own.
    unsafe {
        start.write_bytes(0, offset);
        start
            .add(offset)
            .copy_from_nonoverlapping(source.as_ptr(), source.len());
        start
            .add(behind)
            .write_bytes(0, copy.frames.len() as usize - behind);
    }
}

/// Writes `bytes` to the beginning of `frames`.
///
/// # Safety
/// The frames must be the loader's own, from [`Frames`], and not fewer than the bytes need.
pub unsafe fn fill(frames: PhysRange, bytes: &[u8]) {
    let start = ptr::with_exposed_provenance_mut::<u8>(frames.start() as usize);
    // SAFETY: as the caller vouches; own frames overlap nothing that can be read.
    unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// Writes `value` at a physical address.
///
/// # Safety
/// The address must be aligned and lie in a frame of the loader's own, from [`Frames`].
pub unsafe fn write<T>(address: u64, value: T) {
    // SAFETY: as the caller vouches.
    unsafe { ptr::with_exposed_provenance_mut::<T>(address as usize).write(value) };
}

/// Tables in frames of a plan, or in the loader's own data.
pub struct Tables<'a>(pub &'a mut Frames);

impl TableMemory for Tables<'_> {
    fn allocate(&mut self) -> Option<PhysAddr> {
        let frame = self.0.allocate(PAGE)?;
        // SAFETY: the frame was just handed out, so it is the loader's own and used for nothing.
        unsafe { write(frame.start(), PageTable::new()) };
        Some(PhysAddr::new(frame.start()))
    }

    fn table(&mut self, address: PhysAddr) -> &mut PageTable {
        let table = ptr::with_exposed_provenance_mut(address.as_u64() as usize);
        // SAFETY: tables come from `allocate`, or are the loader's own root and what it leads to;
        // both lie below REACH, and the exclusive borrow of `self` makes this the only reference.
        unsafe { &mut *table }
    }
}
