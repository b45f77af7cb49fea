//! `kernel/docs/memory-map.md` says what the constants say.

use luge_memory::layout::*;

const DOCUMENT: &str = include_str!("../../../docs/memory-map.md");

/// The cells of every table row of the document, without their back quotes.
fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let cells = |row: &'static str| row.split('|').map(|cell| cell.trim().trim_matches('`'));
    DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(move |row| cells(row).collect())
}

fn address(cell: &str) -> Option<u64> {
    u64::from_str_radix(&cell.strip_prefix("0x")?.replace('_', ""), 16).ok()
}

/// "16 MiB" in bytes.
fn bytes(cell: &str) -> Option<u64> {
    let (number, unit) = cell.split_once(' ')?;
    let shift = ["B", "KiB", "MiB", "GiB", "TiB"]
        .iter()
        .position(|name| *name == unit)?;
    Some(number.parse::<u64>().ok()? << (10 * shift))
}

#[test]
fn the_documents_regions_are_the_constants() {
    let documented: Vec<_> = rows()
        .filter_map(|row| Some((address(row[0])?, address(row[1])?, bytes(row[2])?)))
        .collect();
    let constants: Vec<_> = REGIONS
        .iter()
        .map(|region| (region.start, region.end, region.end - region.start))
        .collect();
    assert_eq!(documented, constants);
}

#[test]
fn the_documents_slots_are_the_constants() {
    let stacks = format!(
        "stacks, {STACK_SLOTS} slots of {} MiB",
        STACK_SLOT_BYTES >> 20
    );
    let bodies = format!(
        "bodies of requests, {BODY_SLOTS} slots of {} GiB",
        BODY_SLOT_BYTES >> 30
    );
    let arenas = format!(
        "arenas, {ARENA_SLOTS} slots of {} GiB",
        ARENA_SLOT_BYTES >> 30
    );
    let memories = format!(
        "linear memories, {MEMORY_SLOTS} slots of {} GiB",
        MEMORY_SLOT_BYTES >> 30
    );
    for expected in [bodies, stacks, arenas, memories] {
        assert!(
            rows().any(|row| row.last() == Some(&expected.as_str())),
            "{expected}"
        );
    }
}

#[test]
fn the_documents_sizes_are_the_constants() {
    let constants = [
        ("STACK_SLOT_BYTES", STACK_SLOT_BYTES),
        ("MIN_STACK_BYTES", MIN_STACK_BYTES),
        ("MAX_STACK_BYTES", MAX_STACK_BYTES),
        ("KERNEL_STACK_BYTES", KERNEL_STACK_BYTES),
        ("GUARD_BYTES", GUARD_BYTES),
        ("BODY_SLOT_BYTES", BODY_SLOT_BYTES),
        ("MAX_BODY_BYTES", MAX_BODY_BYTES),
        ("ARENA_SLOT_BYTES", ARENA_SLOT_BYTES),
        ("ARENA_PART_BYTES", ARENA_PART_BYTES),
        ("MEMORY_SLOT_BYTES", MEMORY_SLOT_BYTES),
        ("MEMORY_GUARD_BYTES", MEMORY_GUARD_BYTES),
        ("MAX_MEMORY_BYTES", MAX_MEMORY_BYTES),
        ("PAGE_BYTES", PAGE_BYTES),
    ];
    for (name, value) in constants {
        let row = rows().find(|row| row[0] == name).unwrap_or_default();
        assert_eq!(
            row.get(1).and_then(|cell| bytes(cell)),
            Some(value),
            "{name}"
        );
    }
}
