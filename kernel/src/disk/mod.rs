//! The disk: files on a virtio block device, read at boot, and in parts while requests are served.
//!
//! [`open`] finds the device and the file system on it; `luge_disk` knows how files lie on sectors,
//! [`device`] how sectors come from a device. Above stands `functions`, which wants the files; what it
//! wants later than at boot it keeps the [`Store`] for.
//!
//! Invariant: whoever reads holds the store's lock, so there is one request to the device at a time.
//! The device is reset when the store is dropped, and never again touches our memory.

mod device;
mod store;

use core::fmt;

use luge_disk::OpenError;
use virtio_drivers::transport::DeviceType;

use crate::virtio;

#[cfg(feature = "scenarios")]
pub use device::scenario;
pub use device::{READS, WAITED_TICKS};
pub use luge_disk::{FileError, Volume};
pub use store::Store;

/// Why there are no files.
#[derive(Debug)]
pub enum DiskError {
    /// No disk is attached, or the command line does not name its window.
    NoDisk,
    /// The device cannot be set up.
    Device(virtio_drivers::Error),
    /// What is on it cannot be used.
    Open(OpenError),
}

/// Opens the file system of the first disk.
///
/// # Errors
/// [`DiskError`]; then there is no way to read from the disk before the next boot.
pub fn open() -> Result<Store, DiskError> {
    let (transport, place) = virtio::take(DeviceType::Block).ok_or(DiskError::NoDisk)?;
    let device = device::Disk::new(transport, place).map_err(DiskError::Device)?;
    let volume = Volume::open(device).map_err(DiskError::Open)?;
    Ok(Store::new(volume))
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskError::NoDisk => f.write_str("there is no disk"),
            DiskError::Device(error) => write!(f, "the disk's device cannot be used: {error}"),
            DiskError::Open(error) => write!(f, "the disk {error}"),
        }
    }
}
