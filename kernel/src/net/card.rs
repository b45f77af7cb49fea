//! The network card as smoltcp wants it.

use alloc::vec::Vec;

use luge_metrics::Traffic;
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpPacket};

use crate::virtio::{FRAME_BYTES, Network, Transmitter};

/// Frames that arrived.
pub static RECEIVED: Traffic = Traffic::new();
/// Frames that were sent.
pub static SENT: Traffic = Traffic::new();

/// The card, and the ports whose clients have to wait.
pub(super) struct Card {
    network: Network,
    /// Ports where nobody listens for want of a socket: requests for a connection are dropped
    /// before smoltcp would answer them with a reset.
    deaf_ports: Vec<u16>,
    turned_away: bool,
}

impl Card {
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            deaf_ports: Vec::new(),
            turned_away: false,
        }
    }

    pub(super) fn hardware_address(&self) -> [u8; 6] {
        self.network.hardware_address()
    }

    /// Sets the ports whose connection requests are dropped.
    pub(super) fn refuse_connections_to(&mut self, ports: impl Iterator<Item = u16>) {
        self.deaf_ports.clear();
        self.deaf_ports.extend(ports);
    }

    /// Tells the card what was queued for it.
    pub(super) fn tell(&mut self) {
        self.network.tell();
    }

    /// Keeps the card from interrupting until it is next asked for frames.
    pub(super) fn hush(&mut self) {
        self.network.hush();
    }

    /// Whether a connection request was dropped since the last call.
    pub(super) fn take_turned_away(&mut self) -> bool {
        core::mem::take(&mut self.turned_away)
    }
}

impl Device for Card {
    type RxToken<'a> = Frame<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame<'_>, Room<'_>)> {
        let (frame, transmitter) = self.network.receive()?;
        RECEIVED.passed(frame.len());
        let refused = !self.deaf_ports.is_empty()
            && connection_request(frame).is_some_and(|port| self.deaf_ports.contains(&port));
        self.turned_away |= refused;
        // smoltcp passes over an empty frame.
        let frame = if refused { &mut [] } else { frame };
        Some((Frame(frame), Room(transmitter)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        self.network.transmitter().map(Room)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }
}

/// The port that this frame asks for a connection to, if that is what it does.
fn connection_request(frame: &[u8]) -> Option<u16> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
    if packet.next_header() != IpProtocol::Tcp {
        return None;
    }
    let segment = TcpPacket::new_checked(packet.payload()).ok()?;
    (segment.syn() && !segment.ack()).then(|| segment.dst_port())
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
