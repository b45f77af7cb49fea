//! Damage at random, the same in every run: nothing panics, and what is accepted is sound.

use std::vec::Vec;

use x86_64::structures::paging::PageTableFlags;

use crate::config;
use crate::failure::Failure;
use crate::kernel::{HIGHER_HALF, Kernel};
use crate::memory_map::MemoryMap;
use crate::paging::{Access, LargestPage, TableMemory, map};
use crate::plan::{Facts, Plan};
use crate::range::PhysRange;
use crate::start_info::{self, StartInfo};
use crate::tests::sample::{self, LOADER, MICROVM, Numbers, TestTables};

const INTERESTING: [u64; 8] = [
    0,
    1,
    0xfff,
    0x1000,
    1 << 31,
    1 << 47,
    u64::MAX - 0xfff,
    u64::MAX,
];

/// Changes one to four places: a byte, or a word to a value on the edge.
fn damage(bytes: &mut [u8], numbers: &mut Numbers, within: usize) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(within as u64) as usize;
        if numbers.below(2) == 0 {
            bytes[at] = numbers.next() as u8;
        } else {
            let word = INTERESTING[numbers.below(8) as usize].to_le_bytes();
            let end = bytes.len().min((at & !7) + 8);
            bytes[at & !7..end].copy_from_slice(&word[..end - (at & !7)]);
        }
    }
}

/// From the file to page tables, as the loader does it.
fn load(file: &[u8], memory: &MemoryMap) -> Result<(), Failure> {
    let kernel = Kernel::read(file)?;
    for segment in &kernel.segments {
        assert!(segment.file.end <= file.len() && segment.file.start <= segment.file.end);
        assert!(segment.file.len() as u64 <= segment.memory.len());
        assert!(segment.memory.start() >= HIGHER_HALF);
    }
    assert!(
        kernel
            .segments
            .is_sorted_by(|low, high| low.pages.end() <= high.pages.start())
    );
    assert!(
        kernel
            .segments
            .iter()
            .any(|segment| segment.access == Access::ReadExecute)
    );
    let config = config::read(kernel.config.unwrap_or_default())?;
    let plan = Plan::make(&Facts {
        kernel: &kernel,
        config: &config,
        map: memory,
        module: sample::module(file.len()),
        loader: LOADER,
        command_line: PhysRange::between(0x1234, 0x1254),
    })?;
    for copy in &plan.copies {
        assert!(copy.offset + copy.file.len() as u64 <= copy.frames.len());
    }
    let mut tables = TestTables::default();
    tables.limit = Some(4_000);
    let root = tables.allocate().expect("the first of many");
    for mapping in &plan.mappings {
        map(&mut tables, root, mapping, LargestPage::Gib1)?;
    }
    let both = PageTableFlags::WRITABLE;
    assert!(
        tables
            .leaves(root)
            .iter()
            .all(|leaf| !leaf.is_executable() || !leaf.flags.contains(both))
    );
    Ok(())
}

#[test]
fn no_damage_to_a_kernels_headers_makes_the_loader_panic() {
    let (whole, memory) = (sample::kernel(), sample::map());
    let mut numbers = Numbers::new(4);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut file = whole.clone();
        damage(&mut file, &mut numbers, 64 + 4 * 56);
        accepted += usize::from(load(&file, &memory).is_ok());
    }
    // Some damage does no harm, most does: both ways are exercised.
    assert!((200..15_000).contains(&accepted), "{accepted} accepted");
}

#[test]
fn no_damage_to_sections_and_configuration_makes_the_loader_panic() {
    let (whole, memory) = (sample::kernel(), sample::map());
    let mut numbers = Numbers::new(5);
    for round in 0..10_000 {
        let mut file = whole.clone();
        let tail = if round % 2 == 0 {
            sample::CONFIG..sample::CONFIG + 133
        } else {
            0x3440..file.len()
        };
        let within = tail.len();
        damage(&mut file[tail], &mut numbers, within);
        let _ = load(&file, &memory);
    }
}

#[test]
fn no_damage_to_the_memory_map_makes_the_loader_panic() {
    let (kernel, whole) = (sample::kernel(), sample::records(MICROVM));
    let mut numbers = Numbers::new(6);
    for _ in 0..10_000 {
        let mut records = whole.clone();
        damage(&mut records, &mut numbers, whole.len());
        let Ok(memory) = MemoryMap::read(&records) else {
            continue;
        };
        assert!(
            memory
                .entries()
                .is_sorted_by(|low, high| low.range.end() <= high.range.start())
        );
        let _ = load(&kernel, &memory);
    }
}

#[test]
fn no_bytes_make_the_records_of_the_firmware_panic() {
    let mut numbers = Numbers::new(7);
    for _ in 0..20_000 {
        let len = numbers.below(80) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| numbers.next() as u8).collect();
        if len >= 4 {
            bytes[..4].copy_from_slice(&start_info::MAGIC.to_le_bytes());
        }
        if let Ok(info) = StartInfo::read(&bytes) {
            let _ = (
                info.first_module(),
                info.memory_map(),
                info.command_line(),
                info.rsdp(),
            );
        }
        let _ = start_info::module(&bytes);
        let _ = start_info::until_nul(&bytes);
        let _ = MemoryMap::read(&bytes);
        let _ = Kernel::read(&bytes);
    }
}
