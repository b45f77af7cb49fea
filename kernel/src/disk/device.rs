//! Sectors of a virtio block device.
//!
//! The disk is read by the dispatcher or inside a host call, which nothing interrupts for long, so a
//! request is waited for by looking, for a bounded time. Who does not answer in time is reset and not asked again: until the reset, the device may
//! still write to the buffer of the request that it owes.
//!
//! Invariant: no buffer is lent to the device when [`Disk::read`] returns.

use core::hint;

use luge_disk::{Fault, SECTOR_BYTES, Sectors};
use luge_metrics::{Counter, Traffic};
use virtio_drivers::Error;
use virtio_drivers::device::blk::{BlkReq, BlkResp, VirtIOBlk};
use virtio_drivers::transport::mmio::MmioTransport;

use crate::arch::time::{Instant, ticks};
use crate::virtio::Memory;

/// How long a device may take for one request, in nanoseconds. A real disk that spins up or retries
/// takes seconds; a device that is gone takes for ever.
const PATIENCE_NS: u64 = 10_000_000_000;
/// Most bytes in a request: what the file system reads ahead, and eight pages to bounce through.
const REQUEST_BYTES: usize = 64 * SECTOR_BYTES;

/// Requests to all disks, and what they asked for.
pub static READS: Traffic = Traffic::new();
/// For how long answers were waited for, in TSC ticks.
pub static WAITED_TICKS: Counter = Counter::new();

type Device = VirtIOBlk<Memory, MmioTransport<'static>>;

/// A block device. `None` once it has failed to answer.
pub struct Disk {
    device: Option<Device>,
    sectors: u64,
}

impl Disk {
    /// Sets the device up.
    ///
    /// # Errors
    /// The driver's, if the device offers no queue or no configuration.
    pub fn new(transport: MmioTransport<'static>) -> Result<Self, Error> {
        let mut device = Device::new(transport)?;
        device.disable_interrupts();
        let sectors = device.capacity();
        Ok(Disk {
            device: Some(device),
            sectors,
        })
    }

    /// One request: lends `into` to the device, waits for the answer, and takes it back.
    fn request(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        let device = self.device.as_mut().ok_or(Fault::TimedOut)?;
        READS.passed(into.len());
        let sector = usize::try_from(first).map_err(|_| Fault::Unsupported)?;
        let (mut request, mut response) = (BlkReq::default(), BlkResp::default());
        // SAFETY: the buffers are touched by nobody until the request is complete, or until the
        // device has been reset below; they live in this frame and our caller's.
        let token = unsafe { device.read_blocks_nb(sector, &mut request, into, &mut response) };
        let token = token.map_err(fault)?;
        if !answers(device, token) {
            // Dropping the driver takes its queue away and resets the device.
            self.device = None;
            return Err(Fault::TimedOut);
        }
        // SAFETY: these are the buffers that the request with this token was made with.
        unsafe { device.complete_read_blocks(token, &request, into, &mut response) }.map_err(fault)
    }
}

/// Waits until the device has answered the request; `false` if it does not, or answers another one.
fn answers(device: &mut Device, token: u16) -> bool {
    let (began, patience) = (ticks(), Instant::now().plus_ns(PATIENCE_NS));
    let mut answers = true;
    while answers && device.peek_used() != Some(token) {
        answers = Instant::now() <= patience;
        hint::spin_loop();
    }
    WAITED_TICKS.add(ticks() - began);
    answers
}

impl Sectors for Disk {
    fn count(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        for (index, piece) in into.chunks_mut(REQUEST_BYTES).enumerate() {
            let sector = first + (index * REQUEST_BYTES / SECTOR_BYTES) as u64;
            self.request(sector, piece)?;
        }
        Ok(())
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Unsupported => Fault::Unsupported,
        Error::DmaError | Error::QueueFull => Fault::NoMemory,
        Error::WrongToken | Error::InvalidParam | Error::AlreadyUsed => Fault::Nonsense,
        _ => Fault::DeviceError,
    }
}
