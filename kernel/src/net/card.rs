//! The network card as smoltcp wants it.

use core::mem;

use luge_handshake::{Flow, Handshakes, Opening, Visit};
use luge_metrics::Traffic;
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::arch::time::Instant as Moment;
use crate::virtio::{FRAME_BYTES, Network, Transmitter};

/// Frames that arrived.
pub static RECEIVED: Traffic = Traffic::new();
/// Frames that were sent.
pub static SENT: Traffic = Traffic::new();

/// EtherType ARP.
const ARP: [u8; 2] = [0x08, 0x06];

/// What a frame that has arrived is.
pub(super) enum Arrival {
    /// A segment of the connection that has this place.
    Segment(u16),
    /// It completes a handshake.
    Opening(Opening),
    /// A part of a handshake, which has been dealt with.
    Handshake,
    /// It may say where a neighbour is.
    Neighbour,
    /// Something else.
    Other,
}

/// The card, and the handshakes that are led before smoltcp sees a frame.
pub(super) struct Card {
    network: Network,
    handshakes: Option<Handshakes>,
    /// Whether smoltcp has not seen the frame that arrived last, and is to.
    is_unseen: bool,
}

impl Card {
    /// A card that lets nobody connect until it is told with whom to shake hands.
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            handshakes: None,
            is_unseen: false,
        }
    }

    /// Lets peers connect.
    pub(super) fn lead(&mut self, handshakes: Handshakes) {
        self.handshakes = Some(handshakes);
    }

    pub(super) fn hardware_address(&self) -> [u8; 6] {
        self.network.hardware_address()
    }

    /// Tells the card what was queued for it.
    pub(super) fn tell(&mut self, now: Moment) {
        self.network.tell(now);
    }

    /// Keeps the card from interrupting until it is next asked for frames.
    pub(super) fn hush(&mut self) {
        self.network.hush();
    }

    /// Takes the next frame that has arrived. smoltcp is shown it by its next poll, unless it has to do with a handshake.
    pub(super) fn next_arrival(&mut self, now: Instant) -> Option<Arrival> {
        self.is_unseen = false;
        let (frame, transmitter) = self.network.receive()?;
        RECEIVED.passed(frame.len());
        let visit = match &mut self.handshakes {
            Some(handshakes) => handshakes.look_at(frame, now.secs().cast_unsigned()),
            None => Visit::Other,
        };
        let arrival = match visit {
            Visit::Connection(place) => Arrival::Segment(place),
            Visit::Other if frame.get(12..14) == Some(&ARP) => Arrival::Neighbour,
            Visit::Other => Arrival::Other,
            Visit::Early => return Some(Arrival::Handshake),
            Visit::Opening(opening) => return Some(Arrival::Opening(opening)),
            Visit::Request(answer) => {
                send(transmitter, answer.frame());
                return Some(Arrival::Handshake);
            }
        };
        self.is_unseen = true;
        Some(arrival)
    }

    /// The frame that arrived last.
    pub(super) fn last_frame(&mut self) -> &[u8] {
        self.network.last_frame().unwrap_or_default()
    }

    /// Whether the peer or the port of a new connection has an equal share already.
    pub(super) fn has_share(&self, flow: Flow) -> bool {
        let handshakes = self.handshakes.as_ref();
        handshakes.is_some_and(|handshakes| handshakes.has_share(flow))
    }

    /// smoltcp has this connection from now on, at `place`.
    pub(super) fn opened(&mut self, flow: Flow, place: u16) {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.opened(flow, place);
        }
    }

    /// smoltcp does not have it any more.
    pub(super) fn closed(&mut self, flow: Flow) {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.closed(flow);
        }
    }
}

impl Device for Card {
    type RxToken<'a> = Frame<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame<'_>, Room<'_>)> {
        if !mem::take(&mut self.is_unseen) {
            return None;
        }
        let (frame, transmitter) = self.network.receive_again()?;
        Some((Frame(frame), Room(transmitter)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        let room = self.network.transmitter()?;
        Some(Room(room))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }
}

fn send(transmitter: Transmitter<'_>, frame: &[u8]) {
    SENT.passed(frame.len());
    transmitter.transmit(frame.len(), |bytes| bytes.copy_from_slice(frame));
}

/// A received frame.
pub(super) struct Frame<'a>(&'a mut [u8]);

impl phy::RxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

/// Room for a frame to send.
pub(super) struct Room<'a>(Transmitter<'a>);

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, bytes: usize, fill: F) -> R {
        SENT.passed(bytes);
        self.0.transmit(bytes, fill)
    }
}
