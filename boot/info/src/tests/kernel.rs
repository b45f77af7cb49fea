//! The kernel's ELF: a whole one, and one test for each way of being damaged.

use std::string::ToString;
use std::vec::Vec;

use crate::kernel::{Kernel, KernelError, MAX_SEGMENTS, Segment, SegmentFault, Tls};
use crate::paging::Access;
use crate::range::VirtRange;
use crate::tests::sample::{
    self, BASE, CONFIG, PROGRAM_HEADER_LEN, PROGRAM_HEADERS, SECTION_HEADERS, put,
};

/// What is said about the sample kernel after `bytes` were written at `at`.
fn after(at: usize, bytes: &[u8]) -> KernelError {
    let mut file = sample::kernel();
    put(&mut file, at, bytes);
    Kernel::read(&file).expect_err("the damage is to be seen")
}

/// What is said after a field of a program header was changed.
fn after_header(header: usize, field: usize, value: u64) -> KernelError {
    after(
        PROGRAM_HEADERS + header * PROGRAM_HEADER_LEN + field,
        &value.to_le_bytes(),
    )
}

fn segment(header: usize, fault: SegmentFault) -> KernelError {
    KernelError::Segment { header, fault }
}

const OFFSET: usize = 8;
const ADDRESS: usize = 16;
const FILE_LEN: usize = 32;
const MEMORY_LEN: usize = 40;

#[test]
fn a_whole_kernel_is_read_as_it_is() {
    let file = sample::kernel();
    let kernel = Kernel::read(&file).expect("the sample is whole");
    assert_eq!(kernel.entry, BASE + 0x1010);
    assert_eq!(kernel.image(), VirtRange::between(BASE, BASE + 0x5000));
    let accesses: Vec<_> = kernel
        .segments
        .iter()
        .map(|segment| segment.access)
        .collect();
    assert_eq!(
        accesses,
        [Access::ReadOnly, Access::ReadExecute, Access::ReadWrite]
    );
    let data = Segment {
        file: 0x3010..0x3410,
        memory: VirtRange::between(BASE + 0x2010, BASE + 0x4810),
        pages: VirtRange::between(BASE + 0x2000, BASE + 0x5000),
        access: Access::ReadWrite,
    };
    assert_eq!(kernel.segments[2], data);
    assert_eq!(
        kernel.tls,
        Some(Tls {
            start: BASE + 0x2010,
            file_len: 0x10,
            memory_len: 0x20
        })
    );
    assert_eq!(kernel.config, Some(&file[CONFIG..CONFIG + 133]));
}

#[test]
fn what_is_no_elf_file_is_refused() {
    assert_eq!(Kernel::read(b"").unwrap_err(), KernelError::NotElf);
    assert_eq!(
        Kernel::read(b"#!/bin/sh\n").unwrap_err(),
        KernelError::NotElf
    );
    assert_eq!(after(0, b"\x7fELK"), KernelError::NotElf);
}

#[test]
fn elf_files_of_other_kinds_are_refused() {
    assert_eq!(after(4, &[1]), KernelError::Class(1));
    assert_eq!(after(5, &[2]), KernelError::Encoding(2));
    assert_eq!(after(6, &[2]), KernelError::Version(2));
    assert_eq!(after(16, &[3]), KernelError::Type(3));
    assert_eq!(after(18, &[183]), KernelError::Machine(183));
}

#[test]
fn headers_outside_the_file_are_refused() {
    assert_eq!(
        after(32, &(1_u64 << 40).to_le_bytes()),
        KernelError::Headers
    );
    assert_eq!(
        after(40, &(u64::MAX - 7).to_le_bytes()),
        KernelError::Headers
    );
    assert_eq!(after(54, &[57]), KernelError::Headers);
    assert_eq!(after(56, &[0xff, 0x7f]), KernelError::Headers);
}

#[test]
fn a_kernel_cut_short_anywhere_is_refused() {
    let file = sample::kernel();
    for len in 0..file.len() {
        assert!(Kernel::read(&file[..len]).is_err(), "cut to {len} bytes");
    }
}

#[test]
fn a_kernel_that_wants_a_dynamic_linker_is_refused() {
    for kind in [2, 3] {
        assert_eq!(after(PROGRAM_HEADERS, &[kind]), KernelError::Dynamic);
    }
}

#[test]
fn a_kernel_with_nothing_to_load_is_refused() {
    assert_eq!(after(32, &0_u64.to_le_bytes()), KernelError::NoSegment);
    assert_eq!(after(56, &[0, 0]), KernelError::NoSegment);
}

#[test]
fn more_segments_than_there_is_room_for_are_refused() {
    let mut file = sample::kernel();
    let table = file.len();
    let count = MAX_SEGMENTS as u16 + 1;
    for index in 0..u64::from(count) {
        let mut header = Vec::from([1, 0, 0, 0, 4, 0, 0, 0]);
        for field in [0, BASE + index * 0x1000, 0, 1, 1, 0x1000] {
            header.extend(u64::to_le_bytes(field));
        }
        file.extend(header);
    }
    put(&mut file, 32, &(table as u64).to_le_bytes());
    put(&mut file, 56, &count.to_le_bytes());
    assert_eq!(
        Kernel::read(&file).unwrap_err(),
        KernelError::TooManySegments
    );
}

