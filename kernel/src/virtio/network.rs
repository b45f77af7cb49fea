//! The network card: frames in and out, without waiting and without trust.
//!
//! [`Network`] drives a virtio network card with two [`Ring`]s, one for frames that arrive and one for
//! frames that are sent. The queues themselves, and the transport below them, are those of the
//! `virtio-drivers` crate; its own network drivers wait for each frame to be sent, or tell the device
//! about every buffer, each time at the price of a trip out of the machine.
//!
//! Interrupts: the card interrupts for arriving frames when the last call of [`Network::receive`] found
//! none, and for sent ones only while there is no room for more.
//!
//! The card is not trusted. One that returns a buffer that it does not have, asks to be reset or sends nothing is reset
//! and started anew, at the price of the frames that it had; one that does so again and again ends the machine. A frame
//! of a length that cannot be is dropped.

use bitflags::bitflags;
use luge_boot_info::exit::ExitCode;
use virtio_drivers::Error;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceStatus, Transport};

use super::health::{Health, Illness};
use super::ring::{Flow, Ring, SLOT_BYTES, SLOTS};
#[cfg(feature = "scenarios")]
use super::scenario;
use crate::arch::power;
use crate::arch::time::Instant;

/// The longest frame, without its check sequence: 1500 bytes and the Ethernet header.
pub const FRAME_BYTES: usize = 1514;
/// Virtio 1.2, "5.1.6 Device Operation": `struct virtio_net_hdr` with its last field, which a device of
/// version 1 always has. All zeros: no offload.
const HEADER_BYTES: usize = 12;

const _: () = assert!(
    HEADER_BYTES + FRAME_BYTES <= SLOT_BYTES,
    "a frame fits a slot"
);

/// Queue numbers. Virtio 1.2, "5.1.2 Virtqueues".
const RECEIVE_QUEUE: u16 = 0;
const TRANSMIT_QUEUE: u16 = 1;
/// Where the hardware address is in the configuration. Virtio 1.2, "5.1.4 Device configuration layout".
const ADDRESS_OFFSET: usize = 0;

bitflags! {
    /// What we can use of what a card may offer. Virtio 1.2, "5.1.3 Feature bits" and "6 Reserved
    /// Feature Bits".
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        /// The card has an address of its own.
        const ADDRESS = 1 << 5;
        /// The card follows version 1 of the standard or a later one.
        const VERSION_1 = 1 << 32;
    }
}

/// A network card that has been started.
pub struct Network {
    transport: MmioTransport<'static>,
    hardware_address: [u8; 6],
    incoming: Ring,
    outgoing: Ring,
    /// Slot and length of the frame that was handed out last.
    reading: Option<(usize, usize)>,
    /// Why it is not used until it has been reset.
    illness: Option<Illness>,
    health: Health,
}

impl Network {
    /// Starts the card behind this transport and gives it buffers for what may arrive.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the card lacks what we need; others from setting its queues up.
    pub fn start(mut transport: MmioTransport<'static>) -> Result<Self, Error> {
        begin(&mut transport)?;
        let hardware_address =
            transport.read_consistent(|| transport.read_config_space(ADDRESS_OFFSET))?;
        let incoming = Ring::new(&mut transport, RECEIVE_QUEUE, Flow::FromDevice)?;
        let mut outgoing = Ring::new(&mut transport, TRANSMIT_QUEUE, Flow::ToDevice)?;
        outgoing.want_silence();
        transport.finish_init();
        let mut network = Self {
            transport,
            hardware_address,
            incoming,
            outgoing,
            reading: None,
            illness: None,
            health: Health::new(Instant::now()),
        };
        network.give_all()?;
        Ok(network)
    }

    /// Gives the card all buffers for what may arrive.
    fn give_all(&mut self) -> Result<(), Error> {
        while let Some(slot) = self.incoming.take() {
            self.incoming.give(slot, SLOT_BYTES)?;
        }
        self.incoming.tell(&mut self.transport);
        Ok(())
    }

    /// Looks after the card, at the end of a turn: resets it if it does not do its work. If that is of no use, the machine
    /// ends.
    fn look_after(&mut self, now: Instant) {
        if self.illness.is_none() {
            if !self.health.is_due(now) {
                return;
            }
            self.examine(now);
        }
        let Some(illness) = self.illness.take() else {
            return;
        };
        let what = illness.as_str();
        if !self.health.may_be_reset(now) {
            give_up(format_args!("{what}, whenever it is reset"));
        }
        log::warn!("the network card {what}: it is reset");
        if let Err(error) = self.reset() {
            give_up(format_args!("{what}, and does not start again: {error}"));
        }
    }

    /// Finds what a card does not say by itself.
    fn examine(&mut self, now: Instant) {
        if self
            .transport
            .get_status()
            .contains(DeviceStatus::DEVICE_NEEDS_RESET)
        {
            self.illness = Some(Illness::NeedsReset);
            return;
        }
        let free = self.outgoing.free();
        self.reclaim();
        if self.outgoing.free() > free || self.outgoing.free() == SLOTS {
            self.health.works(now);
        } else if self.health.is_stalled(now) {
            self.illness = Some(Illness::Stalled);
        }
        #[cfg(feature = "scenarios")]
        if scenario::is_to_be_offended() {
            self.outgoing.offend();
            self.outgoing.tell(&mut self.transport);
        }
    }

    /// Begins anew, with nothing on its way.
    fn reset(&mut self) -> Result<(), Error> {
        begin(&mut self.transport)?;
        self.reading = None;
        self.incoming.renew(&mut self.transport)?;
        self.outgoing.renew(&mut self.transport)?;
        self.outgoing.want_silence();
        self.transport.finish_init();
        #[cfg(feature = "scenarios")]
        scenario::card_was_reset();
        self.give_all()
    }

