//! Mapping, protecting and unmapping, for code when a module is loaded and for linear memories when a
//! sandbox runs.
//!
//! Which of the two is meant follows from who asks: the kernel asks for memory that can be written to
//! at once (code and its data, `mm::code`), a sandbox for address space alone (a linear memory,
//! `mm::memories`, kept by its arena). What neither does is refused, so a change in the runtime is
//! found by the first test.

use core::ops::Range;
use core::ptr::NonNull;

use luge_memory::layout::{self, MEMORY_GUARD_BYTES, MEMORY_SLOT_BYTES, NATIVE_CODE};
use luge_native::settings::{MEMORY_GUARD, MEMORY_SPAN};

use crate::arch::paging::{Access, PAGE_BYTES};
use crate::mm::arena::Arena;
use crate::mm::memories::{Blank, Image, MemoryError};
use crate::mm::{allocator, code};
use crate::sandbox::settle_faults;

const _: () = assert!(
    MEMORY_SPAN == MEMORY_SLOT_BYTES && MEMORY_GUARD == MEMORY_GUARD_BYTES,
    "compiled code and the map of virtual memory agree on what a linear memory is"
);

/// `WASMTIME_PROT_READ`, `WASMTIME_PROT_WRITE` and `WASMTIME_PROT_EXEC`.
pub(super) const READ: u32 = 1 << 0;
pub(super) const WRITE: u32 = 1 << 1;
pub(super) const EXECUTE: u32 = 1 << 2;

/// Why a call failed; the runtime passes the number on as "os error N".
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
enum Failure {
    /// No frames, no slot, no address space.
    NoRoom = 1,
    /// Nothing that the runtime is known to ask for.
    Unexpected = 2,
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::NoFrames | MemoryError::NoSlot => Self::NoRoom,
            MemoryError::BadRange => Self::Unexpected,
        }
    }
}

impl From<code::NotABlock> for Failure {
    fn from(_: code::NotABlock) -> Self {
        Self::Unexpected
    }
}

fn status(result: Result<(), Failure>) -> i32 {
    result.err().map_or(0, |failure| failure as i32)
}

/// The arena of the sandbox that asks; none if it is the kernel. Ends a sandbox that has too little
/// stack left for what follows.
fn arena() -> Option<&'static Arena> {
    let arena = allocator::current_arena()?;
    allocator::check_stack();
    Some(arena)
}

fn range(start: *const u8, bytes: usize) -> Range<u64> {
    start as u64..start as u64 + bytes as u64
}

/// What `protection` is in the kernel's terms. Writable and executable at once is nothing.
fn access(protection: u32) -> Result<Access, Failure> {
    match protection {
        READ => Ok(Access::ReadOnly),
        _ if protection == READ | WRITE => Ok(Access::ReadWrite),
        _ if protection == READ | EXECUTE => Ok(Access::ReadExecute),
        _ => Err(Failure::Unexpected),
    }
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_page_size() -> usize {
    PAGE_BYTES as usize
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_mmap_new(
    bytes: usize,
    protection: u32,
    start: &mut *mut u8,
) -> i32 {
    let place = match (arena(), protection) {
        (Some(arena), 0) if bytes as u64 == MEMORY_SPAN => {
            // SAFETY: this is the sandbox that runs on the arena.
            unsafe { arena.take_memory() }
                .map(|span| span.start)
                .map_err(Failure::from)
        }
        (None, protection) if protection == READ | WRITE => {
            code::allocate(bytes as u64).ok_or(Failure::NoRoom)
        }
        _ => Err(Failure::Unexpected),
    };
    status(place.map(|place| *start = place as *mut u8))
}

/// Drops what is there, of a linear memory. The runtime asks for it only where memories are reused, which its
/// on-demand allocator does not.
#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_mmap_remap(start: *mut u8, bytes: usize, protection: u32) -> i32 {
    status(remap(range(start, bytes), protection))
}

fn remap(range: Range<u64>, protection: u32) -> Result<(), Failure> {
    let blank = match protection {
        0 => Blank::Nothing,
        _ if protection == READ | WRITE => Blank::Zeroes,
        _ => return Err(Failure::Unexpected),
    };
    let arena = arena().ok_or(Failure::Unexpected)?;
    // SAFETY: this is the sandbox that runs on the arena; the runtime wants what is there dropped.
    Ok(unsafe { arena.blank_memory(range, blank) }?)
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_munmap(start: *mut u8, bytes: usize) -> i32 {
    let range = range(start, bytes);
    status(match arena() {
        // SAFETY: this is the sandbox that runs on the arena; the runtime does not touch what it unmaps.
        Some(arena) => unsafe { arena.give_memory_back(range) }.map_err(Failure::from),
        None => {
            settle_faults();
            // SAFETY: the runtime unmaps code that no instance uses any more.
            unsafe { code::release(range.start) }.map_err(Failure::from)
        }
    })
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_mprotect(start: *mut u8, bytes: usize, protection: u32) -> i32 {
    let range = range(start, bytes);
    status(access(protection).and_then(|access| protect(range, access)))
}

fn protect(range: Range<u64>, access: Access) -> Result<(), Failure> {
    if NATIVE_CODE.contains(&range.start) {
        // SAFETY: the runtime makes code executable, and what it does not write to any more read-only.
        return Ok(unsafe { code::protect(range, access) }?);
    }
    match (layout::memory_of(range.start), arena(), access) {
        (Some(_), Some(arena), Access::ReadWrite) => {
            // SAFETY: this is the sandbox that runs on the arena.
            Ok(unsafe { arena.expose_memory(range) }?)
        }
        _ => Err(Failure::Unexpected),
    }
}

/// An image of the initial data of a memory. Called by the kernel, when a module is loaded.
#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_memory_image_new(
    data: *const u8,
    bytes: usize,
    image: &mut *mut Image,
) -> i32 {
    if arena().is_some() {
        return Failure::Unexpected as i32;
    }
    // SAFETY: the runtime passes data that it has.
    let data = unsafe { core::slice::from_raw_parts(data, bytes) };
    let made = Image::new(data).ok_or(Failure::NoRoom);
    status(made.map(|made| *image = alloc::boxed::Box::into_raw(made)))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_memory_image_map_at(
    image: *mut Image,
    start: *mut u8,
    bytes: usize,
) -> i32 {
    status(map_image(image, range(start, bytes)))
}

fn map_image(image: *mut Image, range: Range<u64>) -> Result<(), Failure> {
    // SAFETY: null, or an image of ours that the module has.
    let image = unsafe { image.as_ref() }.ok_or(Failure::Unexpected)?;
    let arena = arena().ok_or(Failure::Unexpected)?;
    // SAFETY: this is the sandbox that runs on the arena; its program keeps the module.
    Ok(unsafe { arena.set_image(range.start, image) }?)
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn wasmtime_memory_image_free(image: *mut Image) {
    if let Some(image) = NonNull::new(image) {
        // SAFETY: it came from `wasmtime_memory_image_new`, and the runtime has no use for it any more.
        drop(unsafe { alloc::boxed::Box::from_raw(image.as_ptr()) });
    }
}