#[test]
fn a_segment_outside_the_file_is_refused() {
    let fault = SegmentFault::OutsideFile {
        offset: 0x10_0000,
        len: 0x800,
    };
    assert_eq!(after_header(0, OFFSET, 0x10_0000), segment(0, fault));
    let fault = SegmentFault::OutsideFile {
        offset: u64::MAX - 0xfff,
        len: 0x800,
    };
    assert_eq!(after_header(0, OFFSET, u64::MAX - 0xfff), segment(0, fault));
    let fault = SegmentFault::OutsideFile {
        offset: 0x1000,
        len: u64::MAX,
    };
    assert_eq!(after_header(0, FILE_LEN, u64::MAX), segment(0, fault));
}

#[test]
fn a_segment_with_more_bytes_than_memory_is_refused() {
    assert_eq!(
        after_header(1, MEMORY_LEN, 0xbff),
        segment(1, SegmentFault::LargerInFile)
    );
}

#[test]
fn a_segment_that_wraps_around_is_refused() {
    let fault = segment(2, SegmentFault::WrapsAround);
    assert_eq!(after_header(2, MEMORY_LEN, u64::MAX), fault);
    assert_eq!(after_header(2, MEMORY_LEN, u64::MAX - BASE - 0x2010), fault);
}

#[test]
fn a_segment_in_the_lower_half_is_refused() {
    assert_eq!(
        after_header(0, ADDRESS, 0x1000),
        segment(0, SegmentFault::LowerHalf(0x1000))
    );
}

#[test]
fn a_segment_whose_bytes_do_not_line_up_with_its_pages_is_refused() {
    assert_eq!(
        after_header(1, OFFSET, 0x2010),
        segment(1, SegmentFault::Misaligned)
    );
}

#[test]
fn a_segment_that_is_writable_and_executable_is_refused() {
    let flags = PROGRAM_HEADERS + PROGRAM_HEADER_LEN + 4;
    assert_eq!(
        after(flags, &[7]),
        segment(1, SegmentFault::WritableAndExecutable)
    );
    assert_eq!(
        after(flags, &[3]),
        segment(1, SegmentFault::WritableAndExecutable)
    );
}

#[test]
fn a_segment_that_is_not_readable_is_refused() {
    let flags = PROGRAM_HEADERS + PROGRAM_HEADER_LEN + 4;
    assert_eq!(after(flags, &[1]), segment(1, SegmentFault::Unreadable));
}

#[test]
fn segments_that_share_a_page_or_are_out_of_order_are_refused() {
    let fault = segment(1, SegmentFault::Overlaps);
    assert_eq!(after_header(0, MEMORY_LEN, 0x1001), fault);
    assert_eq!(after_header(0, ADDRESS, BASE + 0x8000), fault);
    // Apart by their bytes, but not by their pages.
    let mut file = sample::kernel();
    let code = PROGRAM_HEADERS + PROGRAM_HEADER_LEN;
    put(&mut file, code + OFFSET, &0x2900_u64.to_le_bytes());
    put(&mut file, code + ADDRESS, &(BASE + 0x900).to_le_bytes());
    assert_eq!(Kernel::read(&file).unwrap_err(), fault);
}

#[test]
fn an_entry_point_that_is_no_code_is_refused() {
    for entry in [0, BASE, BASE + 0x1c00, BASE + 0x2010] {
        assert_eq!(after(24, &entry.to_le_bytes()), KernelError::Entry(entry));
    }
}

#[test]
fn a_tls_template_outside_the_segments_is_refused() {
    assert_eq!(
        after_header(3, ADDRESS, BASE + 0x9000),
        KernelError::Tls(BASE + 0x9000)
    );
    assert_eq!(
        after_header(3, FILE_LEN, u64::MAX),
        KernelError::Tls(BASE + 0x2010)
    );
    assert_eq!(
        after_header(3, MEMORY_LEN, 0xf),
        KernelError::Tls(BASE + 0x2010)
    );
}

#[test]
fn a_configuration_outside_the_file_is_refused() {
    let size = SECTION_HEADERS + 64 + 32;
    assert_eq!(after(size, &u64::MAX.to_le_bytes()), KernelError::Config);
}

#[test]
fn a_kernel_without_a_configuration_has_none() {
    let mut file = sample::kernel();
    put(&mut file, 0x3441, b".bootloader-konfig");
    assert_eq!(Kernel::read(&file).expect("still a kernel").config, None);
}

#[test]
fn the_message_names_the_header_and_what_is_wrong_with_it() {
    let message = after_header(0, OFFSET, 0x10_0000).to_string();
    assert_eq!(
        message,
        "program header 0: 0x800 bytes at offset 0x100000 lie outside the file"
    );
}
