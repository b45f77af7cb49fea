//! A hook for scenarios: frames that are taken from everybody, the kernel's reserve included.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::frames;
use crate::arch::paging::physical_to_virtual;

/// The frame that was taken last, which holds the address of the one before; 0 ends the list.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Takes frames until `left` are free.
pub fn take_all_but(left: u32) {
    while frames::counts().0 > left as usize {
        let Some(frame) = frames::allocate() else {
            break;
        };
        // SAFETY: the frame is ours, is RAM, and is mapped writable there.
        unsafe {
            physical_to_virtual(frame)
                .cast::<u64>()
                .write(LAST.load(Relaxed));
        }
        LAST.store(frame, Relaxed);
    }
    log::info!("frames are held, {left} are left");
}

/// Gives all of them back.
pub fn give_back() {
    loop {
        let frame = LAST.load(Relaxed);
        if frame == 0 {
            log::info!("no frames are held any more");
            return;
        }
        // SAFETY: the frame is ours, and holds the address of another one.
        let before = unsafe { physical_to_virtual(frame).cast::<u64>().read() };
        LAST.store(before, Relaxed);
        // SAFETY: nobody uses the frame any more.
        unsafe { frames::release(frame) };
    }
}
