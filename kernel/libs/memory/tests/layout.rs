//! The map of virtual memory: what lies where, and whose an address is.

use std::ops::Range;

use luge_memory::layout::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

const PHYSICAL_MAP: Range<u64> = 0xffff_8000_0000_0000..0xffff_8000_1000_0000;
const STACK_BYTES: u64 = 512 << 10;

fn owner(address: u64) -> Owner {
    owner_of(address, &PHYSICAL_MAP, |_| STACK_BYTES)
}

#[test]
fn two_stacks_and_their_guards_fill_the_slot() {
    for slot in [0, 1, 77, STACK_SLOTS - 1] {
        for bytes in [MIN_STACK_BYTES, STACK_BYTES, MAX_STACK_BYTES] {
            let (stack, guard) = (stack_range(slot, bytes), stack_guard(slot, bytes));
            let (kernel, kernel_guard) = (kernel_stack_range(slot), kernel_stack_guard(slot));
            assert_eq!(stack.end - stack.start, bytes);
            assert_eq!(guard.end, stack.start);
            assert_eq!(kernel.end, guard.start);
            assert_eq!(kernel.end - kernel.start, KERNEL_STACK_BYTES);
            assert_eq!(kernel_guard.end, kernel.start);
            assert_eq!(kernel_guard.start..stack.end, stack_slot(slot));
            for guard in [guard, kernel_guard] {
                assert!(guard.end - guard.start >= GUARD_BYTES);
            }
        }
    }
}

#[test]
fn what_lies_below_a_guard_is_another_stacks_top_or_nothing() {
    assert_eq!(stack_slot(1).start, stack_slot(0).end);
    assert_eq!(owner(stack_slot(0).start - 1), Owner::Other);
}

#[test]
fn every_address_of_a_stack_slot_is_a_stacks_or_its_guards() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..10_000 {
        let slot = random.next_u32() % STACK_SLOTS;
        // Half of them where the small parts are.
        let span = [STACK_SLOT_BYTES, 2 * (GUARD_BYTES + KERNEL_STACK_BYTES)];
        let address =
            stack_slot(slot).start + random.next_u64() % span[random.next_u32() as usize % 2];
        let parts = [
            (StackPart::Stack, stack_range(slot, STACK_BYTES)),
            (StackPart::Guard, stack_guard(slot, STACK_BYTES)),
            (StackPart::Kernel, kernel_stack_range(slot)),
            (StackPart::KernelGuard, kernel_stack_guard(slot)),
        ];
        let mut its = parts.iter().filter(|(_, range)| range.contains(&address));
        let (part, _) = *its.next().expect("the parts fill the slot");
        assert!(its.next().is_none(), "no two parts overlap");
        assert_eq!(owner(address), Owner::Stack { slot, part });
    }
}

#[test]
fn a_slot_without_a_stack_is_all_guard() {
    let slot = 9;
    let part = StackPart::Guard;
    for address in [
        stack_slot(slot).start,
        kernel_stack_range(slot).start,
        stack_slot(slot).end - 1,
    ] {
        assert_eq!(
            owner_of(address, &PHYSICAL_MAP, |_| 0),
            Owner::Stack { slot, part }
        );
    }
}

#[test]
fn the_parts_of_an_arena_are_apart_and_inside_it() {
    for slot in [0, 5, ARENA_SLOTS - 1] {
        let mut end = arena_range(slot).start;
        let large = (0..ARENA_LARGE_RANGES).map(|n| arena_large_range(slot, n));
        for part in std::iter::once(arena_heap_range(slot)).chain(large) {
            assert_eq!(
                part.start,
                end + PAGE_BYTES,
                "one unmapped page before each part"
            );
            assert_eq!(part.end - part.start, ARENA_PART_BYTES - PAGE_BYTES);
            assert_eq!(owner(part.start), Owner::Arena { slot });
            assert_eq!(owner(part.end - 1), Owner::Arena { slot });
            end = part.end;
        }
        assert_eq!(end, arena_range(slot).end);
    }
}

#[test]
fn the_arena_of_an_address_is_the_one_whose_range_holds_it() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..10_000 {
        let slot = random.next_u32() % ARENA_SLOTS;
        let address = arena_range(slot).start + random.next_u64() % ARENA_SLOT_BYTES;
        assert_eq!(arena_of(address), Some(slot));
        assert_eq!(owner(address), Owner::Arena { slot });
    }
    for outside in [0, ARENAS.start - 1, ARENAS.end, u64::MAX] {
        assert_eq!(arena_of(outside), None);
    }
}

