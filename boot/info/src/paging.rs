//! Page tables: from a list of mappings to the entries of four levels of tables.
//!
//! [`map`] is told where tables live by a [`TableMemory`]: the loader reaches them through its
//! identity mapping, the tests keep them in a vector. It always takes the largest page that
//! alignment and the CPU allow. An address is never mapped twice.

use core::fmt;

use x86_64::structures::paging::{PageTable, PageTableFlags as Flags};
use x86_64::{PhysAddr, VirtAddr};

use crate::range::{PAGE, PhysRange, VirtRange};

/// What a mapping allows. Writable and executable at once cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Data that stays as it is.
    ReadOnly,
    /// Data.
    ReadWrite,
    /// Code.
    ReadExecute,
}

impl Access {
    fn flags(self) -> Flags {
        Flags::PRESENT
            | match self {
                Self::ReadOnly => Flags::NO_EXECUTE,
                Self::ReadWrite => Flags::NO_EXECUTE | Flags::WRITABLE,
                Self::ReadExecute => Flags::empty(),
            }
    }
}

/// Which page sizes the CPU knows beside 4 KiB and 2 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargestPage {
    /// None.
    Mib2,
    /// 1 GiB (CPUID 8000_0001h, EDX bit 26).
    Gib1,
}

/// Whole pages of virtual addresses and the memory behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first virtual address; a multiple of [`PAGE`].
    pub virt: u64,
    /// The memory, in whole pages.
    pub phys: PhysRange,
    /// What is allowed.
    pub access: Access,
}

impl Mapping {
    /// The virtual addresses; none where they do not fit 64 bits.
    #[must_use]
    pub fn range(&self) -> Option<VirtRange> {
        VirtRange::new(self.virt, self.phys.len())
    }
}

/// Why a mapping cannot be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// No frame is left for a table.
    NoMemory,
    /// The address is mapped already.
    AlreadyMapped(u64),
    /// The address is not canonical, or not a multiple of [`PAGE`], or the range wraps around.
    Address(u64),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoMemory => f.write_str("no memory left for a table"),
            Self::AlreadyMapped(address) => write!(f, "address {address:#x} is mapped twice"),
            Self::Address(address) => write!(f, "address {address:#x} cannot be mapped"),
        }
    }
}

/// Where page tables live.
pub trait TableMemory {
    /// The physical address of a fresh table, all of whose entries are zero.
    fn allocate(&mut self) -> Option<PhysAddr>;

    /// The table at `address`, which [`allocate`](Self::allocate) returned.
    fn table(&mut self, address: PhysAddr) -> &mut PageTable;
}

/// Enters `mapping` into the tables whose root (level 4) is at `root`.
///
/// # Errors
/// See [`MapError`]. After an error the tables hold a part of the mapping.
pub fn map(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    mapping: &Mapping,
    largest: LargestPage,
) -> Result<(), MapError> {
    let aligned = mapping.virt.is_multiple_of(PAGE) && mapping.phys.start().is_multiple_of(PAGE);
    let range = mapping
        .range()
        .filter(|_| aligned)
        .ok_or(MapError::Address(mapping.virt))?;
    let (mut virt, mut phys) = (range.start(), mapping.phys.start());
    while virt < range.end() {
        let level = level_for(virt | phys, range.end() - virt, largest);
        map_one(memory, root, virt, phys, level, mapping.access)?;
        virt = virt.saturating_add(page_size(level));
        phys += page_size(level);
    }
    Ok(())
}

/// The size of a page that an entry of a table of `level` maps (1: 4 KiB, 2: 2 MiB, 3: 1 GiB).
fn page_size(level: u32) -> u64 {
    PAGE << (9 * (level - 1))
}

/// The highest level whose page fits: the addresses' low bits are zero and enough is left.
fn level_for(addresses: u64, left: u64, largest: LargestPage) -> u32 {
    let highest = match largest {
        LargestPage::Mib2 => 2,
        LargestPage::Gib1 => 3,
    };
    let fits =
        |level: &u32| addresses.is_multiple_of(page_size(*level)) && left >= page_size(*level);
    (2..=highest).rev().find(fits).unwrap_or(1)
}

fn map_one(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    virt: u64,
    phys: u64,
    leaf: u32,
    access: Access,
) -> Result<(), MapError> {
    let address = VirtAddr::try_new(virt).map_err(|_| MapError::Address(virt))?;
    let frame = PhysAddr::try_new(phys).map_err(|_| MapError::Address(virt))?;
    let mut table = root;
    for level in (leaf + 1..=4).rev() {
        let entry = memory.table(table)[index(address, level)].clone();
        table = if entry.is_unused() {
            let fresh = memory.allocate().ok_or(MapError::NoMemory)?;
            // Rights are decided by the leaf alone, so the levels above allow everything.
            let flags = Flags::PRESENT | Flags::WRITABLE;
            memory.table(table)[index(address, level)].set_addr(fresh, flags);
            fresh
        } else if entry.flags().contains(Flags::HUGE_PAGE) {
            return Err(MapError::AlreadyMapped(virt));
        } else {
            entry.addr()
        };
    }
    let entry = &mut memory.table(table)[index(address, leaf)];
    if !entry.is_unused() {
        return Err(MapError::AlreadyMapped(virt));
    }
    let size = if leaf > 1 {
        Flags::HUGE_PAGE
    } else {
        Flags::empty()
    };
    entry.set_addr(frame, access.flags() | size);
    Ok(())
}

fn index(address: VirtAddr, level: u32) -> usize {
    (address.as_u64() >> (12 + 9 * (level - 1))) as usize & 0x1ff
}
