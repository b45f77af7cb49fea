//! Segments as they lie in frames, and the SYN-ACK.

use core::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpAddress, IpProtocol,
    Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use crate::cookie::Offer;
use crate::flow::Flow;

/// Bytes of an Ethernet header.
pub(crate) const ETHERNET_BYTES: usize = 14;
/// EtherType IPv4, and version 4: RFC 791, "Internet Header Format".
const IPV4: [u8; 2] = [0x08, 0x00];
const VERSION_4: u8 = 4;
/// Headers of a datagram and of a segment, without options.
const LEAST_BYTES: usize = ETHERNET_BYTES + 20 + 20;
/// Headers and the options of a SYN: the size of segments, selective acknowledgements, and what fills up.
const SYN_BYTES: usize = LEAST_BYTES + 8;
/// What a client takes that says nothing. RFC 9293, "Maximum Segment Size Option".
const DEFAULT_SEGMENT_BYTES: u16 = 536;
const HOP_LIMIT: u8 = 64;

/// The flow of a frame that is a TCP segment, and not a part of a datagram; nothing else of it is checked.
pub(crate) fn flow(frame: &[u8]) -> Option<Flow> {
    let head: &[u8; LEAST_BYTES] = frame.first_chunk()?;
    let is_ipv4 = head[12..14] == IPV4 && head[14] >> 4 == VERSION_4;
    let is_whole = head[20] & 0x3f == 0 && head[21] == 0;
    if !is_ipv4 || !is_whole || head[23] != IpProtocol::Tcp.into() {
        return None;
    }
    let peer = Ipv4Addr::new(head[26], head[27], head[28], head[29]);
    // Behind the datagram's options, if it has any.
    let words = usize::from(head[14] & 0xf);
    let ports: &[u8; 4] = frame.get(ETHERNET_BYTES + 4 * words..)?.first_chunk()?;
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    Some(Flow::new(peer, port(0), port(2)))
}

/// Who we are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) hardware: EthernetAddress,
    pub(crate) address: Ipv4Addr,
}

/// What a segment has to do with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It asks for a connection.
    Request(Offer),
    /// It acknowledges this.
    Acknowledgement(u32),
}

/// A segment that has to do with handshakes, to us, whose checksums are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The hardware address that it came from.
    pub(crate) from: EthernetAddress,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
}

impl Segment {
    pub(crate) fn parse(frame: &[u8], host: Host) -> Option<Self> {
        let checks = ChecksumCapabilities::default();
        let frame = EthernetFrame::new_checked(frame).ok()?;
        let from = frame.src_addr();
        if frame.dst_addr() != host.hardware || !from.is_unicast() {
            return None;
        }
        let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
        let datagram = Ipv4Repr::parse(&packet, &checks).ok()?;
        let peer = datagram.src_addr;
        let is_peer = !(peer.is_multicast()
            || peer.is_broadcast()
            || peer.is_unspecified()
            || peer.is_loopback()
            || peer == host.address);
        if datagram.dst_addr != host.address || !is_peer {
            return None;
        }
        let segment = TcpPacket::new_checked(packet.payload()).ok()?;
        let (peer, address) = (IpAddress::Ipv4(peer), IpAddress::Ipv4(host.address));
        let segment = TcpRepr::parse(&segment, &peer, &address, &checks).ok()?;
        let kind = match (segment.control, segment.ack_number) {
            (TcpControl::Syn, None) => {
                let size = segment.max_seg_size.filter(|size| *size > 0);
                Kind::Request(Offer {
                    segment_bytes: size.unwrap_or(DEFAULT_SEGMENT_BYTES),
                    sack: segment.sack_permitted,
                })
            }
            (TcpControl::Syn | TcpControl::Rst, _) | (_, None) => return None,
            (_, Some(number)) => Kind::Acknowledgement(number.0.cast_unsigned()),
        };
        let number = segment.seq_number.0.cast_unsigned();
        Some(Self { from, number, kind })
    }
}

/// A frame that answers a SYN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynAck {
    frame: [u8; SYN_BYTES],
    bytes: usize,
}

impl SynAck {
    /// The answer to the SYN with the sequence number `theirs`, which came from `from`: our number is `ours`, and we
    /// take `window` bytes.
    pub(crate) fn new(
        flow: Flow,
        host: Host,
        from: EthernetAddress,
        (theirs, ours): (u32, u32),
        (sack, window, segment_bytes): (bool, u16, u16),
    ) -> Self {
        let segment = TcpRepr {
            src_port: flow.port(),
            dst_port: flow.peer_port(),
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(ours.cast_signed()),
            ack_number: Some(TcpSeqNumber(theirs.wrapping_add(1).cast_signed())),
            window_len: window,
            window_scale: None,
            max_seg_size: Some(segment_bytes),
            sack_permitted: sack,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        let datagram = Ipv4Repr {
            src_addr: host.address,
            dst_addr: flow.peer(),
            next_header: IpProtocol::Tcp,
            payload_len: segment.buffer_len(),
            hop_limit: HOP_LIMIT,
        };
        let header = EthernetRepr {
            src_addr: host.hardware,
            dst_addr: from,
            ethertype: EthernetProtocol::Ipv4,
        };
        let bytes = ETHERNET_BYTES + datagram.buffer_len() + segment.buffer_len();
        let mut frame = [0; SYN_BYTES];
        header.emit(&mut EthernetFrame::new_unchecked(&mut frame[..bytes]));
        emit(&datagram, &segment, &mut frame[ETHERNET_BYTES..bytes]);
        Self { frame, bytes }
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame[..self.bytes]
    }
}

/// Writes a segment and its datagram's header.
pub(crate) fn emit(datagram: &Ipv4Repr, segment: &TcpRepr<'_>, bytes: &mut [u8]) {
    let checks = ChecksumCapabilities::default();
    let mut packet = Ipv4Packet::new_unchecked(bytes);
    datagram.emit(&mut packet, &checks);
    let (from, to) = (datagram.src_addr.into(), datagram.dst_addr.into());
    let mut body = TcpPacket::new_unchecked(packet.payload_mut());
    segment.emit(&mut body, &from, &to, &checks);
}
