//! Instances that stay in their arena for the next sandbox of the same program.

use alloc::boxed::Box;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_metrics::Histogram;

use crate::arch::time::Instant;
use crate::mm::allocator;
use crate::mm::arena::{Arena, parked};
use crate::sandbox::gate;

/// How long it took to make instances, with what came between.
pub static INSTANTIATIONS: Histogram = Histogram::new();

/// Tells a program apart from all others of this boot. What is kept of the program goes with it.
pub struct Number(u64);

/// Whether an instance may be used by several sandboxes, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// It is the same whenever it is made.
    Kept,
    /// Code of the guest's runs while it is made.
    MadeAnew,
}

impl Number {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Relaxed))
    }

    pub fn get(&self) -> u64 {
        self.0
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        parked::forget(self.0);
    }
}

impl Keeping {
    /// For a module, in bytes.
    pub(super) fn of(wasm: &[u8]) -> Self {
        if luge_module::has_start(wasm) {
            Self::MadeAnew
        } else {
            Self::Kept
        }
    }
}

/// The instance that lies in the running sandbox's arena, or the one that `make` makes now, which then stays
/// there if it may.
///
/// # Safety
/// `T` must be the same for all sandboxes of a program. What `make` gives may refer to the arena, to the
/// sandbox's linear memories and to what lives as long as the program, and to nothing else that is
/// still used later.
pub(super) unsafe fn instance<T, E>(
    keeping: Keeping,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<&'static mut T, E> {
    let arena = allocator::current_arena();
    if let Some(kept) = arena.and_then(Arena::instance) {
        // SAFETY: it was made by an earlier sandbox of the same program, so it is a `T`; the arena has been
        // restored to what it was then, and is this sandbox's alone.
        return Ok(unsafe { kept.cast().as_mut() });
    }
    let began = Instant::now();
    let made = Box::leak(Box::new(make()?));
    INSTANTIATIONS.record(Instant::now().since(began));
    if let Some(arena) = arena.filter(|_| keeping == Keeping::Kept) {
        let place = NonNull::from(&mut *made).cast();
        // If there is no room for this, the next sandbox makes its own.
        // SAFETY: this is the sandbox that runs on the arena; the rest is the caller's promise.
        let _ = gate(|| unsafe { arena.keep_instance(place) });
    }
    Ok(made)
}
