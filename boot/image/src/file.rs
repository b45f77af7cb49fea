//! An image as a device of sectors, so that it is read as the kernel reads it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use luge_disk::{Fault, SECTOR_BYTES, Sectors};

/// The sectors of an image. What is left at its end, less than a sector, is not there.
pub struct ImageFile {
    file: File,
    sectors: u64,
}

impl ImageFile {
    /// Opens an image.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let sectors = file.metadata()?.len() / SECTOR_BYTES as u64;
        Ok(ImageFile { file, sectors })
    }
}

impl Sectors for ImageFile {
    fn count(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let start = first
            .checked_mul(SECTOR_BYTES as u64)
            .ok_or(Fault::Unsupported)?;
        self.file
            .read_exact_at(into, start)
            .map_err(|_| Fault::DeviceError)
    }
}
