//! Memory: frames, the kernel's heap, guarded stacks, arenas, and what devices share.
//!
//! Built in this order at boot: [`frames`] over the loader's memory map, then [`heap`] on frames,
//! then everything else on both. [`allocator`] routes every Rust allocation to the kernel's heap or
//! to the arena of the sandbox that is running.
//!
//! Invariant: every frame belongs to exactly one of: the loader's leavings, a page table, the
//! kernel's heap, a body of a request, a stack, an arena, a linear memory or its image, native code, a device's memory, or
//! the free list.

pub mod allocator;
pub mod arena;
pub mod bodies;
pub mod charged;
pub mod code;
pub mod dma;
pub mod frames;
pub mod heap;
#[cfg(feature = "scenarios")]
pub mod held;
pub mod idle;
pub mod memories;
pub mod promised;
#[cfg(feature = "scenarios")]
pub mod refusals;
pub mod stacks;

use luge_memory::layout::{self, Owner};

use crate::arch::paging;

/// Figures that must come back to their level when all sandboxes are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Frames of RAM that the kernel manages.
    pub frames_total: usize,
    /// Frames that nobody has, those of bodies that go back, and those that wait for the next sandbox: in parked
    /// arenas, in heaps that their slots keep, and in the page tables of `tables`.
    pub frames_free: usize,
    /// Page tables of bodies, stacks, arenas and linear memories. Those of a slot that was used stay, so there are
    /// more as long as there are slots that were not.
    pub tables: usize,
    /// Bytes handed out by the kernel's heap, but for parked arenas.
    pub heap_bytes_in_use: usize,
    /// How far the kernel's heap is mapped, in bytes.
    pub heap_bytes_mapped: u64,
    /// Arenas that sandboxes have.
    pub arenas_in_use: u32,
    /// Stacks that exist, pooled ones included.
    pub stacks_in_use: u32,
    /// Linear memories of native code that sandboxes have.
    pub memories_in_use: u32,
    /// Slots of linear memories that are taken, those kept for the next sandbox included.
    pub memory_slots_taken: u32,
    /// Bytes of the region of native code that are taken.
    pub native_code_bytes: u64,
}

/// Whose an address is. Takes no lock, for last words.
#[must_use]
pub fn owner_of(address: u64) -> Owner {
    layout::owner_of(address, &paging::physical_map(), stacks::bytes_in)
}

/// Counts as they are now.
#[must_use]
pub fn statistics() -> Statistics {
    let (frames_free, frames_total) = frames::counts();
    let (memories_in_use, memories_idle) = memories::counts();
    let parked = arena::parked::idle();
    Statistics {
        frames_total,
        frames_free: frames_free
            + parked.frames
            + arena::kept_frames()
            + bodies::frames_going_back()
            + frames::tables(),
        tables: frames::tables(),
        heap_bytes_in_use: heap::bytes_in_use() - parked.heap_bytes,
        heap_bytes_mapped: heap::bytes_mapped(),
        arenas_in_use: arena::count() - parked.arenas,
        stacks_in_use: stacks::in_use(),
        memories_in_use: memories_in_use - parked.memories,
        memory_slots_taken: memories_in_use - parked.memories + memories_idle,
        native_code_bytes: code::bytes_taken(),
    }
}
