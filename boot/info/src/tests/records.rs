//! Start information and memory map: whole ones, and one test for each way of being damaged.

use std::vec::Vec;

use crate::memory_map::{Kind, MAX_RECORDS, MemoryMap, MemoryMapError};
use crate::range::PhysRange;
use crate::start_info::{
    self, MAGIC, MAX_COMMAND_LINE, REACH, Record, StartInfo, StartInfoError, until_nul,
};
use crate::tests::sample::{self, MICROVM, put, records};

/// A whole record: one module listed at 0x1000, a command line, an RSDP and 6 map entries.
fn start_info() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [MAGIC, 1, 0, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for address in [0x1000_u64, 0x2000, 0xf_34d0, 0x3000, 6] {
        bytes.extend(address.to_le_bytes());
    }
    bytes
}

fn read_after(at: usize, new: &[u8]) -> StartInfo {
    let mut bytes = start_info();
    put(&mut bytes, at, new);
    StartInfo::read(&bytes).expect("only addresses changed")
}

fn module_entry(address: u64, len: u64) -> Vec<u8> {
    [address, len, 0, 0]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect()
}

#[test]
fn whole_start_information_is_read_as_it_is() {
    let info = StartInfo::read(&start_info()).expect("the sample is whole");
    assert_eq!(info.first_module(), Ok(PhysRange::between(0x1000, 0x1020)));
    assert_eq!(
        info.memory_map(),
        Ok(PhysRange::between(0x3000, 0x3000 + 6 * 24))
    );
    assert_eq!(info.rsdp(), Some(0xf_34d0));
    let command_line = PhysRange::between(0x2000, 0x2001 + MAX_COMMAND_LINE);
    assert_eq!(info.command_line(), Some(command_line));
}

#[test]
fn a_record_with_another_beginning_is_refused() {
    let mut bytes = start_info();
    put(&mut bytes, 0, &[0x79]);
    let found = MAGIC + 1;
    assert_eq!(
        StartInfo::read(&bytes),
        Err(StartInfoError::Magic { found })
    );
}

#[test]
fn a_record_cut_short_anywhere_is_refused() {
    let bytes = start_info();
    for len in 0..52 {
        let short = StartInfoError::Short {
            record: Record::StartInfo,
            len,
        };
        assert_eq!(StartInfo::read(&bytes[..len]), Err(short));
    }
}

#[test]
fn a_machine_without_a_module_is_refused() {
    assert_eq!(
        read_after(12, &[0]).first_module(),
        Err(StartInfoError::NoModule)
    );
}

#[test]
fn a_module_list_out_of_reach_is_refused() {
    for address in [0, REACH - 31, u64::MAX] {
        let info = read_after(16, &address.to_le_bytes());
        let error = StartInfoError::OutOfReach {
            record: Record::ModuleList,
            address,
            len: 32,
        };
        assert_eq!(info.first_module(), Err(error));
    }
}

#[test]
fn a_module_is_found_where_its_entry_says() {
    let module = start_info::module(&module_entry(0x10_0000, 0x2345));
    assert_eq!(module, Ok(PhysRange::between(0x10_0000, 0x10_2345)));
}

#[test]
fn an_empty_module_is_refused() {
    let empty = start_info::module(&module_entry(0x10_0000, 0));
    assert_eq!(empty, Err(StartInfoError::EmptyModule));
}

#[test]
fn a_module_out_of_reach_is_refused() {
    for (address, len) in [(0, 1), (REACH, 1), (0x1000, REACH), (u64::MAX, 2)] {
        let error = StartInfoError::OutOfReach {
            record: Record::Module,
            address,
            len,
        };
        assert_eq!(start_info::module(&module_entry(address, len)), Err(error));
    }
}

#[test]
fn a_module_entry_cut_short_is_refused() {
    let short = StartInfoError::Short {
        record: Record::ModuleList,
        len: 15,
    };
    assert_eq!(start_info::module(&module_entry(1, 1)[..15]), Err(short));
}

#[test]
fn no_command_line_and_no_rsdp_are_no_error() {
    assert_eq!(read_after(24, &[0; 8]).command_line(), None);
    assert_eq!(read_after(32, &[0; 8]).rsdp(), None);
}

#[test]
fn a_command_line_ends_at_its_nul() {
    assert_eq!(until_nul(b"log=debug\0rest"), Ok(&b"log=debug"[..]));
    assert_eq!(until_nul(b"\0"), Ok(&b""[..]));
}

#[test]
fn a_command_line_without_an_end_is_refused() {
    assert_eq!(
        until_nul(&[b'a'; 100]),
        Err(StartInfoError::CommandLineTooLong)
    );
}

