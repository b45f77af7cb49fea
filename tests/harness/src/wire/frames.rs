//! Frames: read, and written.

use std::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl,
    TcpPacket, TcpRepr, TcpSeqNumber,
};

use super::MACHINE;

/// What a peer takes before it acknowledges anything.
const WINDOW: u16 = 65_535;
const HEADER_BYTES: usize = 14;

/// What a frame of the machine's is.
#[derive(Clone, Debug)]
pub(super) enum Arrived {
    /// It asks where this address is.
    Question(Ipv4Addr),
    /// It says where it is itself.
    Place(EthernetAddress),
    /// An echo for this address.
    Echo(Ipv4Addr),
    /// A part of a connection.
    Segment(Segment),
    Other,
}

/// A segment, from a peer or to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The peer's address.
    pub(super) address: Ipv4Addr,
    /// The peer's port.
    pub(super) port: u16,
    /// The machine's port.
    pub(super) server: u16,
    pub(super) control: TcpControl,
    pub(super) number: u32,
    pub(super) acknowledged: Option<u32>,
    pub(super) window: u16,
    pub(super) payload: Vec<u8>,
}

/// Where an address is on the wire. What is not beside the machine is behind the router.
pub(super) fn place_of(address: Ipv4Addr) -> EthernetAddress {
    let near = match address.octets()[..3] == MACHINE.octets()[..3] {
        true => address,
        false => super::ROUTER,
    };
    let [a, b, c, d] = near.octets();
    EthernetAddress([2, 0, a, b, c, d])
}

pub(super) fn read(frame: &[u8]) -> Arrived {
    let Ok(frame) = EthernetFrame::new_checked(frame) else {
        return Arrived::Other;
    };
    match frame.ethertype() {
        EthernetProtocol::Arp => read_arp(frame.payload()),
        EthernetProtocol::Ipv4 => read_datagram(frame.payload()),
        _ => None,
    }
    .unwrap_or(Arrived::Other)
}

fn read_arp(bytes: &[u8]) -> Option<Arrived> {
    let packet = ArpPacket::new_checked(bytes).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        target_protocol_addr,
        ..
    } = ArpRepr::parse(&packet).ok()?
    else {
        return None;
    };
    Some(match operation {
        ArpOperation::Request => Arrived::Question(target_protocol_addr),
        _ => Arrived::Place(source_hardware_addr),
    })
}

fn read_datagram(bytes: &[u8]) -> Option<Arrived> {
    let checks = ChecksumCapabilities::default();
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    let datagram = Ipv4Repr::parse(&packet, &checks).ok()?;
    let to = datagram.dst_addr;
    if datagram.next_header == IpProtocol::Icmp {
        let message = Icmpv4Packet::new_checked(packet.payload()).ok()?;
        let message = Icmpv4Repr::parse(&message, &checks).ok()?;
        let is_echo = matches!(message, Icmpv4Repr::EchoReply { .. });
        return is_echo.then_some(Arrived::Echo(to));
    }
    let segment = TcpPacket::new_checked(packet.payload()).ok()?;
    let (from, for_whom) = (datagram.src_addr.into(), to.into());
    let segment = TcpRepr::parse(&segment, &from, &for_whom, &checks).ok()?;
    Some(Arrived::Segment(Segment {
        address: to,
        port: segment.dst_port,
        server: segment.src_port,
        control: segment.control,
        number: segment.seq_number.0.cast_unsigned(),
        acknowledged: segment.ack_number.map(|number| number.0.cast_unsigned()),
        window: segment.window_len,
        payload: segment.payload.to_vec(),
    }))
}

/// A question of `who`: where is `whom`?
pub(super) fn question(whom: Ipv4Addr, who: Ipv4Addr) -> Vec<u8> {
    arp(ArpOperation::Request, EthernetAddress::BROADCAST, whom, who)
}

/// The answer of `who` to the machine.
pub(super) fn place(machine: EthernetAddress, who: Ipv4Addr) -> Vec<u8> {
    arp(ArpOperation::Reply, machine, MACHINE, who)
}

fn arp(operation: ArpOperation, to: EthernetAddress, whom: Ipv4Addr, who: Ipv4Addr) -> Vec<u8> {
    let message = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: place_of(who),
        source_protocol_addr: who,
        target_hardware_addr: to,
        target_protocol_addr: whom,
    };
    let mut bytes = vec![0; HEADER_BYTES + message.buffer_len()];
    let header = EthernetRepr {
        src_addr: place_of(who),
        dst_addr: to,
        ethertype: EthernetProtocol::Arp,
    };
    header.emit(&mut EthernetFrame::new_unchecked(&mut bytes));
    message.emit(&mut ArpPacket::new_unchecked(&mut bytes[HEADER_BYTES..]));
    bytes
}

/// A frame of `from` with a datagram whose contents are written by `fill`.
fn datagram(
    machine: EthernetAddress,
    from: Ipv4Addr,
    next_header: IpProtocol,
    payload_len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let datagram = Ipv4Repr {
        src_addr: from,
        dst_addr: MACHINE,
        next_header,
        payload_len,
        hop_limit: 64,
    };
    let mut bytes = vec![0; HEADER_BYTES + datagram.buffer_len() + payload_len];
    let header = EthernetRepr {
        src_addr: place_of(from),
        dst_addr: machine,
        ethertype: EthernetProtocol::Ipv4,
    };
    header.emit(&mut EthernetFrame::new_unchecked(&mut bytes));
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes[HEADER_BYTES..]);
    datagram.emit(&mut packet, &ChecksumCapabilities::default());
    fill(packet.payload_mut());
    bytes
}

/// A request for an echo.
pub(super) fn ping(machine: EthernetAddress, from: Ipv4Addr, data: &[u8]) -> Vec<u8> {
    let message = Icmpv4Repr::EchoRequest {
        ident: 1,
        seq_no: 1,
        data,
    };
    let bytes = message.buffer_len();
    datagram(machine, from, IpProtocol::Icmp, bytes, |bytes| {
        let mut packet = Icmpv4Packet::new_unchecked(bytes);
        message.emit(&mut packet, &ChecksumCapabilities::default());
    })
}

impl Segment {
    pub(super) fn syn(address: Ipv4Addr, port: u16, server: u16, number: u32) -> Segment {
        Segment {
            address,
            port,
            server,
            control: TcpControl::Syn,
            number,
            acknowledged: None,
            window: WINDOW,
            payload: Vec::new(),
        }
    }

    /// The segment in a frame of the peer's.
    pub(super) fn frame(&self, machine: EthernetAddress) -> Vec<u8> {
        let number = |number: u32| TcpSeqNumber(number.cast_signed());
        let is_syn = self.control == TcpControl::Syn;
        let segment = TcpRepr {
            src_port: self.port,
            dst_port: self.server,
            control: self.control,
            seq_number: number(self.number),
            ack_number: self.acknowledged.map(number),
            window_len: self.window,
            window_scale: None,
            max_seg_size: is_syn.then_some(1_460),
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &self.payload,
        };
        let bytes = segment.buffer_len();
        datagram(machine, self.address, IpProtocol::Tcp, bytes, |bytes| {
            let mut packet = TcpPacket::new_unchecked(bytes);
            let (from, to) = (self.address.into(), MACHINE.into());
            segment.emit(&mut packet, &from, &to, &ChecksumCapabilities::default());
        })
    }
}
