//! Virtio devices behind MMIO windows: found once, handed out to the driver that wants them.
//!
//! [`probe`] maps the windows that the command line names and looks behind each; [`take`] hands a
//! device to its driver (the disk, the network), which speaks to it through the `virtio-drivers`
//! crate and our [`Memory`]. An interrupt handler quietens its device with [`acknowledge`], which
//! takes no lock and so may run at any moment.
//!
//! Devices are not trusted: what the crate checks of what a device says, and what it leaves to the
//! driver above, is listed in `kernel/docs/safety.md`.
//!
//! Invariant: each window is mapped once and belongs to one transport; only its two interrupt
//! registers are touched by anybody else, and only through [`acknowledge`].

mod entropy;
mod health;
mod line;
mod memory;
mod network;
mod ring;
#[cfg(feature = "scenarios")]
pub mod scenario;

use alloc::vec::Vec;
use core::ptr::{self, NonNull};

use virtio_drivers::transport::mmio::{MmioError, MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, DeviceTypeError, Transport};

use crate::arch::lock::Lock;
use crate::mm::dma;

pub use entropy::Entropy;
pub use line::acknowledge;
pub use memory::Memory;
pub use network::{FRAME_BYTES, Network, Transmitter};

/// A range of physical addresses behind which a virtio device may sit, and the interrupt it raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Physical address of the first register.
    pub base: u64,
    /// Length in bytes, header and configuration space together.
    pub size: usize,
    /// The global system interrupt of the device.
    pub gsi: u32,
}

/// A device that nobody has taken yet.
struct Found {
    transport: MmioTransport<'static>,
    place: Place,
}

/// Where a device is, for whoever has taken it and gives it up to begin anew.
#[derive(Debug)]
pub struct Place {
    registers: usize,
    size: usize,
    /// The global system interrupt of the device.
    pub gsi: u32,
}

impl Place {
    /// The device here once more, reset.
    ///
    /// # Errors
    /// There is none any more.
    ///
    /// # Safety
    /// The transport that came with this place, or from here, has been dropped.
    pub unsafe fn reopen(&mut self) -> Result<MmioTransport<'static>, MmioError> {
        let registers: *mut VirtIOHeader = ptr::with_exposed_provenance_mut(self.registers);
        let registers = NonNull::new(registers).expect("it is mapped");
        // SAFETY: as in `open`, where the window was mapped; nobody else has a transport, as the caller promises.
        unsafe { MmioTransport::new(registers, self.size) }
    }
}

static FOUND: Lock<Vec<Found>> = Lock::new(Vec::new());

/// Looks behind every window and keeps the devices for [`take`].
///
/// An empty window is normal. A window with something else behind it is reported and left alone.
pub fn probe(windows: impl IntoIterator<Item = Window>) {
    for window in windows {
        match open(&window) {
            Ok((transport, place)) => {
                log::debug!(
                    "{:?} at {:#x}, GSI {}",
                    transport.device_type(),
                    window.base,
                    window.gsi
                );
                FOUND.lock().push(Found { transport, place });
            }
            Err(MmioError::InvalidDeviceID(DeviceTypeError::InvalidDeviceType(0))) => {}
            Err(error) => log::warn!("no virtio device at {:#x}: {error}", window.base),
        }
    }
}

/// Takes the first device of this kind that is left, and where it is.
///
/// Dropping the transport resets the device.
pub fn take(kind: DeviceType) -> Option<(MmioTransport<'static>, Place)> {
    let mut found = FOUND.lock();
    let index = found
        .iter()
        .position(|device| device.transport.device_type() == kind)?;
    let device = found.remove(index);
    Some((device.transport, device.place))
}

/// Maps a window and reads its header.
fn open(window: &Window) -> Result<(MmioTransport<'static>, Place), MmioError> {
    if window.size < size_of::<VirtIOHeader>() {
        return Err(MmioError::MmioRegionTooSmall);
    }
    let registers: NonNull<u8> = dma::map_mmio(window.base, window.size);
    // SAFETY:
    // - `map_mmio` maps the whole window, uncached, and never unmaps it, so the registers and the
    //   configuration space after them stay valid for `'static`;
    // - windows are page offsets chosen by the machine, aligned to at least 512 bytes;
    // - every window is opened once, by `probe`, so no other pointer claims it.
    let transport = unsafe { MmioTransport::new(registers.cast(), window.size) }?;
    line::remember(window.gsi, registers);
    let place = Place {
        registers: registers.as_ptr().expose_provenance(),
        size: window.size,
        gsi: window.gsi,
    };
    Ok((transport, place))
}
