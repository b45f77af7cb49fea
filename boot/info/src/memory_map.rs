//! The memory map that the firmware passes: sorted, and free of contradictions.
//!
//! A record is an `hvm_memmap_table_entry`; its types are those of E820 (ACPI specification,
//! "Address Range Types"). Records come in any order and may be empty. Records that overlap are
//! refused: a loader that guesses which one is right may hand out a device's window as memory.

use core::fmt;

use heapless::Vec;

use crate::range::{PAGE, PhysRange};
use crate::start_info::{u32_at, u64_at};

/// The length of one `hvm_memmap_table_entry`, in bytes.
pub const RECORD_LEN: u64 = 24;

/// Physical addresses have 52 bits at most (SDM Vol. 3A, "Paging and Memory Typing").
const PHYSICAL_END: u64 = 1 << 52;

/// The most records that are read.
pub const MAX_RECORDS: usize = 128;

/// Why the memory map is no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryMapError {
    /// The start information has no memory map (version 0 has no place for one).
    Absent {
        /// The version of the start information.
        version: u32,
    },
    /// The map has more than [`MAX_RECORDS`] records.
    TooMany {
        /// How many it has.
        records: u32,
    },
    /// The map does not lie where the loader can read it.
    OutOfReach {
        /// Its physical address.
        address: u64,
    },
    /// The bytes are not a whole number of records.
    Short {
        /// How many bytes there are.
        len: usize,
    },
    /// A record reaches beyond the 52 bits of a physical address, or wraps around.
    TooHigh {
        /// Which record, counted from 0.
        record: usize,
        /// Its physical address.
        address: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// Two records claim the same address.
    Overlap {
        /// The first address that both claim.
        address: u64,
    },
    /// There is not one whole page of memory.
    NoMemory,
}

impl fmt::Display for MemoryMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Absent { version } => {
                write!(f, "start info of version {version} has no memory map")
            }
            Self::TooMany { records } => {
                write!(
                    f,
                    "memory map has {records} records, more than {MAX_RECORDS}"
                )
            }
            Self::OutOfReach { address } => write!(f, "memory map at {address:#x} is out of reach"),
            Self::Short { len } => {
                write!(
                    f,
                    "memory map of {len} bytes is not a number of whole records"
                )
            }
            Self::TooHigh {
                record,
                address,
                len,
            } => {
                write!(
                    f,
                    "memory map's record {record} ({address:#x}, {len:#x} bytes) is too high"
                )
            }
            Self::Overlap { address } => {
                write!(f, "memory map claims address {address:#x} twice")
            }
            Self::NoMemory => f.write_str("memory map has no whole page of memory"),
        }
    }
}

/// What a range of physical addresses is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ordinary memory.
    Memory,
    /// Reserved: firmware, its tables, or a device's window.
    Reserved,
    /// Memory that holds ACPI tables.
    AcpiTables,
    /// Memory that ACPI keeps for itself.
    AcpiStorage,
    /// Anything else, by its E820 type.
    Other(u32),
}

impl Kind {
    fn of(e820_type: u32) -> Self {
        match e820_type {
            1 => Self::Memory,
            2 => Self::Reserved,
            3 => Self::AcpiTables,
            4 => Self::AcpiStorage,
            other => Self::Other(other),
        }
    }

    /// The E820 type.
    #[must_use]
    pub fn e820_type(self) -> u32 {
        match self {
            Self::Memory => 1,
            Self::Reserved => 2,
            Self::AcpiTables => 3,
            Self::AcpiStorage => 4,
            Self::Other(other) => other,
        }
    }
}

/// A range of physical addresses and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The addresses; not empty.
    pub range: PhysRange,
    /// What they are.
    pub kind: Kind,
}

/// A memory map whose entries are sorted, not empty and do not overlap.
#[derive(Clone, Debug)]
pub struct MemoryMap {
    entries: Vec<Entry, MAX_RECORDS>,
}

