//! The start information of the PVH boot protocol.
//!
//! The layouts are those of Xen's `xen/include/public/arch-x86/hvm/start_info.h`; QEMU's firmware
//! fills them in. The records point at each other by physical address; this module turns each one's
//! bytes into values and names the ranges to read next, the loader reads them.

use core::fmt;

use crate::memory_map::{MAX_RECORDS, MemoryMapError, RECORD_LEN};
use crate::range::PhysRange;

/// The first word of `hvm_start_info`: "xEn3" with the top bit of the E set.
pub const MAGIC: u32 = 0x336e_c578;

/// The length of `hvm_start_info` with a memory map, which version 1 brought, in bytes.
pub const START_INFO_LEN: u64 = 56;

/// The length of one `hvm_modlist_entry`, in bytes.
pub const MODULE_LEN: u64 = 32;

/// The loader reads what lies below this address; QEMU puts all of it there.
pub const REACH: u64 = 1 << 32;

/// The loader writes from this address on: its own code and what the firmware left lie below.
pub const WRITABLE_FROM: u64 = 2 << 20;

/// The longest command line in bytes, its NUL not counted.
pub const MAX_COMMAND_LINE: u64 = 16 * 1024;

/// Which record a [`StartInfoError`] speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// `hvm_start_info` itself.
    StartInfo,
    /// The array of `hvm_modlist_entry`.
    ModuleList,
    /// The bytes of the first module: the kernel.
    Module,
    /// The command line.
    CommandLine,
}

/// Why the start information is no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartInfoError {
    /// The record is shorter than its layout.
    Short {
        /// Which record.
        record: Record,
        /// How many bytes there were.
        len: usize,
    },
    /// The first word is not [`MAGIC`].
    Magic {
        /// The word found.
        found: u32,
    },
    /// There is no module, so no kernel.
    NoModule,
    /// The first module has no bytes.
    EmptyModule,
    /// The record does not lie between address 1 and [`REACH`].
    OutOfReach {
        /// Which record.
        record: Record,
        /// Its physical address.
        address: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// The command line has no NUL within [`MAX_COMMAND_LINE`] bytes.
    CommandLineTooLong,
}

impl fmt::Display for StartInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Short { record, len } => write!(f, "{record:?} has only {len} bytes"),
            Self::Magic { found } => {
                write!(f, "start info begins with {found:#x} instead of {MAGIC:#x}")
            }
            Self::NoModule => f.write_str("no module: the kernel is to be given with -initrd"),
            Self::EmptyModule => f.write_str("the first module, the kernel, is empty"),
            Self::OutOfReach {
                record,
                address,
                len,
            } => {
                write!(
                    f,
                    "{record:?} at {address:#x} with {len:#x} bytes is out of reach"
                )
            }
            Self::CommandLineTooLong => {
                write!(
                    f,
                    "the command line has no end within {MAX_COMMAND_LINE} bytes"
                )
            }
        }
    }
}

/// What `hvm_start_info` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartInfo {
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    version: u32,
    memory_map: u64,
    memory_map_entries: u32,
}

impl StartInfo {
    /// Reads the record from its bytes.
    ///
    /// # Errors
    /// [`StartInfoError::Short`] or [`StartInfoError::Magic`].
    pub fn read(bytes: &[u8]) -> Result<Self, StartInfoError> {
        let short = StartInfoError::Short {
            record: Record::StartInfo,
            len: bytes.len(),
        };
        let found = u32_at(bytes, 0).ok_or(short)?;
        if found != MAGIC {
            return Err(StartInfoError::Magic { found });
        }
        (|| {
            Some(Self {
                version: u32_at(bytes, 4)?,
                modules: u32_at(bytes, 12)?,
                module_list: u64_at(bytes, 16)?,
                command_line: u64_at(bytes, 24)?,
                rsdp: u64_at(bytes, 32)?,
                memory_map: u64_at(bytes, 40)?,
                memory_map_entries: u32_at(bytes, 48)?,
            })
        })()
        .ok_or(short)
    }

    /// Where the first entry of the module list is.
    ///
    /// # Errors
    /// [`StartInfoError::NoModule`], [`StartInfoError::OutOfReach`].
    pub fn first_module(&self) -> Result<PhysRange, StartInfoError> {
        if self.modules == 0 {
            return Err(StartInfoError::NoModule);
        }
        reachable(Record::ModuleList, self.module_list, MODULE_LEN)
    }

    /// Where the command line begins and how far to look for its NUL; none if there is none.
    #[must_use]
    pub fn command_line(&self) -> Option<PhysRange> {
        let start = self.command_line;
        let end = start.saturating_add(MAX_COMMAND_LINE + 1).min(REACH);
        (start != 0).then_some(PhysRange::between(start, end))
    }

    /// The physical address of ACPI's root pointer, if the firmware passed it.
    #[must_use]
    pub fn rsdp(&self) -> Option<u64> {
        (self.rsdp != 0).then_some(self.rsdp)
    }

    /// Where the records of the memory map are.
    ///
    /// # Errors
    /// [`MemoryMapError::Absent`], [`MemoryMapError::TooMany`], [`MemoryMapError::OutOfReach`].
    pub fn memory_map(&self) -> Result<PhysRange, MemoryMapError> {
        let (address, entries) = (self.memory_map, self.memory_map_entries);
        if self.version == 0 || address == 0 || entries == 0 {
            return Err(MemoryMapError::Absent {
                version: self.version,
            });
        }
        if entries as usize > MAX_RECORDS {
            return Err(MemoryMapError::TooMany { records: entries });
        }
        PhysRange::new(address, u64::from(entries) * RECORD_LEN)
            .filter(|range| range.end() <= REACH)
            .ok_or(MemoryMapError::OutOfReach { address })
    }
}

/// Where the module is that the first entry of the module list describes.
///
/// # Errors
/// [`StartInfoError::Short`], [`StartInfoError::EmptyModule`], [`StartInfoError::OutOfReach`].
pub fn module(entry: &[u8]) -> Result<PhysRange, StartInfoError> {
    let short = StartInfoError::Short {
        record: Record::ModuleList,
        len: entry.len(),
    };
    let address = u64_at(entry, 0).ok_or(short)?;
    let len = u64_at(entry, 8).ok_or(short)?;
    if len == 0 {
        return Err(StartInfoError::EmptyModule);
    }
    reachable(Record::Module, address, len)
}

/// The command line itself, of the bytes from its beginning on.
///
/// # Errors
/// [`StartInfoError::CommandLineTooLong`] if no NUL ends it.
pub fn until_nul(bytes: &[u8]) -> Result<&[u8], StartInfoError> {
    let end = bytes.iter().position(|&byte| byte == 0);
    end.map(|end| &bytes[..end])
        .ok_or(StartInfoError::CommandLineTooLong)
}

/// The range, if the loader can read it and it does not begin at address 0.
///
/// # Errors
/// [`StartInfoError::OutOfReach`].
pub fn reachable(record: Record, address: u64, len: u64) -> Result<PhysRange, StartInfoError> {
    PhysRange::new(address, len)
        .filter(|range| range.start() != 0 && range.end() <= REACH)
        .ok_or(StartInfoError::OutOfReach {
            record,
            address,
            len,
        })
}

/// The little-endian 32-bit word at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..offset.checked_add(4)?)?;
    word.try_into().ok().map(u32::from_le_bytes)
}

/// The little-endian 64-bit word at `offset`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let word = bytes.get(offset..offset.checked_add(8)?)?;
    word.try_into().ok().map(u64::from_le_bytes)
}
