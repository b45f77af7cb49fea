//! Sectors of a virtio block device.
//!
//! The disk is read by the dispatcher or inside a host call, which nothing interrupts for long, so a
//! request is waited for by looking, for a bounded time. Who does not answer in time, or answers what it was not asked, is
//! reset and asked again, since reading twice does no harm; until the reset, the device may still write to the buffer of
//! the request that it owes. If that is of no use, the machine ends: what it serves is on the disk.
//!
//! Invariant: no buffer is lent to the device when [`Disk::read`] returns.

use core::hint;

use luge_boot_info::exit::ExitCode;
use luge_disk::{Fault, SECTOR_BYTES, Sectors};
use luge_metrics::{Counter, Traffic};
use virtio_drivers::Error;
use virtio_drivers::device::blk::{BlkReq, BlkResp, VirtIOBlk};
use virtio_drivers::transport::mmio::MmioTransport;

use crate::arch::power;
use crate::arch::time::{Instant, ticks};
use crate::virtio::{Memory, Place};

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

/// A block device. `None` while it is being reset.
pub struct Disk {
    device: Option<Device>,
    place: Place,
    sectors: u64,
}

/// What a request came to.
enum Answer {
    Is(Result<(), Fault>),
    /// None, or that to another request: the device has been given up.
    None,
}

impl Disk {
    /// Sets the device up.
    ///
    /// # Errors
    /// The driver's, if the device offers no queue or no configuration.
    pub fn new(transport: MmioTransport<'static>, place: Place) -> Result<Self, Error> {
        let device = begin(transport)?;
        let sectors = device.capacity();
        Ok(Disk {
            device: Some(device),
            place,
            sectors,
        })
    }

    /// One request, for which a device that does not answer it is reset once.
    fn request(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        READS.passed(into.len());
        if let Answer::Is(result) = self.ask(first, into) {
            return result;
        }
        log::warn!("the disk does not answer: it is reset and asked again");
        self.reset();
        match self.ask(first, into) {
            Answer::Is(result) => result,
            Answer::None => give_up(format_args!("does not answer after a reset either")),
        }
    }

    fn reset(&mut self) {
        // Dropping the driver takes its queue away and resets the device.
        self.device = None;
        // SAFETY: the driver had the transport, and is gone.
        let transport = unsafe { self.place.reopen() };
        let device = match transport {
            Ok(transport) => begin(transport),
            Err(error) => give_up(format_args!("is not there after a reset: {error}")),
        };
        match device {
            Ok(device) => self.device = Some(device),
            Err(error) => give_up(format_args!("does not start after a reset: {error}")),
        }
    }

    /// Lends `into` to the device, waits for the answer, and takes it back.
    fn ask(&mut self, first: u64, into: &mut [u8]) -> Answer {
        let Some(device) = self.device.as_mut() else {
            return Answer::None;
        };
        let Ok(sector) = usize::try_from(first) else {
            return Answer::Is(Err(Fault::Unsupported));
        };
        let (mut request, mut response) = (BlkReq::default(), BlkResp::default());
        // SAFETY: the buffers are touched by nobody until the request is complete, or until the
        // device has been reset below; they live in this frame and our caller's.
        let token = unsafe { device.read_blocks_nb(sector, &mut request, into, &mut response) };
        let token = match token {
            Ok(token) => token,
            Err(error) => return Answer::Is(Err(fault(error))),
        };
        if !answers(device, token) {
            // As in `reset`: nothing of this frame is lent when it is left.
            self.device = None;
            return Answer::None;
        }
        // SAFETY: these are the buffers that the request with this token was made with.
        let result = unsafe { device.complete_read_blocks(token, &request, into, &mut response) };
        Answer::Is(result.map_err(fault))
    }
}

/// Starts the driver.
fn begin(transport: MmioTransport<'static>) -> Result<Device, Error> {
    let mut device = Device::new(transport)?;
    device.disable_interrupts();
    Ok(device)
}

/// Ends the machine: what it serves is on the disk.
fn give_up(why: core::fmt::Arguments<'_>) -> ! {
    log::error!("the disk {why}: the machine ends");
    power::exit(ExitCode::DeviceFailed.value())
}

/// Waits until the device has answered the request; `false` if it does not, or answers another one.
fn answers(device: &mut Device, token: u16) -> bool {
    #[cfg(feature = "scenarios")]
    if scenario::is_silent() {
        return false;
    }
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

/// A disk that does not answer, for scenarios.
#[cfg(feature = "scenarios")]
pub mod scenario {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    static LOST: AtomicU32 = AtomicU32::new(0);

    /// The disk does not answer the next so many requests.
    pub fn lose(answers: u32) {
        LOST.store(answers, Relaxed);
    }

    pub(super) fn is_silent() -> bool {
        let less = |lost: u32| lost.checked_sub(1);
        LOST.fetch_update(Relaxed, Relaxed, less).is_ok()
    }
}
