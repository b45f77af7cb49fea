//! The memory regions of `BootInfo`, on a machine as it is and on machines made up.

use std::vec::Vec;

use bootloader_api::info::{MemoryRegion, MemoryRegionKind};

use crate::memory_map::{MAX_RECORDS, MemoryMap};
use crate::range::PhysRange;
use crate::regions::{self, MAX_REGIONS, MAX_TAKEN};
use crate::tests::sample::{self, LOADER, Numbers};

fn regions(map: &MemoryMap, taken: &[PhysRange]) -> Vec<MemoryRegion> {
    let mut regions = Vec::new();
    regions::for_each(map, taken, |region| regions.push(region));
    regions
}

fn region(start: u64, end: u64, kind: MemoryRegionKind) -> MemoryRegion {
    MemoryRegion { start, end, kind }
}

#[test]
fn what_the_loader_used_is_marked_and_the_rest_is_usable() {
    use MemoryRegionKind::{Bootloader, UnknownBios, Usable};
    let taken = [
        PhysRange::between(0, 0x1000),
        LOADER[0],
        PhysRange::between(0x7ff_f800, 0x800_0000),
    ];
    let expected = [
        region(0, 0x1000, Bootloader),
        region(0x1000, 0x9_f000, Usable),
        region(0x9_f000, 0xa_0000, UnknownBios(2)),
        region(0xd_0000, 0xf_0000, UnknownBios(4)),
        region(0xf_0000, 0x10_0000, UnknownBios(2)),
        region(0x10_0000, 0x11_0000, Bootloader),
        region(0x11_0000, 0x7ff_f000, Usable),
        region(0x7ff_f000, 0x800_0000, Bootloader),
        region(0xfffc_0000, 0x1_0000_0000, UnknownBios(2)),
    ];
    assert_eq!(regions(&sample::map(), &taken), expected);
}

/// A map of up to `MAX_RECORDS` records with odd edges, and ranges that the loader used.
fn made_up(numbers: &mut Numbers) -> (MemoryMap, Vec<PhysRange>) {
    let mut entries = Vec::from([(0, 0x1_0000, 1)]);
    let mut start = 0x1_0000;
    for _ in 0..numbers.below(MAX_RECORDS as u64 - 1) {
        start += numbers.below(2) * numbers.below(0x5000);
        let len = numbers.below(0x8000);
        entries.push((start, len, 1 + numbers.below(3) as u32));
        start += len;
    }
    let taken = (0..numbers.below(MAX_TAKEN as u64))
        .map(|_| PhysRange::new(numbers.below(start), numbers.below(0x2_0000)).expect("small"));
    let taken = taken.collect();
    (
        MemoryMap::read(&sample::records(&entries)).expect("sorted"),
        taken,
    )
}

#[test]
fn regions_are_sorted_apart_page_aligned_and_never_too_many() {
    let mut numbers = Numbers::new(1);
    for _ in 0..2_000 {
        let (map, taken) = made_up(&mut numbers);
        let regions = regions(&map, &taken);
        assert!(regions.len() <= MAX_REGIONS);
        assert!(regions.iter().all(|region| region.start < region.end));
        assert!(
            regions
                .iter()
                .all(|region| (region.start | region.end) % 4096 == 0)
        );
        assert!(regions.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}

#[test]
fn usable_regions_are_memory_that_nobody_took() {
    let mut numbers = Numbers::new(2);
    for _ in 0..2_000 {
        let (map, taken) = made_up(&mut numbers);
        let regions = regions(&map, &taken);
        for region in regions
            .iter()
            .filter(|region| region.kind == MemoryRegionKind::Usable)
        {
            let range = PhysRange::between(region.start, region.end);
            assert!(map.is_memory(range));
            assert!(
                taken
                    .iter()
                    .all(|taken| taken.is_empty() || !taken.overlaps(&range))
            );
        }
    }
}

#[test]
fn no_whole_page_of_memory_is_left_out() {
    let mut numbers = Numbers::new(3);
    for _ in 0..2_000 {
        let (map, taken) = made_up(&mut numbers);
        let of_memory = |region: &&MemoryRegion| {
            matches!(
                region.kind,
                MemoryRegionKind::Usable | MemoryRegionKind::Bootloader
            )
        };
        let regions = regions(&map, &taken);
        let listed: u64 = regions
            .iter()
            .filter(of_memory)
            .map(|r| r.end - r.start)
            .sum();
        let there: u64 = map.memory().map(|memory| memory.pages_inside().len()).sum();
        assert_eq!(listed, there);
    }
}
