//! Memory that a virtio device may read and write.
//!
//! Queues and the network's packet buffers are frames from [`dma`]. Other buffers (a disk sector in
//! the kernel's heap, a request header on the stack) may be any mapped kernel memory: one that is
//! contiguous in physical memory is shared as it is, any other one is copied through frames of its
//! own for the time of the transfer.
//!
//! Invariant: a physical address given to a device stays backed by the same memory until the
//! transfer is over: heap and stacks never move, and bounce frames are released in `unshare` only.

use core::ptr::NonNull;

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::mm::dma;

/// Our memory as the `virtio-drivers` crate wants it.
pub struct Memory;

// SAFETY: `dma::allocate` returns contiguous, zeroed, page-aligned frames that nobody else holds, at
// a kernel address that stays valid until `dma::release`.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // The crate reads physical address 0 as "out of memory"; no frame of ours is there.
        dma::allocate(pages).unwrap_or((0, NonNull::dangling()))
    }

    unsafe fn dma_dealloc(physical: PhysAddr, _: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: the caller passes what `dma_alloc` returned, and has stopped the device.
        unsafe { dma::release(physical, pages) };
        0
    }

    unsafe fn mmio_phys_to_virt(physical: PhysAddr, size: usize) -> NonNull<u8> {
        dma::map_mmio(physical, size)
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        match contiguous(buffer) {
            Some(physical) => physical,
            // SAFETY: the caller's promise about `buffer` is handed on.
            None => unsafe { bounce(buffer, direction) },
        }
    }

    unsafe fn unshare(physical: PhysAddr, buffer: NonNull<[u8]>, direction: BufferDirection) {
        // `share` is a function of the mapping alone, and kernel mappings do not move, so the same
        // question has the same answer: the address was bounced exactly if it is not the buffer's.
        if contiguous(buffer) == Some(physical) {
            return;
        }
        let frames: *mut u8 = dma::virt_of(physical);
        if direction != BufferDirection::DriverToDevice {
            // SAFETY: both are `buffer.len()` bytes, valid, and distinct: the frames came from
            // `bounce`, the buffer from our caller, who lets nobody else touch it now.
            unsafe { frames.copy_to_nonoverlapping(buffer.cast::<u8>().as_ptr(), buffer.len()) };
        }
        // SAFETY: `bounce` allocated this many pages at this address, and the device is done.
        unsafe { dma::release(physical, buffer.len().div_ceil(PAGE_SIZE)) };
    }
}

/// The physical address of the buffer, if one run of physical memory backs all of it.
fn contiguous(buffer: NonNull<[u8]>) -> Option<PhysAddr> {
    let start: *const u8 = buffer.cast::<u8>().as_ptr();
    let first = dma::phys_of(start)?;
    let to_next_page = PAGE_SIZE - start.addr() % PAGE_SIZE;
    let pages_follow = (to_next_page..buffer.len())
        .step_by(PAGE_SIZE)
        .all(|offset| dma::phys_of(start.wrapping_add(offset)) == Some(first + offset as u64));
    pages_follow.then_some(first)
}

/// Copies the buffer into frames of its own and returns their physical address.
///
/// Panics when there is no contiguous memory for it: the crate has no way to say so, and only
/// the disk bounces, at boot, in pieces of a few pages.
///
/// # Safety
///
/// `buffer` is valid and nobody writes to it during the call.
unsafe fn bounce(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
    let pages = buffer.len().div_ceil(PAGE_SIZE);
    let (physical, frames) = dma::allocate(pages).expect("no memory for a device's bounce buffer");
    if direction != BufferDirection::DeviceToDriver {
        // SAFETY: `buffer` is valid for its length (our caller), the fresh frames are at least as
        // long, and the two cannot overlap.
        unsafe {
            buffer
                .cast::<u8>()
                .copy_to_nonoverlapping(frames, buffer.len());
        }
    }
    physical
}
