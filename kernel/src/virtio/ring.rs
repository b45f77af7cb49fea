//! One queue of the network card: fixed buffers that go to the device and come back.
//!
//! Each ring has [`SLOTS`] buffers of [`SLOT_BYTES`] in device memory for its whole life; nothing is
//! allocated or copied for a frame.
//!
//! The device is not trusted: a completion for a buffer that it does not have is an error, and what
//! it says about lengths is handed on as said.
//!
//! Invariant: a slot is either with the device (`given` names it, under its token) or with whoever
//! got its number from [`Ring::take`] or [`Ring::next_done`]. Its bytes are touched only in the latter
//! case.

use alloc::vec::Vec;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{Ordering, fence};

use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::{Error, PAGE_SIZE};

use super::Memory;
#[cfg(feature = "scenarios")]
use super::scenario;
use crate::mm::dma;

/// Buffers of a ring. QEMU's queues have 256 places; a burst of this many frames is plenty.
pub(super) const SLOTS: usize = 128;
/// Bytes of a buffer. None crosses a page.
pub(super) const SLOT_BYTES: usize = 2048;

/// A slot that the device has, and how many of its bytes.
#[derive(Clone, Copy)]
struct Given {
    slot: usize,
    bytes: usize,
}

/// Which way the frames of a ring go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    ToDevice,
    FromDevice,
}

/// A queue and its buffers.
pub(super) struct Ring {
    queue: VirtQueue<Memory, SLOTS>,
    index: u16,
    flow: Flow,
    memory: NonNull<u8>,
    free: Vec<usize>,
    given: [Option<Given>; SLOTS],
    /// The device was given something since it was last told.
    untold: bool,
}

// SAFETY: the memory belongs to the ring alone, whichever CPU it is used on.
unsafe impl Send for Ring {}

impl Ring {
    /// Sets queue `index` of the device up, with all slots free.
    pub(super) fn new(
        transport: &mut MmioTransport<'static>,
        index: u16,
        flow: Flow,
    ) -> Result<Self, Error> {
        let (_, memory) = dma::allocate(SLOTS * SLOT_BYTES / PAGE_SIZE).ok_or(Error::DmaError)?;
        Ok(Self {
            // Neither indirect descriptors (a frame is one buffer) nor event indices: with flags
            // the crate asks the device for its wishes exactly, with indices it tells it too often.
            queue: VirtQueue::new(transport, index, false, false)?,
            index,
            flow,
            memory,
            free: (0..SLOTS).collect(),
            given: [None; SLOTS],
            untold: false,
        })
    }

    /// Takes all slots back and sets the queue up anew, of a device that has been reset.
    pub(super) fn renew(&mut self, transport: &mut MmioTransport<'static>) -> Result<(), Error> {
        self.queue = VirtQueue::new(transport, self.index, false, false)?;
        self.free = (0..SLOTS).collect();
        self.given = [None; SLOTS];
        self.untold = false;
        Ok(())
    }

    /// A slot that is free, for the caller to fill or to give to the device.
    pub(super) fn take(&mut self) -> Option<usize> {
        self.free.pop()
    }

    /// Puts a slot back that was taken.
    pub(super) fn put_back(&mut self, slot: usize) {
        self.free.push(slot);
    }

    /// How many slots are free.
    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    /// The bytes of a slot that the caller has.
    pub(super) fn bytes(&mut self, slot: usize) -> &mut [u8] {
        // SAFETY: by the invariant the device does not have the slot, and `&mut self` keeps
        // everybody else out.
        unsafe { bytes_of(self.memory, slot, SLOT_BYTES) }
    }