impl MemoryMap {
    /// Reads the records from their bytes.
    ///
    /// # Errors
    /// All but [`MemoryMapError::Absent`] and [`MemoryMapError::OutOfReach`].
    pub fn read(bytes: &[u8]) -> Result<Self, MemoryMapError> {
        let mut entries = Vec::<Entry, MAX_RECORDS>::new();
        let records = bytes.chunks(RECORD_LEN as usize);
        let too_many = MemoryMapError::TooMany {
            records: records.len() as u32,
        };
        for (record, fields) in records.enumerate() {
            let short = MemoryMapError::Short { len: bytes.len() };
            let entry = read_record(record, fields).ok_or(short)??;
            if !entry.range.is_empty() {
                entries.push(entry).map_err(|_| too_many)?;
            }
        }
        entries.sort_unstable_by_key(|entry| entry.range.start());
        for pair in entries.windows(2) {
            if pair[0].range.overlaps(&pair[1].range) {
                return Err(MemoryMapError::Overlap {
                    address: pair[1].range.start(),
                });
            }
        }
        let map = Self { entries };
        if map.memory().all(|range| range.pages_inside().is_empty()) {
            return Err(MemoryMapError::NoMemory);
        }
        Ok(map)
    }

    /// The entries, sorted by address.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The ranges of ordinary memory, sorted by address.
    pub fn memory(&self) -> impl Iterator<Item = PhysRange> + '_ {
        self.entries
            .iter()
            .filter(|entry| entry.kind == Kind::Memory)
            .map(|entry| entry.range)
    }

    /// Whether all of `range` is ordinary memory in one piece.
    #[must_use]
    pub fn is_memory(&self, range: PhysRange) -> bool {
        self.memory()
            .any(|memory| memory.start() <= range.start() && range.end() <= memory.end())
    }

    /// The largest run of whole pages of memory within `within` that touches none of `taken`.
    #[must_use]
    pub fn largest_hole(&self, within: PhysRange, taken: &[PhysRange]) -> Option<PhysRange> {
        let mut largest: Option<PhysRange> = None;
        for memory in self.memory() {
            let start = memory.start().max(within.start());
            let memory = PhysRange::between(start, memory.end().min(within.end())).pages_inside();
            for_each_hole(memory, taken, &mut |hole| {
                if hole.len() >= PAGE && largest.is_none_or(|best| hole.len() > best.len()) {
                    largest = Some(hole);
                }
            });
        }
        largest
    }
}

fn read_record(record: usize, fields: &[u8]) -> Option<Result<Entry, MemoryMapError>> {
    let (address, len) = (u64_at(fields, 0)?, u64_at(fields, 8)?);
    let kind = Kind::of(u32_at(fields, 16)?);
    u32_at(fields, 20)?;
    let range = PhysRange::new(address, len).filter(|range| range.end() <= PHYSICAL_END);
    let too_high = MemoryMapError::TooHigh {
        record,
        address,
        len,
    };
    Some(range.map(|range| Entry { range, kind }).ok_or(too_high))
}

/// Visits the parts of `range`, which consists of whole pages, that no page of `taken` touches.
pub(crate) fn for_each_hole(
    range: PhysRange,
    taken: &[PhysRange],
    visit: &mut impl FnMut(PhysRange),
) {
    let mut start = range.start();
    while start < range.end() {
        // The taken range that covers `start`, or else the nearest one above it, bounds the hole.
        let pages = || {
            taken
                .iter()
                .filter_map(PhysRange::pages_around)
                .filter(|r| !r.is_empty())
        };
        if let Some(covering) = pages().find(|taken| taken.contains(start)) {
            start = covering.end();
            continue;
        }
        let end = pages()
            .map(|taken| taken.start())
            .filter(|&taken| taken > start)
            .min();
        let end = end.map_or(range.end(), |end| end.min(range.end()));
        visit(PhysRange::between(start, end));
        start = end;
    }
}
