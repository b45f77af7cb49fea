//! The network card: frames in and out of fixed buffers, without waiting and without trust.
//!
//! [`Network`] wraps the `virtio-drivers` crate's raw driver, which leaves buffers and the order of
//! completions to its user. Each queue has [`QUEUE`] buffers of [`SLOT_BYTES`] in device memory for
//! its whole life; nothing is allocated or copied for a frame.
//!
//! The card is not trusted. A completion for a buffer that it does not have, or a length that does
//! not fit, can only come from a broken or hostile device: the first ends the use of the card, the
//! second drops the frame.
//!
//! Invariant: a slot is in exactly one of three places: with the device (`Slots::token` names it), on
//! the free list, or, for the one received frame that is being read, in `Network::reading`. Its bytes
//! are touched only in the latter two.

use alloc::vec::Vec;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{Ordering, fence};

use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::{Error, PAGE_SIZE};

use super::Memory;
use crate::mm::dma;

/// Buffers of each queue. QEMU's queues have 256 places; a burst of this many frames is plenty.
const QUEUE: usize = 128;
/// Bytes of each buffer: a header of 12 and a frame of 1514 fit, and no buffer crosses a page.
const SLOT_BYTES: usize = 2048;
/// The longest frame, without its check sequence: 1500 bytes and the Ethernet header.
pub const FRAME_BYTES: usize = 1514;

type Card = VirtIONetRaw<Memory, MmioTransport<'static>, QUEUE>;

/// The buffers of one queue.
struct Slots {
    memory: NonNull<u8>,
    free: Vec<usize>,
    /// Which slot the device has under which token.
    token: [Option<usize>; QUEUE],
}

// SAFETY: the memory belongs to the slots alone, whichever CPU they are used on.
unsafe impl Send for Slots {}

/// A network card that has been started.
pub struct Network {
    card: Card,
    incoming: Slots,
    outgoing: Slots,
    /// The slot of the frame that was handed out last.
    reading: Option<usize>,
    broken: bool,
}

impl Slots {
    fn new() -> Result<Self, Error> {
        let pages = QUEUE * SLOT_BYTES / PAGE_SIZE;
        let (_, memory) = dma::allocate(pages).ok_or(Error::DmaError)?;
        Ok(Self {
            memory,
            free: (0..QUEUE).collect(),
            token: [None; QUEUE],
        })
    }

    fn bytes(&mut self, slot: usize) -> &mut [u8] {
        assert!(
            slot < QUEUE,
            "there are as many slots as places in the queue"
        );
        // SAFETY:
        // - `memory` is `QUEUE` times `SLOT_BYTES` long, mapped for good and initialised (zeroed);
        // - by the invariant the device does not have the slot while its bytes are asked for, and
        //   `&mut self` keeps everybody else out.
        unsafe {
            slice::from_raw_parts_mut(self.memory.add(slot * SLOT_BYTES).as_ptr(), SLOT_BYTES)
        }
    }

    /// The slot that the device has under this token, if it has one; it stays noted.
    fn slot_of(&self, token: u16) -> Option<usize> {
        self.token.get(usize::from(token)).copied().flatten()
    }

    fn forget(&mut self, token: u16) {
        self.token[usize::from(token)] = None;
    }
}

impl Network {
    /// Starts the card behind this transport and gives it buffers for what may arrive.
    pub fn start(transport: MmioTransport<'static>) -> Result<Self, Error> {
        let mut network = Self {
            card: Card::new(transport)?,
            incoming: Slots::new()?,
            outgoing: Slots::new()?,
            reading: None,
            broken: false,
        };
        while let Some(slot) = network.incoming.free.pop() {
            network.offer(slot)?;
        }
        Ok(network)
    }

    /// The card's hardware address.
    pub fn hardware_address(&self) -> [u8; 6] {
        self.card.mac_address()
    }

    /// The next frame that has arrived, and room to answer it. The frame before it is given up.
    ///
    /// After `None`, the card will raise an interrupt when there is one, or when there is room again.
    /// Whoever stops before has to come back by itself: a card that was not asked to the end does not
    /// interrupt.
    pub fn receive(&mut self) -> Option<(&mut [u8], Transmitter<'_>)> {
        if let Some(slot) = self.reading.take()
            && let Err(error) = self.offer(slot)
        {
            self.fail(error);
        }
        self.reclaim();
        if self.broken || self.outgoing.free.is_empty() {
            return None;
        }
        let (slot, start, length) = self.next_frame()?;
        self.reading = Some(slot);
        let frame = &mut self.incoming.bytes(slot)[start..start + length];
        Some((
            frame,
            Transmitter {
                card: &mut self.card,
                slots: &mut self.outgoing,
            },
        ))
    }

