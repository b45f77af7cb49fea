//! The memory regions of `BootInfo`.
//!
//! They are sorted, page-aligned and do not overlap. What the loader used is
//! [`MemoryRegionKind::Bootloader`], other memory is `Usable`, what is no memory keeps its E820
//! type.

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use crate::memory_map::{Entry, Kind, MAX_RECORDS, MemoryMap, for_each_hole};
use crate::range::PhysRange;

/// The most ranges that the loader may have used.
pub const MAX_TAKEN: usize = 8;

/// The most regions that there can be: each range in use splits an entry once more at most.
pub const MAX_REGIONS: usize = MAX_RECORDS + 2 * MAX_TAKEN;

/// Hands the regions of `map` to `visit` in ascending order; `taken` is what the loader used.
pub fn for_each(map: &MemoryMap, taken: &[PhysRange], mut visit: impl FnMut(MemoryRegion)) {
    let mut floor = 0;
    for entry in map.entries() {
        if entry.kind == Kind::Memory {
            let pages = entry.range.pages_inside();
            visit_memory(pages, taken, &mut visit);
            floor = floor.max(pages.end());
        } else if let Some(region) = other(entry, floor) {
            floor = region.end;
            visit(region);
        }
    }
}

/// Memory: holes are usable, what lies between them is the loader's.
fn visit_memory(memory: PhysRange, taken: &[PhysRange], visit: &mut impl FnMut(MemoryRegion)) {
    let mut end = memory.start();
    for_each_hole(memory, taken, &mut |hole| {
        push(
            visit,
            PhysRange::between(end, hole.start()),
            MemoryRegionKind::Bootloader,
        );
        push(visit, hole, MemoryRegionKind::Usable);
        end = hole.end();
    });
    push(
        visit,
        PhysRange::between(end, memory.end()),
        MemoryRegionKind::Bootloader,
    );
}

/// No memory: the pages around it, except those of what lies below.
fn other(entry: &Entry, floor: u64) -> Option<MemoryRegion> {
    let pages = entry.range.pages_around()?;
    let start = pages.start().max(floor);
    let kind = MemoryRegionKind::UnknownBios(entry.kind.e820_type());
    (start < pages.end()).then_some(MemoryRegion {
        start,
        end: pages.end(),
        kind,
    })
}

fn push(visit: &mut impl FnMut(MemoryRegion), range: PhysRange, kind: MemoryRegionKind) {
    if !range.is_empty() {
        visit(MemoryRegion {
            start: range.start(),
            end: range.end(),
            kind,
        });
    }
}