    /// Gives the first `bytes` of a slot to the device. On an error the slot is free.
    pub(super) fn give(&mut self, slot: usize, bytes: usize) -> Result<(), Error> {
        // SAFETY: the caller has the slot; the borrow ends with the block.
        let buffer = unsafe { bytes_of(self.memory, slot, bytes) };
        // SAFETY: the memory is never released, and by the invariant the bytes are not touched until
        // `next_done` has popped the token.
        let token = unsafe {
            match self.flow {
                Flow::ToDevice => self.queue.add(&[buffer], &mut []),
                Flow::FromDevice => self.queue.add(&[], &mut [buffer]),
            }
        };
        match token {
            Ok(token) => {
                self.given[usize::from(token)] = Some(Given { slot, bytes });
                self.untold = true;
                Ok(())
            }
            Err(error) => {
                self.free.push(slot);
                Err(error)
            }
        }
    }

    /// The next slot that the device is done with, and how many bytes it says it wrote.
    ///
    /// `None` may be out of date at once; [`Ring::want_interrupts`] tells when it is not.
    pub(super) fn next_done(&mut self) -> Result<Option<(usize, usize)>, Error> {
        #[cfg(feature = "scenarios")]
        if let Some(lie) = scenario::what_is_done(self.flow) {
            return lie;
        }
        let Some(token) = self.queue.peek_used() else {
            return Ok(None);
        };
        let given = self
            .given
            .get_mut(usize::from(token))
            .and_then(Option::take);
        let Given { slot, bytes } = given.ok_or(Error::WrongToken)?;
        // SAFETY: the device has said that it is done; the borrow ends with the call below.
        let buffer = unsafe { bytes_of(self.memory, slot, bytes) };
        // SAFETY: these are the bytes that `give` added when it got this token.
        let written = unsafe {
            match self.flow {
                Flow::ToDevice => self.queue.pop_used(token, &[buffer], &mut []),
                Flow::FromDevice => self.queue.pop_used(token, &[], &mut [buffer]),
            }
        }?;
        Ok(Some((slot, written as usize)))
    }

    /// Has the device interrupt when it is done with a slot. Returns whether it already is with one,
    /// which it then need not say.
    pub(super) fn want_interrupts(&mut self) -> bool {
        self.queue.set_dev_notify(true);
        // The device looks at our wish after it has moved on; we must look after we have wished.
        fence(Ordering::SeqCst);
        self.queue.can_pop()
    }

    /// Asks the device not to interrupt. It may all the same.
    pub(super) fn want_silence(&mut self) {
        self.queue.set_dev_notify(false);
    }

    /// Tells the device what it was given, if it wants to be told.
    pub(super) fn tell(&mut self, transport: &mut MmioTransport<'static>) {
        if !self.untold {
            return;
        }
        self.untold = false;
        // The device looks for more after it has wished to be told; we must look after giving.
        fence(Ordering::SeqCst);
        if self.queue.should_notify() {
            transport.notify(self.index);
        }
    }
}

/// Offences of the driver, for scenarios.
#[cfg(feature = "scenarios")]
impl Ring {
    /// Gives the device a buffer in the wrong direction, which it must take for an error.
    pub(super) fn offend(&mut self) {
        let Some(slot) = self.take() else { return };
        let flow = core::mem::replace(&mut self.flow, Flow::FromDevice);
        let given = self.give(slot, SLOT_BYTES);
        self.flow = flow;
        log::info!("a buffer in the wrong direction: {given:?}");
    }
}

/// The first bytes of a slot.
///
/// # Safety
/// `memory` is that of a ring; the device does not have the slot, and nobody else refers to its bytes
/// while the result lives.
unsafe fn bytes_of<'a>(memory: NonNull<u8>, slot: usize, bytes: usize) -> &'a mut [u8] {
    assert!(
        slot < SLOTS && bytes <= SLOT_BYTES,
        "no such bytes in a ring"
    );
    // SAFETY: the memory is `SLOTS` times `SLOT_BYTES` long, mapped for good and initialised (zeroed);
    // the rest is our caller's promise.
    unsafe { slice::from_raw_parts_mut(memory.add(slot * SLOT_BYTES).as_ptr(), bytes) }
}
