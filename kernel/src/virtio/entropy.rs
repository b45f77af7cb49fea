//! A random number device: bytes are asked for, and come or do not. Nobody waits for them.
//!
//! Invariant: while `asked` is set, the buffer belongs to the device.

use core::ptr::NonNull;

use bitflags::bitflags;
use virtio_drivers::Error;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::transport::mmio::MmioTransport;

use super::Memory;
use crate::mm::dma;

/// Bytes that are asked for at a time.
pub const SEED_BYTES: usize = 32;

/// Virtio 1.2, "5.4.2 Virtqueues": there is one.
const QUEUE: u16 = 0;
const QUEUE_PLACES: usize = 2;

bitflags! {
    /// What is used of what a device may offer. Virtio 1.2, "6 Reserved Feature Bits".
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        /// The device follows version 1 of the standard or a later one.
        const VERSION_1 = 1 << 32;
    }
}

/// A device that has been started.
pub struct Entropy {
    // Dropped first, which resets the device: then the queue is nobody's.
    transport: MmioTransport<'static>,
    queue: VirtQueue<Memory, QUEUE_PLACES>,
    buffer: NonNull<[u8; SEED_BYTES]>,
    asked: Option<u16>,
}

// SAFETY: the buffer belongs to the device's driver alone, whichever CPU it is used on.
unsafe impl Send for Entropy {}

impl Entropy {
    /// Starts the device behind this transport.
    ///
    /// # Errors
    /// It does not follow version 1 of the standard, has no queue, or there is no memory for it.
    pub fn start(mut transport: MmioTransport<'static>) -> Result<Self, Error> {
        if transport.begin_init(Features::all()) != Features::all() {
            return Err(Error::Unsupported);
        }
        let mut queue = VirtQueue::new(&mut transport, QUEUE, false, false)?;
        queue.set_dev_notify(false);
        transport.finish_init();
        let (_, buffer) = dma::allocate(1).ok_or(Error::DmaError)?;
        Ok(Self {
            transport,
            queue,
            buffer: buffer.cast(),
            asked: None,
        })
    }

    /// Asks for bytes, unless it was asked and has not answered yet.
    ///
    /// # Errors
    /// The driver's.
    pub fn ask(&mut self) -> Result<(), Error> {
        if self.asked.is_some() {
            return Ok(());
        }
        // SAFETY: the page is mapped for good and longer than the buffer, and by the invariant the device does not have it;
        // it is not touched until the token has been popped.
        self.asked = Some(unsafe { self.queue.add(&[], &mut [self.buffer.as_mut()])? });
        self.transport.notify(QUEUE);
        Ok(())
    }

    /// What it has answered, if it has. A short answer ends in zeros, or in what was answered before.
    ///
    /// # Errors
    /// It has answered what it was not asked.
    pub fn answer(&mut self) -> Result<Option<[u8; SEED_BYTES]>, Error> {
        let (Some(token), true) = (self.asked, self.queue.can_pop()) else {
            return Ok(None);
        };
        // SAFETY: this is the buffer that was added with the token; the device is done with it once it is popped.
        unsafe {
            self.queue
                .pop_used(token, &[], &mut [self.buffer.as_mut()])?
        };
        self.asked = None;
        // SAFETY: by the invariant, the buffer is ours again.
        Ok(Some(unsafe { self.buffer.read() }))
    }
}
