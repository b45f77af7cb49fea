//! Any bytes of a device that only reads whole sectors.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use ext4_view::Ext4Read;

use crate::sectors::{Fault, SECTOR_BYTES, Sectors};

const SECTOR: u64 = SECTOR_BYTES as u64;

/// Reads ranges of bytes from a device of sectors.
///
/// It keeps the last sector that it had to read for a part of it, because a file system reads its
/// tables in small pieces, one after the other.
pub struct Reader<S> {
    device: S,
    faults: Arc<AtomicU32>,
    kept: [u8; SECTOR_BYTES],
    kept_sector: Option<u64>,
}

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The device did not deliver.
    Device {
        /// The first sector of the request that failed.
        sector: u64,
        /// What happened.
        fault: Fault,
    },
    /// The disk has no such bytes.
    PastEnd {
        /// The first byte asked for.
        start: u64,
        /// How many bytes were asked for.
        length: usize,
        /// How many sectors the disk has.
        sectors: u64,
    },
}

impl<S: Sectors> Reader<S> {
    /// Puts a reader before a device.
    pub fn new(device: S) -> Self {
        Reader {
            device,
            faults: Arc::default(),
            kept: [0; SECTOR_BYTES],
            kept_sector: None,
        }
    }

    /// How many requests have failed, as it will be known.
    pub fn faults(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.faults)
    }

    /// How many sectors the device has.
    pub fn sectors(&self) -> u64 {
        self.device.count()
    }

    /// Fills `into` with the bytes from `start` on.
    ///
    /// # Errors
    /// [`ReadError`]: they are not all on the device, or the device failed.
    pub fn read_bytes(&mut self, start: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.check(start, into.len())?;
        let (mut at, mut rest) = (start, into);
        while !rest.is_empty() {
            let whole = rest.len() - rest.len() % SECTOR_BYTES;
            let taken = if at.is_multiple_of(SECTOR) && whole > 0 {
                self.read_sectors(at / SECTOR, &mut rest[..whole])?;
                whole
            } else {
                self.read_part(at, rest)?
            };
            at += taken as u64;
            rest = &mut rest[taken..];
        }
        Ok(())
    }

    /// Checks that the disk is long enough.
    fn check(&self, start: u64, length: usize) -> Result<(), ReadError> {
        let sectors = self.sectors();
        let end = start.checked_add(length as u64);
        if end.is_some_and(|end| end.div_ceil(SECTOR) <= sectors) {
            Ok(())
        } else {
            Err(ReadError::PastEnd {
                start,
                length,
                sectors,
            })
        }
    }

    /// Fills the start of `into` from the one sector that `at` lies in; returns how much it was.
    fn read_part(&mut self, at: u64, into: &mut [u8]) -> Result<usize, ReadError> {
        let sector = at / SECTOR;
        if self.kept_sector != Some(sector) {
            self.kept_sector = None;
            let read = self.device.read(sector, &mut self.kept);
            read.map_err(|fault| ReadError::Device { sector, fault })?;
            self.kept_sector = Some(sector);
        }
        let skipped = (at % SECTOR) as usize;
        let length = into.len().min(SECTOR_BYTES - skipped);
        into[..length].copy_from_slice(&self.kept[skipped..skipped + length]);
        Ok(length)
    }

    fn read_sectors(&mut self, sector: u64, into: &mut [u8]) -> Result<(), ReadError> {
        let read = self.device.read(sector, into);
        read.map_err(|fault| ReadError::Device { sector, fault })
    }
}

impl<S: Sectors> Ext4Read for Reader<S> {
    fn read(
        &mut self,
        start: u64,
        into: &mut [u8],
    ) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.read_bytes(start, into).map_err(|error| {
            self.faults.fetch_add(1, Relaxed);
            Box::new(error).into()
        })
    }
}

impl Error for ReadError {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Device { sector, fault } => write!(f, "sector {sector}: {fault}"),
            ReadError::PastEnd {
                start,
                length,
                sectors,
            } => write!(
                f,
                "sector {}: past the end of the disk, which has {sectors} ({length} bytes wanted)",
                start / SECTOR
            ),
        }
    }
}