#[test]
fn the_first_and_last_byte_of_every_region_are_its_own_and_the_next_is_not() {
    let owners = [
        Owner::KernelHeap,
        Owner::Body { slot: 0 },
        Owner::Stack {
            slot: 0,
            part: StackPart::KernelGuard,
        },
        Owner::Arena { slot: 0 },
        Owner::Mmio,
        Owner::Memory {
            slot: 0,
            guard: true,
        },
        Owner::NativeCode,
        Owner::KernelImage,
    ];
    for (region, expected) in REGIONS.iter().zip(owners) {
        assert_eq!(owner(region.start), expected);
        assert_ne!(owner(region.end), expected);
    }
    assert_eq!(owner(KERNEL_HEAP.end - 1), Owner::KernelHeap);
    assert_eq!(
        owner(BODIES.end - 1),
        Owner::Body {
            slot: BODY_SLOTS - 1
        }
    );
    assert_eq!(
        owner(STACKS.end - 1),
        Owner::Stack {
            slot: STACK_SLOTS - 1,
            part: StackPart::Stack
        }
    );
    assert_eq!(
        owner(ARENAS.end - 1),
        Owner::Arena {
            slot: ARENA_SLOTS - 1
        }
    );
    assert_eq!(owner(MMIO.end - 1), Owner::Mmio);
    assert_eq!(owner(KERNEL_IMAGE.end - 1), Owner::KernelImage);
}

#[test]
fn a_linear_memory_has_guards_on_both_sides() {
    for slot in [0, 7, MEMORY_SLOTS - 1] {
        let (whole, memory) = (memory_slot(slot), memory_range(slot));
        assert_eq!(memory.start - whole.start, MEMORY_GUARD_BYTES);
        assert_eq!(whole.end - memory.end, MEMORY_GUARD_BYTES);
        assert_eq!(memory.end - memory.start, 1 << 32);
        for (address, guard) in [
            (whole.start, true),
            (memory.start - 1, true),
            (memory.start, false),
            (memory.end - 1, false),
            (memory.end, true),
            (whole.end - 1, true),
        ] {
            assert_eq!(memory_of(address), Some(slot));
            assert_eq!(owner(address), Owner::Memory { slot, guard });
        }
    }
}

#[test]
fn an_index_and_an_offset_below_the_guard_never_leave_the_slot() {
    let (whole, memory) = (memory_slot(3), memory_range(3));
    let farthest = memory.start + u64::from(u32::MAX) + (MEMORY_GUARD_BYTES - 1);
    assert!(whole.contains(&farthest));
}

#[test]
fn the_physical_map_is_where_the_loader_says() {
    assert_eq!(owner(PHYSICAL_MAP.start), Owner::PhysicalMap);
    assert_eq!(owner(PHYSICAL_MAP.end), Owner::Other);
    let elsewhere = 0xffff_9000_0000_0000..0xffff_9000_0000_1000;
    let address = elsewhere.start;
    assert_eq!(owner(address), Owner::Other);
    assert_eq!(owner_of(address, &elsewhere, |_| 0), Owner::PhysicalMap);
}

#[test]
fn the_lower_half_and_non_canonical_addresses_are_nobodys() {
    for address in [
        0,
        0x1000,
        0x7fff_ffff_ffff,
        0x8000_0000_0000,
        0xffff_7fff_ffff_ffff,
        u64::MAX,
    ] {
        assert_eq!(owner(address), Owner::Other);
    }
}

#[test]
#[should_panic(expected = "whole number of pages")]
fn a_stack_of_half_a_page_more_is_refused() {
    let _ = stack_range(0, MIN_STACK_BYTES + 2048);
}

#[test]
#[should_panic(expected = "no size for a stack")]
fn a_stack_that_leaves_too_little_guard_is_refused() {
    let _ = stack_range(0, MAX_STACK_BYTES + PAGE_BYTES);
}

#[test]
#[should_panic(expected = "no such stack slot")]
fn a_slot_after_the_last_is_refused() {
    let _ = stack_range(STACK_SLOTS, STACK_BYTES);
}

#[test]
#[should_panic(expected = "no such range")]
fn a_large_range_after_the_last_is_refused() {
    let _ = arena_large_range(0, ARENA_LARGE_RANGES);
}
