//! The map of the kernel's virtual memory. All of it is in the higher half; the lower half is empty.
//!
//! ```text
//! 0xffff_c000_0000_0000   64 GiB   kernel heap, mapped as it grows
//! 0xffff_c400_0000_0000    8 TiB   bodies of requests: 4,096 slots of 2 GiB, mapped as they arrive
//! 0xffff_d000_0000_0000   64 GiB   stacks: 4,096 slots of 16 MiB, each with a stack at its top
//!                                  and one for host calls near its bottom
//! 0xffff_e000_0000_0000   16 TiB   arenas: 1,024 slots of 16 GiB
//! 0xffff_f000_0000_0000    1 GiB   device registers, uncached
//! 0xffff_f100_0000_0000    8 TiB   linear memories of native code: 1,024 slots of 8 GiB
//! 0xffff_fa00_0000_0000    4 GiB   native code
//! 0xffff_ffff_8000_0000    1 GiB   kernel image
//! ```
//! The physical map is not in it: the loader chooses its place and says so at boot.
//!
//! Bodies, stacks, arenas and linear memories live in slots of fixed size, so every address says by itself whose it is:
//! [`owner_of`] needs no table, which is what a fault handler wants.

use core::ops::Range;

/// Bytes of a page, and of a frame.
pub const PAGE_BYTES: u64 = 4096;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Where the kernel's heap begins.
pub const KERNEL_HEAP_START: u64 = 0xffff_c000_0000_0000;
/// How far the kernel's heap may grow, in bytes.
pub const KERNEL_HEAP_BYTES: u64 = 64 * GIB;

/// Where the slots of the bodies begin.
pub const BODIES_START: u64 = 0xffff_c400_0000_0000;
/// Bytes of virtual memory that each body has for itself.
pub const BODY_SLOT_BYTES: u64 = 2 * GIB;
/// How many bodies there may be that do not lie in the kernel's heap.
pub const BODY_SLOTS: u32 = 4096;
/// The largest body, in bytes. The rest of its slot is never mapped.
pub const MAX_BODY_BYTES: u64 = GIB;

/// Where the slots of the stacks begin.
pub const STACKS_START: u64 = 0xffff_d000_0000_0000;
/// Bytes of virtual memory that each stack has for itself, its guard included.
pub const STACK_SLOT_BYTES: u64 = 16 * MIB;
/// How many stacks there may be.
pub const STACK_SLOTS: u32 = 4096;
/// The largest stack, in bytes.
pub const MAX_STACK_BYTES: u64 = 8 * MIB;
/// The smallest stack, in bytes.
pub const MIN_STACK_BYTES: u64 = 32 * KIB;
/// The stack of a sandbox's host calls, in bytes.
pub const KERNEL_STACK_BYTES: u64 = 32 * KIB;
/// Every guard has at least this many bytes.
pub const GUARD_BYTES: u64 = 64 * KIB;

/// Where the slots of the arenas begin.
pub const ARENAS_START: u64 = 0xffff_e000_0000_0000;
/// Bytes of virtual memory that each arena has for itself.
pub const ARENA_SLOT_BYTES: u64 = 16 * GIB;
/// How many arenas there may be.
pub const ARENA_SLOTS: u32 = 1024;
/// Bytes of each part of an arena, its unmapped first page included: the heap of small objects is
/// the first, the ranges of the large objects follow.
pub const ARENA_PART_BYTES: u64 = 2 * GIB;
/// How many large objects an arena can hold; a linear memory is one.
pub const ARENA_LARGE_RANGES: u32 = 7;

/// Where device registers are mapped.
pub const MMIO_START: u64 = 0xffff_f000_0000_0000;
/// Bytes of the window for device registers.
pub const MMIO_BYTES: u64 = GIB;

