//! What a disk is made of.

use core::fmt;

/// Bytes in a sector: Virtual I/O Device (VIRTIO) Version 1.2, "Block Device" (5.2), whatever the
/// device's own block size.
pub const SECTOR_BYTES: usize = 512;

/// A device of sectors.
pub trait Sectors {
    /// How many sectors there are.
    fn count(&self) -> u64;

    /// Reads whole sectors, the first of them `first`, into all of `into`.
    ///
    /// Callers ask for at least one sector, for a multiple of [`SECTOR_BYTES`], and for no sector
    /// past the last.
    ///
    /// # Errors
    /// [`Fault`]; what is in `into` then means nothing.
    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault>;
}

/// Why a device did not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device reports that it cannot read there.
    DeviceError,
    /// The device does not know the request.
    Unsupported,
    /// The device answered something else than it was asked.
    Nonsense,
    /// The device did not answer in time, now or before.
    TimedOut,
    /// There is no memory for the transfer.
    NoMemory,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::DeviceError => "the device reports an error",
            Fault::Unsupported => "the device does not support reading",
            Fault::Nonsense => "the device answered what it was not asked",
            Fault::TimedOut => "the device does not answer",
            Fault::NoMemory => "no memory for the transfer",
        })
    }
}