    /// The card's hardware address.
    pub fn hardware_address(&self) -> [u8; 6] {
        self.hardware_address
    }

    /// The next frame that has arrived, and room to answer it. The frame before it is given up.
    ///
    /// After `None`, the card will interrupt when there is one, or when there is room again. Whoever
    /// stops before has to come back by itself.
    pub fn receive(&mut self) -> Option<(&mut [u8], Transmitter<'_>)> {
        if let Some((slot, _)) = self.reading.take() {
            let given = self.incoming.give(slot, SLOT_BYTES);
            self.check(given);
        }
        if !self.make_room() {
            return None;
        }
        let (slot, frame_bytes) = self.next_frame()?;
        self.reading = Some((slot, frame_bytes));
        let frame = &mut self.incoming.bytes(slot)[HEADER_BYTES..HEADER_BYTES + frame_bytes];
        Some((
            frame,
            Transmitter {
                ring: &mut self.outgoing,
            },
        ))
    }

    /// The frame that was handed out last, once more.
    pub fn last_frame(&mut self) -> Option<&[u8]> {
        let (slot, frame_bytes) = self.reading?;
        Some(&self.incoming.bytes(slot)[HEADER_BYTES..HEADER_BYTES + frame_bytes])
    }

    /// The frame that was handed out last, once more, and room to answer it, if there still is.
    pub fn receive_again(&mut self) -> Option<(&mut [u8], Transmitter<'_>)> {
        let (slot, frame_bytes) = self.reading?;
        if !self.make_room() {
            return None;
        }
        let frame = &mut self.incoming.bytes(slot)[HEADER_BYTES..HEADER_BYTES + frame_bytes];
        let ring = &mut self.outgoing;
        Some((frame, Transmitter { ring }))
    }

    /// Room to send a frame, if the card has not fallen behind.
    pub fn transmitter(&mut self) -> Option<Transmitter<'_>> {
        self.make_room().then_some(Transmitter {
            ring: &mut self.outgoing,
        })
    }

    /// Tells the card of what was sent, and of buffers that it got back. To be called once a turn.
    pub fn tell(&mut self, now: Instant) {
        self.look_after(now);
        self.incoming.tell(&mut self.transport);
        self.outgoing.tell(&mut self.transport);
    }

    /// Keeps the card from interrupting until [`Network::receive`] next finds no frame: for a caller that
    /// will come back by itself.
    pub fn hush(&mut self) {
        self.incoming.want_silence();
    }

    /// Slot and length of the next frame whose length makes sense.
    fn next_frame(&mut self) -> Option<(usize, usize)> {
        loop {
            let done = self.incoming.next_done();
            let Some((slot, bytes)) = self.check(done)? else {
                if self.incoming.want_interrupts() {
                    continue;
                }
                return None;
            };
            match bytes.checked_sub(HEADER_BYTES) {
                Some(frame_bytes) if bytes <= SLOT_BYTES => return Some((slot, frame_bytes)),
                _ => {
                    log::debug!("a frame of impossible length was dropped");
                    let given = self.incoming.give(slot, SLOT_BYTES);
                    self.check(given)?;
                }
            }
        }
    }

    /// Whether there is a slot for a frame to send. If not, the card will interrupt when there is.
    fn make_room(&mut self) -> bool {
        if self.outgoing.free() < SLOTS / 2 {
            self.reclaim();
            if self.outgoing.free() == 0 {
                self.outgoing.tell(&mut self.transport);
                if self.outgoing.want_interrupts() {
                    self.reclaim();
                }
            }
            if self.outgoing.free() > 0 {
                self.outgoing.want_silence();
            }
        }
        self.illness.is_none() && self.outgoing.free() > 0
    }

    /// Takes back what has been sent.
    fn reclaim(&mut self) {
        loop {
            let done = self.outgoing.next_done();
            match self.check(done) {
                Some(Some((slot, _))) => self.outgoing.put_back(slot),
                Some(None) | None => return,
            }
        }
    }

    /// The card is ill if it broke its contract.
    fn check<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result
            .inspect_err(|error| {
                log::debug!("the network card: {error}");
                self.illness = Some(Illness::WrongBuffer);
            })
            .ok()
    }
}

/// Resets the card and agrees with it on what is used.
fn begin(transport: &mut MmioTransport<'static>) -> Result<(), Error> {
    let features = transport.begin_init(Features::all());
    if features == Features::all() {
        Ok(())
    } else {
        Err(Error::Unsupported)
    }
}

/// Ends the machine: without a card it serves nobody.
fn give_up(why: core::fmt::Arguments<'_>) -> ! {
    log::error!("the network card {why}: the machine ends");
    power::exit(ExitCode::DeviceFailed.value())
}

/// Room for one frame in the sending queue.
pub struct Transmitter<'a> {
    ring: &'a mut Ring,
}

impl Transmitter<'_> {
    /// Has `fill` write a frame of this many bytes, at most [`FRAME_BYTES`], and queues it. It goes out
    /// with the next [`Network::tell`].
    pub fn transmit<R>(self, bytes: usize, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        let ring = self.ring;
        let slot = ring
            .take()
            .expect("a transmitter exists only while a slot is free");
        let buffer = &mut ring.bytes(slot)[..HEADER_BYTES + bytes];
        let (header, frame) = buffer.split_at_mut(HEADER_BYTES);
        header.fill(0);
        let result = fill(frame);
        if let Err(error) = ring.give(slot, HEADER_BYTES + bytes) {
            log::warn!("a frame was not sent: {error}");
        }
        result
    }
}