    /// Room to send a frame, if the card has not fallen behind.
    pub fn transmitter(&mut self) -> Option<Transmitter<'_>> {
        self.reclaim();
        if self.broken || self.outgoing.free.is_empty() {
            return None;
        }
        Some(Transmitter {
            card: &mut self.card,
            slots: &mut self.outgoing,
        })
    }

    /// Slot, start and length of the next frame whose length makes sense.
    fn next_frame(&mut self) -> Option<(usize, usize, usize)> {
        loop {
            let token = self.arrived()?;
            let Some(slot) = self.incoming.slot_of(token) else {
                self.fail(Error::WrongToken);
                return None;
            };
            // SAFETY: the token was taken from the ring just now, and these are the bytes that
            // `offer` gave to the device when it returned this token.
            let completed = unsafe { self.card.receive_complete(token, self.incoming.bytes(slot)) };
            match completed {
                Ok((start, length)) if start + length <= SLOT_BYTES => {
                    self.incoming.forget(token);
                    return Some((slot, start, length));
                }
                // The crate takes the buffer back before it finds the length too short.
                Ok(_) | Err(Error::IoError) => {
                    log::debug!("a frame of impossible length was dropped");
                    self.incoming.forget(token);
                    self.offer(slot).map_err(|error| self.fail(error)).ok()?;
                }
                Err(error) => {
                    self.fail(error);
                    return None;
                }
            }
        }
    }

    /// The token of a buffer that has been filled.
    fn arrived(&mut self) -> Option<u16> {
        self.card.poll_receive().or_else(|| {
            look_again();
            self.card.poll_receive()
        })
    }

    /// The token of a buffer that has been sent.
    fn departed(&mut self) -> Option<u16> {
        self.card.poll_transmit().or_else(|| {
            look_again();
            self.card.poll_transmit()
        })
    }

    /// Gives a slot to the device to be filled.
    fn offer(&mut self, slot: usize) -> Result<(), Error> {
        // SAFETY: by the invariant the bytes are not touched again until `receive_complete`, and
        // the memory is never released.
        let token = unsafe { self.card.receive_begin(self.incoming.bytes(slot)) }?;
        self.incoming.token[usize::from(token)] = Some(slot);
        Ok(())
    }

    /// Takes back buffers that have been sent, once half of them are out: each time the mark moves at
    /// which the card interrupts, and there is no hurry.
    fn reclaim(&mut self) {
        if self.broken || self.outgoing.free.len() > QUEUE / 2 {
            return;
        }
        while let Some(token) = self.departed() {
            let Some(slot) = self.outgoing.slot_of(token) else {
                return self.fail(Error::WrongToken);
            };
            // SAFETY: the token was taken from the ring just now, and these are the bytes that
            // `transmit` gave to the device when it returned this token.
            let completed = unsafe {
                self.card
                    .transmit_complete(token, self.outgoing.bytes(slot))
            };
            if let Err(error) = completed {
                return self.fail(error);
            }
            self.outgoing.forget(token);
            self.outgoing.free.push(slot);
        }
    }

    fn fail(&mut self, error: Error) {
        log::error!("the network card broke its contract and is not used any more: {error}");
        self.broken = true;
    }
}

/// To be called between finding a queue empty and believing it.
///
/// Taking a buffer back moves the mark at which the card interrupts next. The card may have looked at the
/// mark before it moved, and the processor may have looked at the queue before it moved the mark. Then
/// the one thinks that nobody waits, the other that nothing has come.
fn look_again() {
    fence(Ordering::SeqCst);
}

/// Room for one frame in the sending queue.
pub struct Transmitter<'a> {
    card: &'a mut Card,
    slots: &'a mut Slots,
}

impl Transmitter<'_> {
    /// Has `fill` write a frame of this many bytes, at most [`FRAME_BYTES`], and sends it.
    pub fn transmit<R>(self, bytes: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let Self { card, slots } = self;
        let slot = slots
            .free
            .pop()
            .expect("a transmitter exists only while a slot is free");
        let buffer = slots.bytes(slot);
        let header = card
            .fill_buffer_header(buffer)
            .expect("a slot is longer than a header");
        let result = fill(&mut buffer[header..header + bytes]);
        // SAFETY: the slot is off the free list, so its bytes are not touched until `reclaim` has
        // completed the transmission; the memory is never released.
        let sent = unsafe { card.transmit_begin(&slots.bytes(slot)[..header + bytes]) };
        match sent {
            Ok(token) => slots.token[usize::from(token)] = Some(slot),
            Err(error) => {
                log::warn!("a frame was not sent: {error}");
                slots.free.push(slot);
            }
        }
        result
    }
}