/// Where the slots of the linear memories begin.
pub const MEMORIES_START: u64 = 0xffff_f100_0000_0000;
/// Bytes of virtual memory that each linear memory has for itself, its guards included.
pub const MEMORY_SLOT_BYTES: u64 = 8 * GIB;
/// How many linear memories there may be.
pub const MEMORY_SLOTS: u32 = 1024;
/// Bytes at the beginning and at the end of a slot that are never mapped: the memory's guards.
pub const MEMORY_GUARD_BYTES: u64 = 2 * GIB;
/// The largest linear memory, in bytes.
pub const MAX_MEMORY_BYTES: u64 = MEMORY_SLOT_BYTES - 2 * MEMORY_GUARD_BYTES;

/// Where native code is mapped.
pub const NATIVE_CODE_START: u64 = 0xffff_fa00_0000_0000;
/// The most that all native code may take, in bytes.
pub const NATIVE_CODE_BYTES: u64 = 4 * GIB;

/// Where the kernel's ELF file is linked to. The `kernel` code model wants the last 2 GiB.
pub const KERNEL_IMAGE_START: u64 = 0xffff_ffff_8000_0000;
/// The most that the kernel's image may take, in bytes.
pub const KERNEL_IMAGE_BYTES: u64 = GIB;

/// The kernel's heap, as far as it may grow.
pub const KERNEL_HEAP: Range<u64> = span(KERNEL_HEAP_START, KERNEL_HEAP_BYTES);
/// All slots of bodies.
pub const BODIES: Range<u64> = span(BODIES_START, BODY_SLOTS as u64 * BODY_SLOT_BYTES);
/// All stack slots.
pub const STACKS: Range<u64> = span(STACKS_START, STACK_SLOTS as u64 * STACK_SLOT_BYTES);
/// All arena slots.
pub const ARENAS: Range<u64> = span(ARENAS_START, ARENA_SLOTS as u64 * ARENA_SLOT_BYTES);
/// The window for device registers.
pub const MMIO: Range<u64> = span(MMIO_START, MMIO_BYTES);
/// All slots of linear memories.
pub const MEMORIES: Range<u64> = span(MEMORIES_START, MEMORY_SLOTS as u64 * MEMORY_SLOT_BYTES);
/// All native code.
pub const NATIVE_CODE: Range<u64> = span(NATIVE_CODE_START, NATIVE_CODE_BYTES);
/// The kernel's image.
pub const KERNEL_IMAGE: Range<u64> = span(KERNEL_IMAGE_START, KERNEL_IMAGE_BYTES);

/// Every region, lowest address first.
pub const REGIONS: [Range<u64>; 8] = [
    KERNEL_HEAP,
    BODIES,
    STACKS,
    ARENAS,
    MMIO,
    MEMORIES,
    NATIVE_CODE,
    KERNEL_IMAGE,
];

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The kernel's code and static data.
    KernelImage,
    /// The kernel's heap.
    KernelHeap,
    /// A body's slot.
    Body {
        /// The slot's number.
        slot: u32,
    },
    /// A stack's slot.
    Stack {
        /// The slot's number.
        slot: u32,
        /// Where in the slot.
        part: StackPart,
    },
    /// An arena's slot.
    Arena {
        /// The slot's number.
        slot: u32,
    },
    /// Device registers.
    Mmio,
    /// A linear memory's slot.
    Memory {
        /// The slot's number.
        slot: u32,
        /// Whether the address is in a guard, where nothing is ever mapped.
        guard: bool,
    },
    /// Native code, with its data.
    NativeCode,
    /// Physical memory, as the loader mapped it.
    PhysicalMap,
    /// Nobody's: the lower half, the hole of non-canonical addresses, or between two regions.
    Other,
}

/// The parts of a stack's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackPart {
    /// The stack itself.
    Stack,
    /// Below the stack, where nothing is mapped; all of a free slot.
    Guard,
    /// The stack of host calls.
    Kernel,
    /// Below the stack of host calls, where nothing is mapped.
    KernelGuard,
}

