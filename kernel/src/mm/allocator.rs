//! The global allocator: routes every request to the kernel's heap or to an arena.
//!
//! Allocation goes by context (the arena of the running sandbox, none for the kernel), release by
//! address. So a sandbox may release what the kernel made, and what it makes itself is gone with its
//! arena.
//!
//! Invariant: `PerCpu::arena` is null, or points to the arena of the sandbox that runs on this CPU.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use super::arena::{self, Arena, LARGE};
use super::heap;
use crate::arch::per_cpu;

/// What a sandbox ran out of, in the middle of an allocation that cannot fail in Rust's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// Its memory limit, or the machine's memory.
    Memory,
    /// Its native stack.
    Stack,
}

/// Ends the running sandbox.
pub type EndSandbox = fn(Exhausted) -> !;

static END_SANDBOX: spin::Once<EndSandbox> = spin::Once::new();

/// What an allocation on a sandbox's stack may need of it, in bytes. Below this the sandbox ends
/// before the allocator takes a lock on a stack that may run out under it.
pub const STACK_NEEDED: u64 = 8 << 10;

struct Router;

#[global_allocator]
static ROUTER: Router = Router;

/// Tells how a sandbox is ended that ran out of something.
pub fn on_exhaustion(end: EndSandbox) {
    END_SANDBOX.call_once(|| end);
}

/// The arena of the running sandbox, outside of its gate.
pub fn current_arena() -> Option<&'static Arena> {
    let arena = per_cpu::this().arena.load(Relaxed).cast::<Arena>();
    // SAFETY: null or the running sandbox's arena, which lives as long as the sandbox runs.
    unsafe { arena.as_ref() }
}

/// Ends the running sandbox if too little of its stack is left for taking a lock on it.
///
/// An engine's trap handler allocates on a fault's stack, which has room of its own.
pub fn check_stack() {
    let cpu = per_cpu::this();
    let here = NonNull::from(&cpu).as_ptr() as u64;
    let low = cpu.stack_low.load(Relaxed);
    let tight = cpu.kernel_stack_top.load(Relaxed)..low + STACK_NEEDED;
    if cpu.running.load(Relaxed) && tight.contains(&here) {
        end(Exhausted::Stack);
    }
}

fn end(what: Exhausted) -> ! {
    match END_SANDBOX.get() {
        Some(end) => end(what),
        None => panic!("a sandbox ran out of {what:?} before sandboxes were set up"),
    }
}

// SAFETY: both allocators hand out blocks of at least the layout's size and alignment that nobody
// else has, and blocks go back to the one that they came from, told by their address.
unsafe impl GlobalAlloc for Router {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match current_arena() {
            None => heap::allocate(layout),
            Some(arena) => {
                check_stack();
                let block = if failing::this_one() {
                    core::ptr::null_mut()
                } else {
                    // SAFETY: the running sandbox is the one that calls.
                    unsafe { arena.allocate(layout) }
                };
                // A linear memory may be refused, and the guest told so. Engines do not expect it of
                // anything small, and some panic. What the kernel keeps for a sandbox in its arena may
                // always be refused: a host call is not abandoned half-way.
                if block.is_null() {
                    arena.note_refusal();
                    let in_host_call = per_cpu::this().host_calls.load(Relaxed) > 0;
                    if layout.size() < LARGE && !in_host_call {
                        end(Exhausted::Memory);
                    }
                }
                block
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about the layout is handed on.
        let block = unsafe { self.alloc(layout) };
        let fresh = layout.size() >= LARGE
            && NonNull::new(block)
                .zip(current_arena())
                .is_some_and(|(block, arena)| arena.is_fresh(block));
        if !block.is_null() && !fresh {
            // SAFETY: the block is at least this long and nobody else's.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        if current_arena().is_some() {
            check_stack();
        }
        match arena::owner_of(block.as_ptr() as u64) {
            // SAFETY: the caller's promise about the block is handed on.
            None => unsafe { heap::release(block, layout) },
            // SAFETY: as above; an arena's blocks are released by its own sandbox only.
            Some(arena) => unsafe { arena.release(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if current_arena().is_some() {
            check_stack();
        }
        if let Some(old) = NonNull::new(block)
            && let Some(arena) = arena::owner_of(block as u64)
            // SAFETY: the caller's promise about the block is handed on.
            && unsafe { arena.resize_in_place(old, layout, new_size) }
        {
            return block;
        }
        // SAFETY: the caller promises that the new size, rounded up to the alignment, is a size.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the layout is not empty, as the caller promises.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both are at least this long, and a new block overlaps no live one.
            unsafe { new.copy_from_nonoverlapping(block, layout.size().min(new_size)) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(block, layout) };
        }
        new
    }
}

/// An allocation that Rust takes to be infallible failed. In a sandbox that ends the sandbox; in the
/// kernel it is a panic.
#[alloc_error_handler]
fn on_error(layout: Layout) -> ! {
    if current_arena().is_some() {
        end(Exhausted::Memory);
    }
    panic!("out of kernel memory: {} bytes wanted", layout.size())
}

/// A hook for scenarios: makes one allocation of a sandbox fail.
pub mod failing {
    #[cfg(feature = "scenarios")]
    pub use on::{arm, reached};

    #[cfg(feature = "scenarios")]
    mod on {
        use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

        pub(super) static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

        /// The allocation after the next `count` ones fails; those after it do not.
        pub fn arm(count: u64) {
            LEFT.store(count, Relaxed);
        }

        /// Whether that allocation has come. Disarms.
        pub fn reached() -> bool {
            LEFT.swap(u64::MAX, Relaxed) > u64::MAX / 2
        }
    }

    #[cfg(feature = "scenarios")]
    pub(super) fn this_one() -> bool {
        // Wraps from 0 to the largest number, which is "reached", and then no more.
        on::LEFT.fetch_sub(1, core::sync::atomic::Ordering::Relaxed) == 0
    }

    #[cfg(not(feature = "scenarios"))]
    pub(super) const fn this_one() -> bool {
        false
    }
}
