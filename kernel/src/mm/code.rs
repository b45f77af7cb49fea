//! Memory for native code and its data: written once, then read-only or executable for ever.
//!
//! Blocks of whole pages in a region of their own, so that native code is known by its address. There
//! is at least one page between two blocks that is never mapped.
//!
//! Invariant: a page is writable, or executable, or neither ([`Access`] cannot say both); and its frame is
//! writable in the map of physical memory only while it is writable here.

use alloc::collections::BTreeMap;
use core::ops::Range;

use luge_memory::layout::NATIVE_CODE;

use super::frames;
use crate::arch::lock::Lock;
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES};

/// Blocks in use: start and length in bytes.
static BLOCKS: Lock<BTreeMap<u64, u64>> = Lock::new(BTreeMap::new());

/// The range is not one that [`allocate`] has given out, or not within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABlock;

/// A block of at least `bytes` bytes, writable and zeroed. None if there is no room or memory for it.
#[must_use]
pub fn allocate(bytes: u64) -> Option<u64> {
    let bytes = bytes.checked_next_multiple_of(PAGE_BYTES)?;
    if !frames::has_frames(bytes) {
        return None;
    }
    let start = take(bytes)?;
    // SAFETY: the block is nobody else's, so nothing of it is mapped or used.
    let mapped = unsafe {
        paging::map(
            start..start + bytes,
            Access::ReadWrite,
            Caching::WriteBack,
            &mut |_| frames::allocate_zeroed(),
            &mut frames::allocate_zeroed,
        )
    };
    mapped.expect("the frames were counted before");
    Some(start)
}

/// Changes what `range`, a part of a block, allows.
///
/// # Errors
/// [`NotABlock`]; nothing has changed then.
///
/// # Safety
/// Nobody may count on an access that is taken away, and what becomes executable must be code that may
/// run.
pub unsafe fn protect(range: Range<u64>, access: Access) -> Result<(), NotABlock> {
    let block = block_of(range.start).ok_or(NotABlock)?;
    if range.end > block.end || !range.start.is_multiple_of(PAGE_BYTES) {
        return Err(NotABlock);
    }
    // The map of physical memory must not be a way to write to what is no longer writable.
    let elsewhere = match access {
        Access::ReadWrite => Access::ReadWrite,
        Access::ReadOnly | Access::ReadExecute => Access::ReadOnly,
    };
    for page in range.clone().step_by(PAGE_BYTES as usize) {
        show(page, elsewhere)?;
    }
    // SAFETY: as the caller promises.
    unsafe { paging::protect(range, access) };
    Ok(())
}

/// Lets the map of physical memory show the frame of `page` so.
fn show(page: u64, access: Access) -> Result<(), NotABlock> {
    let (frame, _) = paging::mapping_of(page).ok_or(NotABlock)?;
    // SAFETY: the frame is RAM and the block's own, and nobody writes to it through that map.
    let shown = unsafe { paging::show_frame(frame, access, &mut frames::allocate_zeroed) };
    shown.expect("the kernel's reserve has frames for page tables");
    Ok(())
}

/// Takes a block back.
///
/// # Errors
/// [`NotABlock`]; nothing has changed then.
///
/// # Safety
/// Nobody may use the block any more.
pub unsafe fn release(start: u64) -> Result<(), NotABlock> {
    let bytes = BLOCKS.lock().remove(&start).ok_or(NotABlock)?;
    for page in (start..start + bytes).step_by(PAGE_BYTES as usize) {
        show(page, Access::ReadWrite)?;
    }
    // SAFETY: nobody uses the block, so its frames are nobody's once they are unmapped.
    unsafe { paging::unmap(start..start + bytes, &mut |frame| frames::release(frame)) };
    Ok(())
}

/// The block that `address` lies in, found by what is mapped, so that last words can ask: no lock is taken.
#[must_use]
pub fn mapped_around(address: u64) -> Option<&'static [u8]> {
    let is_mapped = |page: &u64| NATIVE_CODE.contains(page) && paging::translate(*page).is_some();
    let mut start = address & !(PAGE_BYTES - 1);
    if !is_mapped(&start) {
        return None;
    }
    let mut end = start + PAGE_BYTES;
    while is_mapped(&(start - PAGE_BYTES)) {
        start -= PAGE_BYTES;
    }
    while is_mapped(&end) {
        end += PAGE_BYTES;
    }
    // SAFETY: all of it is mapped, and code and its data never change once a function can be in it.
    Some(unsafe { core::slice::from_raw_parts(start as *const u8, (end - start) as usize) })
}

/// What `look` finds in the block that `address` lies in, given its bytes and how far into them that is.
pub fn in_block<R>(address: u64, look: impl FnOnce(&[u8], u64) -> R) -> Option<R> {
    // Nothing is released while this looks: that is for the kernel to do, which is not preempted.
    let block = block_of(address)?;
    let bytes = (block.end - block.start) as usize;
    // SAFETY: all of a block is mapped, and code and its data never change once a function can be in it.
    let whole = unsafe { core::slice::from_raw_parts(block.start as *const u8, bytes) };
    Some(look(whole, address - block.start))
}

/// Bytes of all blocks.
#[must_use]
pub fn bytes_taken() -> u64 {
    BLOCKS.lock().values().sum()
}

/// Finds the lowest place for a block and notes that it is taken.
fn take(bytes: u64) -> Option<u64> {
    let mut blocks = BLOCKS.lock();
    let mut start = NATIVE_CODE.start + PAGE_BYTES;
    for (next, taken) in blocks.iter() {
        if start.checked_add(bytes)? < *next {
            break;
        }
        start = next + taken + PAGE_BYTES;
    }
    let fits = start.checked_add(bytes)? < NATIVE_CODE.end;
    fits.then(|| {
        blocks.insert(start, bytes);
        start
    })
}

fn block_of(address: u64) -> Option<Range<u64>> {
    let blocks = BLOCKS.lock();
    let (start, bytes) = blocks.range(..=address).next_back()?;
    let block = *start..start + bytes;
    block.contains(&address).then_some(block)
}