#[test]
fn a_machine_without_a_memory_map_is_refused() {
    let absent = |version| Err(MemoryMapError::Absent { version });
    assert_eq!(read_after(4, &[0]).memory_map(), absent(0));
    assert_eq!(read_after(40, &[0; 8]).memory_map(), absent(1));
    assert_eq!(read_after(48, &[0; 4]).memory_map(), absent(1));
}

#[test]
fn a_memory_map_that_is_too_long_is_refused() {
    let records = MAX_RECORDS as u32 + 1;
    let info = read_after(48, &records.to_le_bytes());
    assert_eq!(info.memory_map(), Err(MemoryMapError::TooMany { records }));
    let many: Vec<_> = (0..u64::from(records))
        .map(|at| (at * 0x1000, 0x1000, 1))
        .collect();
    let error = MemoryMap::read(&sample::records(&many))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error, MemoryMapError::TooMany { records });
}

#[test]
fn a_memory_map_out_of_reach_is_refused() {
    for address in [REACH, u64::MAX] {
        let info = read_after(40, &address.to_le_bytes());
        assert_eq!(
            info.memory_map(),
            Err(MemoryMapError::OutOfReach { address })
        );
    }
}

fn refused(entries: &[(u64, u64, u32)]) -> MemoryMapError {
    MemoryMap::read(&records(entries))
        .map(|_| ())
        .expect_err("the damage is to be seen")
}

#[test]
fn a_memory_map_is_sorted_and_keeps_its_kinds() {
    let map = sample::map();
    assert_eq!(map.entries().len(), MICROVM.len());
    assert!(map.entries().is_sorted_by_key(|entry| entry.range.start()));
    let kinds: Vec<_> = map.entries().iter().map(|entry| entry.kind).collect();
    use Kind::{AcpiStorage, Memory, Reserved};
    assert_eq!(
        kinds,
        [Memory, Reserved, AcpiStorage, Reserved, Memory, Reserved]
    );
}

#[test]
fn the_type_of_a_record_survives() {
    for kind in 0..20 {
        let map = MemoryMap::read(&records(&[(0x1000, 0x1000, kind), (0, 0x1000, 1)]));
        assert_eq!(map.expect("whole").entries()[1].kind.e820_type(), kind);
    }
}

#[test]
fn empty_records_are_skipped() {
    let map = MemoryMap::read(&records(&[(0, 0x2000, 1), (0x1000, 0, 2)])).expect("whole");
    assert_eq!(map.entries().len(), 1);
}

#[test]
fn records_that_overlap_are_refused() {
    let entries = [(0x1000, 0x2000, 1), (0, 0x1001, 2)];
    assert_eq!(
        refused(&entries),
        MemoryMapError::Overlap { address: 0x1000 }
    );
}

#[test]
fn a_record_that_wraps_around_or_is_too_high_is_refused() {
    let (address, len) = (u64::MAX - 1, 3);
    let error = MemoryMapError::TooHigh {
        record: 1,
        address,
        len,
    };
    assert_eq!(refused(&[(0, 0x1000, 1), (address, len, 1)]), error);
    let (address, len) = (1 << 52, 1);
    let error = MemoryMapError::TooHigh {
        record: 0,
        address,
        len,
    };
    assert_eq!(refused(&[(address, len, 1)]), error);
}

#[test]
fn a_map_without_a_whole_page_of_memory_is_refused() {
    for entries in [&[][..], &[(0, 0x1000, 2)], &[(0x800, 0x1000, 1)]] {
        assert_eq!(refused(entries), MemoryMapError::NoMemory);
    }
}

#[test]
fn a_map_that_ends_within_a_record_is_refused() {
    let bytes = records(MICROVM);
    let error = MemoryMap::read(&bytes[..47]).map(|_| ()).unwrap_err();
    assert_eq!(error, MemoryMapError::Short { len: 47 });
}

#[test]
fn the_largest_hole_spares_what_is_taken() {
    let map = sample::map();
    let within = PhysRange::between(1 << 20, REACH);
    let hole = |taken: &[PhysRange]| map.largest_hole(within, taken);
    assert_eq!(hole(&[]), Some(PhysRange::between(0x10_0000, 0x800_0000)));
    let taken = [
        PhysRange::between(0x10_0000, 0x20_0001),
        PhysRange::between(0x600_0fff, 0x601_0000),
    ];
    assert_eq!(
        hole(&taken),
        Some(PhysRange::between(0x20_1000, 0x600_0000))
    );
    assert_eq!(hole(&[PhysRange::between(0, REACH)]), None);
}

#[test]
fn only_memory_in_one_piece_is_memory() {
    let map = sample::map();
    assert!(map.is_memory(PhysRange::between(0x10_0000, 0x800_0000)));
    assert!(!map.is_memory(PhysRange::between(0x10_0000, 0x800_0001)));
    assert!(!map.is_memory(PhysRange::between(0x9_f000, 0xa_0000)));
}
