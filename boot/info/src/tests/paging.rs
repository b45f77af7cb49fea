//! Page tables: the largest page that fits, rights as asked, and nothing twice.

use std::vec::Vec;

use x86_64::PhysAddr;

use crate::paging::{Access, LargestPage, MapError, Mapping, TableMemory, map};
use crate::range::PhysRange;
use crate::tests::sample::TestTables;

const KIB4: u64 = 4 << 10;
const MIB2: u64 = 2 << 20;
const GIB1: u64 = 1 << 30;
const VIRT: u64 = 0xffff_8000_0000_0000;

fn empty() -> (TestTables, PhysAddr) {
    let mut tables = TestTables::default();
    let root = tables.allocate().expect("there is no limit");
    (tables, root)
}

fn mapping(virt: u64, phys: u64, len: u64) -> Mapping {
    let phys = PhysRange::new(phys, len).expect("small");
    Mapping {
        virt,
        phys,
        access: Access::ReadWrite,
    }
}

/// The sizes of the pages that a mapping of `len` bytes takes.
fn sizes(virt: u64, phys: u64, len: u64, largest: LargestPage) -> Vec<u64> {
    let (mut tables, root) = empty();
    map(&mut tables, root, &mapping(virt, phys, len), largest).expect("nothing else is mapped");
    let leaves = tables.leaves(root);
    let total: u64 = leaves.iter().map(|leaf| leaf.len).sum();
    assert_eq!(total, len);
    assert!(
        leaves
            .iter()
            .all(|leaf| leaf.virt - virt == leaf.phys - phys)
    );
    leaves.iter().map(|leaf| leaf.len).collect()
}

#[test]
fn the_largest_page_that_fits_is_taken() {
    assert_eq!(sizes(VIRT, 0, KIB4, LargestPage::Gib1), [KIB4]);
    assert_eq!(sizes(VIRT, 0, MIB2 + KIB4, LargestPage::Gib1), [MIB2, KIB4]);
    assert_eq!(sizes(VIRT, 0, GIB1 + MIB2, LargestPage::Gib1), [GIB1, MIB2]);
    assert_eq!(sizes(VIRT, 0, GIB1, LargestPage::Mib2).len(), 512);
}

#[test]
fn pages_grow_and_shrink_again_at_unaligned_ends() {
    let start = MIB2 - KIB4;
    let pages = sizes(VIRT + start, start, KIB4 + MIB2 + KIB4, LargestPage::Gib1);
    assert_eq!(pages, [KIB4, MIB2, KIB4]);
}

#[test]
fn addresses_that_do_not_line_up_get_small_pages() {
    assert_eq!(sizes(VIRT + KIB4, 0, MIB2, LargestPage::Gib1).len(), 512);
}

#[test]
fn the_highest_addresses_can_be_mapped() {
    let last = 0xffff_ffff_ffff_e000;
    assert_eq!(sizes(last, 0x1000, KIB4, LargestPage::Gib1), [KIB4]);
}

#[test]
fn rights_are_as_asked() {
    let cases = [
        (Access::ReadOnly, false, false),
        (Access::ReadWrite, true, false),
        (Access::ReadExecute, false, true),
    ];
    for (access, writable, executable) in cases {
        let (mut tables, root) = empty();
        let mapping = Mapping {
            access,
            ..mapping(VIRT, MIB2, MIB2)
        };
        map(&mut tables, root, &mapping, LargestPage::Mib2).expect("nothing else is mapped");
        let leaf = tables.leaf(root, VIRT).expect("just mapped");
        assert_eq!(
            (leaf.is_writable(), leaf.is_executable()),
            (writable, executable)
        );
    }
}

#[test]
fn an_address_is_never_mapped_twice() {
    let (mut tables, root) = empty();
    let mut add = |mapping| map(&mut tables, root, &mapping, LargestPage::Mib2);
    assert_eq!(add(mapping(VIRT, 0, MIB2)), Ok(()));
    assert_eq!(
        add(mapping(VIRT, MIB2, MIB2)),
        Err(MapError::AlreadyMapped(VIRT))
    );
    let within = VIRT + KIB4;
    assert_eq!(
        add(mapping(within, 0, KIB4)),
        Err(MapError::AlreadyMapped(within))
    );
    assert_eq!(add(mapping(VIRT + MIB2, 0, KIB4)), Ok(()));
    let around = mapping(VIRT + MIB2, MIB2, MIB2);
    assert_eq!(add(around), Err(MapError::AlreadyMapped(VIRT + MIB2)));
}

#[test]
fn addresses_that_cannot_be_mapped_are_refused() {
    let (mut tables, root) = empty();
    let mut add = |mapping| map(&mut tables, root, &mapping, LargestPage::Mib2);
    let hole = 0x8000_0000_0000;
    assert_eq!(add(mapping(hole, 0, KIB4)), Err(MapError::Address(hole)));
    assert_eq!(
        add(mapping(VIRT + 1, 0, KIB4)),
        Err(MapError::Address(VIRT + 1))
    );
    assert_eq!(add(mapping(VIRT, 1, KIB4)), Err(MapError::Address(VIRT)));
    let top = 0_u64.wrapping_sub(KIB4);
    assert_eq!(add(mapping(top, 0, MIB2)), Err(MapError::Address(top)));
}

#[test]
fn running_out_of_tables_is_an_error() {
    for limit in 1..4 {
        let (mut tables, root) = empty();
        tables.limit = Some(limit);
        let result = map(
            &mut tables,
            root,
            &mapping(VIRT, 0, KIB4),
            LargestPage::Mib2,
        );
        assert_eq!(result, Err(MapError::NoMemory));
    }
}
