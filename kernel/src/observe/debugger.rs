//! The table of landmarks, from which `tests/gdb` reads a running kernel, or the core of one that has ended.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use luge_memory::layout;
use luge_sched::Policy;
use luge_trace::{Event, Kind, Ring};

use crate::arch::landmarks::{Landmark, Landmarks};
use crate::arch::{interrupts, paging, per_cpu, switch, traps};
use crate::mm::{arena, memories, stacks};
use crate::sandbox::sight;
use crate::sched::trace;

/// By which order sandboxes get the CPU.
static POLICY: AtomicU64 = AtomicU64::new(0);

/// Says what the kernel was asked to do.
pub fn start(policy: Policy) {
    POLICY.store(policy as u64, Relaxed);
}

/// All landmarks, behind a mark by which a reader knows that they are what it expects.
#[repr(C)]
struct Table {
    mark: [u8; 8],
    /// Changes with what the landmarks mean, not with which there are.
    version: u64,
    lists: u64,
    list: [Landmarks; LISTS],
}

const LISTS: usize = 19;

// The linker script keeps the section, which nothing in the kernel refers to.
#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".luge.landmarks")]
static LUGE_LANDMARKS: Table = Table {
    mark: *b"landmark",
    version: 1,
    lists: LISTS as u64,
    list: [
        Landmarks::of(GENERAL),
        Landmarks::of(per_cpu::LANDMARKS),
        Landmarks::of(paging::LANDMARKS),
        Landmarks::of(switch::LANDMARKS),
        Landmarks::of(traps::LANDMARKS),
        Landmarks::of(traps::frame::LANDMARKS),
        Landmarks::of(interrupts::LANDMARKS),
        Landmarks::of(stacks::LANDMARKS),
        Landmarks::of(memories::LANDMARKS),
        Landmarks::of(arena::LANDMARKS),
        Landmarks::of(trace::LANDMARKS),
        Landmarks::of(&Landmark::all(Ring::LAYOUT)),
        Landmarks::of(&Landmark::all(Event::LAYOUT)),
        Landmarks::of(&Landmark::all(Kind::MEANING)),
        Landmarks::of(sight::LANDMARKS),
        Landmarks::of(sight::LIFE),
        Landmarks::of(sight::STANDING),
        Landmarks::of(sight::TRAPS),
        Landmarks::of(sight::FAULTS),
    ],
};

/// The map of virtual memory, and what the kernel was asked to do.
const GENERAL: &[Landmark] = &[
    Landmark::place("policy", &raw const POLICY),
    Landmark::number("policy.edf", Policy::EarliestDeadline as u64),
    Landmark::number("policy.fifo", Policy::FirstIn as u64),
    Landmark::number("policy.sjf", Policy::ShortestJob as u64),
    Landmark::number("policy.rr", Policy::RoundRobin as u64),
    Landmark::number("layout.heap", layout::KERNEL_HEAP_START),
    Landmark::number("layout.heap_bytes", layout::KERNEL_HEAP_BYTES),
    Landmark::number("layout.stacks", layout::STACKS_START),
    Landmark::number("layout.stack_slots", layout::STACK_SLOTS as u64),
    Landmark::number("layout.stack_slot_bytes", layout::STACK_SLOT_BYTES),
    Landmark::number("layout.kernel_stack_bytes", layout::KERNEL_STACK_BYTES),
    Landmark::number("layout.guard_bytes", layout::GUARD_BYTES),
    Landmark::number("layout.arenas", layout::ARENAS_START),
    Landmark::number("layout.arena_slots", layout::ARENA_SLOTS as u64),
    Landmark::number("layout.arena_slot_bytes", layout::ARENA_SLOT_BYTES),
    Landmark::number("layout.arena_part_bytes", layout::ARENA_PART_BYTES),
    Landmark::number(
        "layout.arena_large_ranges",
        layout::ARENA_LARGE_RANGES as u64,
    ),
    Landmark::number("layout.mmio", layout::MMIO_START),
    Landmark::number("layout.mmio_bytes", layout::MMIO_BYTES),
    Landmark::number("layout.memories", layout::MEMORIES_START),
    Landmark::number("layout.memory_slots", layout::MEMORY_SLOTS as u64),
    Landmark::number("layout.memory_slot_bytes", layout::MEMORY_SLOT_BYTES),
    Landmark::number("layout.memory_guard_bytes", layout::MEMORY_GUARD_BYTES),
    Landmark::number("layout.native_code", layout::NATIVE_CODE_START),
    Landmark::number("layout.native_code_bytes", layout::NATIVE_CODE_BYTES),
    Landmark::number("layout.image", layout::KERNEL_IMAGE_START),
    Landmark::number("layout.image_bytes", layout::KERNEL_IMAGE_BYTES),
];
