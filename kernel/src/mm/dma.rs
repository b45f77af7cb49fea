//! Memory that devices read and write, and their registers.
//!
//! Addresses given to devices are physical. Registers are mapped uncached in a window of their own
//! and never unmapped.

use core::ptr::NonNull;

use luge_memory::layout::MMIO;

use super::frames;
use crate::arch::lock::Lock;
use crate::arch::paging::{self, Access, Caching, PAGE_BYTES};

static NEXT_REGISTER_PAGE: Lock<u64> = Lock::new(MMIO.start);

/// Pages in a row, zeroed: (physical address, where the kernel sees them).
#[must_use]
pub fn allocate(pages: usize) -> Option<(u64, NonNull<u8>)> {
    let physical = frames::allocate_contiguous(pages)?;
    Some((physical, NonNull::new(virt_of(physical))?))
}

/// Takes pages back.
///
/// # Safety
/// They must have come from [`allocate`] with the same count, and neither the kernel nor a device
/// may use them any more.
pub unsafe fn release(physical: u64, pages: usize) {
    for index in 0..pages as u64 {
        // SAFETY: as the caller promises.
        unsafe { frames::release(physical + index * PAGE_BYTES) };
    }
}

/// Where the kernel sees a physical address of RAM.
#[must_use]
pub fn virt_of(physical: u64) -> *mut u8 {
    paging::physical_to_virtual(physical)
}

/// The physical address behind any address that the kernel has mapped.
#[must_use]
pub fn phys_of(address: *const u8) -> Option<u64> {
    paging::translate(address as u64)
}

/// Maps `bytes` bytes of device registers from `physical` on, uncached, for good.
///
/// # Panics
/// When the window for registers is full or there is no memory for a page table: that is at boot.
#[must_use]
pub fn map_mmio(physical: u64, bytes: usize) -> NonNull<u8> {
    let offset = physical % PAGE_BYTES;
    let length = (offset + bytes as u64).next_multiple_of(PAGE_BYTES);
    let mut next = NEXT_REGISTER_PAGE.lock();
    let start = *next;
    assert!(
        start + length <= MMIO.end,
        "the window for device registers is full"
    );
    *next = start + length;
    let first_frame = physical - offset;
    // SAFETY: the window's next pages are unmapped; registers are mapped uncached.
    unsafe {
        paging::map(
            start..start + length,
            Access::ReadWrite,
            Caching::Uncached,
            &mut |page| Some(first_frame + (page - start)),
            &mut frames::allocate_zeroed,
        )
    }
    .expect("there is memory for a page table at boot");
    NonNull::new((start + offset) as *mut u8).expect("the window is not at zero")
}