/// Whose `address` is. `physical_map` is where the loader mapped physical memory, `stack_bytes`
/// answers how large the stack in a slot is (0 for a slot that is free), which decides where its
/// guard ends.
#[must_use]
pub fn owner_of(
    address: u64,
    physical_map: &Range<u64>,
    stack_bytes: impl FnOnce(u32) -> u64,
) -> Owner {
    if STACKS.contains(&address) {
        let slot = slot_of(address, STACKS_START, STACK_SLOT_BYTES);
        let part = stack_part(address, slot, stack_bytes(slot));
        Owner::Stack { slot, part }
    } else if ARENAS.contains(&address) {
        Owner::Arena {
            slot: slot_of(address, ARENAS_START, ARENA_SLOT_BYTES),
        }
    } else if let Some(slot) = memory_of(address) {
        Owner::Memory {
            slot,
            guard: !memory_range(slot).contains(&address),
        }
    } else if BODIES.contains(&address) {
        Owner::Body {
            slot: slot_of(address, BODIES_START, BODY_SLOT_BYTES),
        }
    } else if NATIVE_CODE.contains(&address) {
        Owner::NativeCode
    } else if KERNEL_HEAP.contains(&address) {
        Owner::KernelHeap
    } else if KERNEL_IMAGE.contains(&address) {
        Owner::KernelImage
    } else if MMIO.contains(&address) {
        Owner::Mmio
    } else if physical_map.contains(&address) {
        Owner::PhysicalMap
    } else {
        Owner::Other
    }
}

fn stack_part(address: u64, slot: u32, bytes: u64) -> StackPart {
    if bytes > 0 && kernel_stack_guard(slot).contains(&address) {
        StackPart::KernelGuard
    } else if bytes > 0 && kernel_stack_range(slot).contains(&address) {
        StackPart::Kernel
    } else if address < stack_slot(slot).end - bytes {
        StackPart::Guard
    } else {
        StackPart::Stack
    }
}

/// The slot whose arena `address` lies in, if it lies in one: what the routing allocator asks on
/// every release.
#[must_use]
pub const fn arena_of(address: u64) -> Option<u32> {
    if address >= ARENAS.start && address < ARENAS.end {
        Some(slot_of(address, ARENAS_START, ARENA_SLOT_BYTES))
    } else {
        None
    }
}

/// Where the body in a slot may grow.
///
/// # Panics
/// If there is no such slot.
#[must_use]
pub const fn body_range(slot: u32) -> Range<u64> {
    assert!(slot < BODY_SLOTS, "no such slot of a body");
    span(BODIES_START + slot as u64 * BODY_SLOT_BYTES, MAX_BODY_BYTES)
}

/// The whole slot of a stack.
///
/// # Panics
/// If there is no such slot.
#[must_use]
pub const fn stack_slot(slot: u32) -> Range<u64> {
    assert!(slot < STACK_SLOTS, "no such stack slot");
    span(
        STACKS_START + slot as u64 * STACK_SLOT_BYTES,
        STACK_SLOT_BYTES,
    )
}

/// The mapped part of a stack's slot, lowest address first: the top `bytes` of it.
///
/// # Panics
/// If there is no such slot, or if `bytes` is not a whole number of pages from
/// [`MIN_STACK_BYTES`] to [`MAX_STACK_BYTES`].
#[must_use]
pub const fn stack_range(slot: u32, bytes: u64) -> Range<u64> {
    assert!(
        bytes.is_multiple_of(PAGE_BYTES),
        "a stack is a whole number of pages"
    );
    assert!(
        MIN_STACK_BYTES <= bytes && bytes <= MAX_STACK_BYTES,
        "no size for a stack"
    );
    let slot = stack_slot(slot);
    slot.end - bytes..slot.end
}

/// The unmapped part of a stack's slot below the stack, down to the stack of host calls.
///
/// # Panics
/// As [`stack_range`].
#[must_use]
pub const fn stack_guard(slot: u32, bytes: u64) -> Range<u64> {
    kernel_stack_range(slot).end..stack_range(slot, bytes).start
}

/// Where in a stack's slot the stack of its sandbox's host calls is: below the stack, so that a chain of
/// frames goes up in memory from the one to the other, as on one stack.
///
/// # Panics
/// As [`stack_slot`].
#[must_use]
pub const fn kernel_stack_range(slot: u32) -> Range<u64> {
    span(stack_slot(slot).start + GUARD_BYTES, KERNEL_STACK_BYTES)
}

/// The unmapped part of a stack's slot below the stack of host calls.
///
/// # Panics
/// As [`stack_slot`].
#[must_use]
pub const fn kernel_stack_guard(slot: u32) -> Range<u64> {
    stack_slot(slot).start..kernel_stack_range(slot).start
}

/// The whole slot of an arena.
///
/// # Panics
/// If there is no such slot.
#[must_use]
#[inline]
pub const fn arena_range(slot: u32) -> Range<u64> {
    assert!(slot < ARENA_SLOTS, "no such arena slot");
    span(
        ARENAS_START + slot as u64 * ARENA_SLOT_BYTES,
        ARENA_SLOT_BYTES,
    )
}

/// Where an arena's heap of small objects may grow: the slot's first part without its first page,
/// which is never mapped.
///
/// # Panics
/// If there is no such slot.
#[must_use]
pub const fn arena_heap_range(slot: u32) -> Range<u64> {
    arena_part(slot, 0)
}

/// Where the `n`-th large object of an arena may grow: without the first page, which is never
/// mapped, so that a large object has nothing readable on either side.
///
/// # Panics
/// If there is no such slot, or if `n` is not below [`ARENA_LARGE_RANGES`].
#[must_use]
pub const fn arena_large_range(slot: u32, n: u32) -> Range<u64> {
    assert!(n < ARENA_LARGE_RANGES, "no such range for a large object");
    arena_part(slot, n + 1)
}

const fn arena_part(slot: u32, part: u32) -> Range<u64> {
    let start = arena_range(slot).start + part as u64 * ARENA_PART_BYTES;
    start + PAGE_BYTES..start + ARENA_PART_BYTES
}

/// The slot of the linear memory that `address` lies in or beside, if it does: what a fault handler
/// asks.
#[must_use]
pub const fn memory_of(address: u64) -> Option<u32> {
    if address >= MEMORIES.start && address < MEMORIES.end {
        Some(slot_of(address, MEMORIES_START, MEMORY_SLOT_BYTES))
    } else {
        None
    }
}

/// The whole slot of a linear memory, its guards included.
///
/// # Panics
/// If there is no such slot.
#[must_use]
pub const fn memory_slot(slot: u32) -> Range<u64> {
    assert!(slot < MEMORY_SLOTS, "no such slot of a linear memory");
    span(
        MEMORIES_START + slot as u64 * MEMORY_SLOT_BYTES,
        MEMORY_SLOT_BYTES,
    )
}

/// Where the linear memory in a slot may grow, without its guards.
///
/// # Panics
/// If there is no such slot.
#[must_use]
pub const fn memory_range(slot: u32) -> Range<u64> {
    let slot = memory_slot(slot);
    slot.start + MEMORY_GUARD_BYTES..slot.end - MEMORY_GUARD_BYTES
}

const fn slot_of(address: u64, start: u64, slot_bytes: u64) -> u32 {
    ((address - start) / slot_bytes) as u32
}

const fn span(start: u64, bytes: u64) -> Range<u64> {
    start..start + bytes
}

const _: () = {
    let mut region = 0;
    while region < REGIONS.len() {
        let range = &REGIONS[region];
        assert!(range.start < range.end, "a region is not empty");
        assert!(
            range.start >> 47 == 0x1_ffff,
            "a region is in the higher half"
        );
        assert!(
            region == 0 || REGIONS[region - 1].end <= range.start,
            "no two regions overlap"
        );
        region += 1;
    }
    assert!(
        MAX_BODY_BYTES < BODY_SLOT_BYTES,
        "the largest body has something unmapped behind it"
    );
    assert!(
        GUARD_BYTES + KERNEL_STACK_BYTES + GUARD_BYTES + MAX_STACK_BYTES <= STACK_SLOT_BYTES,
        "the largest stack has its guard, beside the stack of host calls with its own"
    );
    assert!(
        (1 + ARENA_LARGE_RANGES as u64) * ARENA_PART_BYTES == ARENA_SLOT_BYTES,
        "the parts of an arena fill its slot"
    );
};
