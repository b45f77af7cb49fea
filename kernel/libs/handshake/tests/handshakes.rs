//! Handshakes by hand, and with a client of smoltcp's.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use luge_handshake::{Flow, HALF_OPEN, HALF_OPEN_S, Handshakes, Opening, Server, Visit, establish};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpCidr, IpProtocol, Ipv4Packet,
    Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

const PORT: u16 = 8_080;
const OURS: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const THEIRS: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 77);
const WINDOW: u16 = 16_384;
const NOW: Instant = Instant::from_micros_const(100_000_000);
const NOW_S: u64 = 100;
/// The client's sequence number.
const ISN: u32 = u32::MAX;

fn handshakes() -> Handshakes {
    let server = Server {
        hardware: OURS,
        address: ADDRESS,
        ports: &[PORT],
        window: WINDOW,
        connections: 8,
    };
    Handshakes::new(&server, &[9; 16])
}

fn socket() -> Socket<'static> {
    let buffer = |bytes| SocketBuffer::new(vec![0; bytes]);
    Socket::new(buffer(WINDOW.into()), buffer(WINDOW.into()))
}

fn established(opening: &Opening, frame: &[u8], now: Instant) -> Socket<'static> {
    let socket = establish(&mut SocketSet::new(vec![]), socket(), opening, frame, now);
    assert!(socket.is_open(), "it did not take the segment");
    socket
}

/// A segment of the client's.
#[derive(Clone, Copy)]
struct Sent<'a> {
    from: Ipv4Addr,
    port: u16,
    to: u16,
    control: TcpControl,
    number: u32,
    acknowledged: Option<u32>,
    size: Option<u16>,
    payload: &'a [u8],
}

const SYN: Sent<'_> = Sent {
    from: CLIENT,
    port: 5_000,
    to: PORT,
    control: TcpControl::Syn,
    number: ISN,
    acknowledged: None,
    size: Some(1_460),
    payload: b"",
};

impl Sent<'_> {
    fn frame(&self) -> Vec<u8> {
        let segment = TcpRepr {
            src_port: self.port,
            dst_port: self.to,
            control: self.control,
            seq_number: TcpSeqNumber(self.number.cast_signed()),
            ack_number: self
                .acknowledged
                .map(|number| TcpSeqNumber(number.cast_signed())),
            window_len: 8_000,
            window_scale: None,
            max_seg_size: self.size,
            sack_permitted: self.size.is_some(),
            sack_ranges: [None; 3],
            timestamp: None,
            payload: self.payload,
        };
        let datagram = Ipv4Repr {
            src_addr: self.from,
            dst_addr: ADDRESS,
            next_header: IpProtocol::Tcp,
            payload_len: segment.buffer_len(),
            hop_limit: 64,
        };
        let mut bytes = vec![0; 14 + datagram.buffer_len() + segment.buffer_len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes);
        EthernetRepr {
            src_addr: THEIRS,
            dst_addr: OURS,
            ethertype: EthernetProtocol::Ipv4,
        }
        .emit(&mut frame);
        let checks = ChecksumCapabilities::default();
        let mut packet = Ipv4Packet::new_unchecked(frame.payload_mut());
        datagram.emit(&mut packet, &checks);
        let mut body = TcpPacket::new_unchecked(packet.payload_mut());
        segment.emit(&mut body, &self.from.into(), &ADDRESS.into(), &checks);
        bytes
    }

    /// What completes the handshake that this SYN began, with bytes of a request.
    fn completed<'a>(&self, ours: u32, payload: &'a [u8]) -> Sent<'a> {
        Sent {
            from: self.from,
            port: self.port,
            to: self.to,
            control: TcpControl::None,
            number: self.number.wrapping_add(1),
            acknowledged: Some(ours.wrapping_add(1)),
            size: None,
            payload,
        }
    }
}

/// The sequence number of the answer, whose checksums must be right.
fn number_of(visit: &Visit) -> u32 {
    let Visit::Request(answer) = visit else {
        panic!("no answer to a SYN: {visit:?}");
    };
    let frame = EthernetFrame::new_checked(answer.frame()).unwrap();
    assert_eq!((frame.src_addr(), frame.dst_addr()), (OURS, THEIRS));
    let checks = ChecksumCapabilities::default();
    let packet = Ipv4Packet::new_checked(frame.payload()).unwrap();
    let datagram = Ipv4Repr::parse(&packet, &checks).unwrap();
    let segment = TcpPacket::new_checked(packet.payload()).unwrap();
    let (from, to) = (datagram.src_addr.into(), datagram.dst_addr.into());
    let segment = TcpRepr::parse(&segment, &from, &to, &checks).unwrap();
    assert_eq!(segment.control, TcpControl::Syn);
    assert_eq!(segment.window_len, WINDOW);
    segment.seq_number.0.cast_unsigned()
}

fn opening_of(visit: Visit) -> Opening {
    match visit {
        Visit::Opening(opening) => opening,
        visit => panic!("not the end of a handshake: {visit:?}"),
    }
}

#[test]
fn a_socket_has_what_came_with_the_end_of_the_handshake() {
    for size in [None, Some(0), Some(20), Some(1_460), Some(65_535)] {
        let mut handshakes = handshakes();
        let syn = Sent { size, ..SYN };
        let ours = number_of(&handshakes.look_at(&syn.frame(), NOW_S));
        let frame = syn.completed(ours, b"GET /").frame();
        let opening = opening_of(handshakes.look_at(&frame, NOW_S));
        assert_eq!(opening.flow(), Flow::new(CLIENT, SYN.port, PORT));
        let mut socket = established(&opening, &frame, NOW);
        assert_eq!(socket.state(), State::Established);
        assert_eq!(socket.recv(|bytes| (5, bytes.to_vec())).unwrap(), b"GET /");
        let peer = socket.remote_endpoint().unwrap();
        assert_eq!((peer.addr, peer.port), (CLIENT.into(), SYN.port));
    }
}

#[test]
fn every_number_is_one_that_a_socket_can_have() {
    let mut handshakes = handshakes();
    for port in 1..3_000 {
        let syn = Sent { port, ..SYN };
        let ours = number_of(&handshakes.look_at(&syn.frame(), NOW_S));
        let frame = syn.completed(ours, b"").frame();
        let opening = opening_of(handshakes.look_at(&frame, NOW_S));
        let _ = established(&opening, &frame, NOW);
    }
}

#[test]
fn a_client_may_say_at_once_that_nothing_more_follows() {
    let mut handshakes = handshakes();
    let ours = number_of(&handshakes.look_at(&SYN.frame(), NOW_S));
    let end = Sent {
        control: TcpControl::Fin,
        ..SYN.completed(ours, b"x")
    };
    let opening = opening_of(handshakes.look_at(&end.frame(), NOW_S));
    let socket = established(&opening, &end.frame(), NOW);
    assert_eq!(socket.state(), State::CloseWait);
}

#[test]
fn the_same_syn_gets_the_same_answer() {
    let mut handshakes = handshakes();
    let first = handshakes.look_at(&SYN.frame(), NOW_S);
    // In another epoch of the cookies.
    assert_eq!(handshakes.look_at(&SYN.frame(), NOW_S + 60), first);
}

#[test]
fn a_flood_of_syns_keeps_nobody_out() {
    let mut handshakes = handshakes();
    let ours = number_of(&handshakes.look_at(&SYN.frame(), NOW_S));
    for number in 0..10_000 {
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 1).to_bits() + number);
        let _ = handshakes.look_at(&Sent { from, ..SYN }.frame(), NOW_S);
    }
    let frame = SYN.completed(ours, b"").frame();
    let opening = opening_of(handshakes.look_at(&frame, NOW_S + 1));
    let _ = established(&opening, &frame, NOW);
    // Not for ever.
    assert_eq!(handshakes.look_at(&frame, NOW_S + 200), Visit::Other);
}

#[test]
fn a_handshake_is_completed_once() {
    let mut handshakes = handshakes();
    let ours = number_of(&handshakes.look_at(&SYN.frame(), NOW_S));
    let frame = SYN.completed(ours, b"POST /").frame();
    let opening = opening_of(handshakes.look_at(&frame, NOW_S));
    // As long as there is no socket for it.
    assert_eq!(opening_of(handshakes.look_at(&frame, NOW_S)), opening);
    handshakes.opened(opening.flow(), 3);
    assert_eq!(handshakes.look_at(&frame, NOW_S), Visit::Connection(3));
    handshakes.closed(opening.flow());
    // The cookie is good, and used.
    assert_eq!(handshakes.look_at(&frame, NOW_S), Visit::Other);
}

/// smoltcp takes them, so that a segment with options, which went elsewhere, would be answered with a reset.
#[test]
fn a_segment_behind_options_of_its_datagram_belongs_to_its_connection_too() {
    let mut handshakes = handshakes();
    let ours = number_of(&handshakes.look_at(&SYN.frame(), NOW_S));
    let frame = SYN.completed(ours, b"POST /").frame();
    let opening = opening_of(handshakes.look_at(&frame, NOW_S));
    handshakes.opened(opening.flow(), 3);
    for words in 1..=10 {
        let mut frame = frame.clone();
        frame[14] += words;
        // "No Operation".
        frame.splice(34..34, vec![1; 4 * usize::from(words)]);
        assert_eq!(handshakes.look_at(&frame, NOW_S), Visit::Connection(3));
        for end in 0..frame.len() {
            let _ = handshakes.look_at(&frame[..end], NOW_S);
        }
    }
}

#[test]
fn a_guess_opens_nothing_in_a_flood_either() {
    let mut handshakes = handshakes();
    for port in 0..2 * HALF_OPEN as u16 {
        let _ = handshakes.look_at(&Sent { port, ..SYN }.frame(), NOW_S);
    }
    let stranger = Sent { port: 9_999, ..SYN };
    for guess in 0..10_000_u32 {
        let frame = stranger.completed(guess.wrapping_mul(0x9e37_79b9), b"");
        assert_eq!(handshakes.look_at(&frame.frame(), NOW_S), Visit::Other);
    }
}

#[test]
fn segments_behind_a_lost_one_wait_for_it() {
    let mut handshakes = handshakes();
    let ours = number_of(&handshakes.look_at(&SYN.frame(), NOW_S));
    let second = Sent {
        number: ISN.wrapping_add(1_461),
        ..SYN.completed(ours, b"second")
    };
    assert_eq!(handshakes.look_at(&second.frame(), NOW_S), Visit::Early);
    // Somebody else's acknowledgement is answered with a reset.
    let wrong = SYN.completed(ours.wrapping_add(1), b"");
    assert_eq!(handshakes.look_at(&wrong.frame(), NOW_S), Visit::Other);
    // And the handshake has an end.
    let late = handshakes.look_at(&second.frame(), NOW_S + HALF_OPEN_S);
    assert_eq!(late, Visit::Other);
}

#[test]
fn what_is_not_for_these_ports_or_damaged_is_left_to_smoltcp() {
    let mut handshakes = handshakes();
    let other_port = Sent {
        to: PORT + 1,
        ..SYN
    };
    assert_eq!(handshakes.look_at(&other_port.frame(), NOW_S), Visit::Other);
    for from in [
        Ipv4Addr::BROADCAST,
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(224, 0, 0, 1),
        ADDRESS,
    ] {
        let frame = Sent { from, ..SYN }.frame();
        assert_eq!(handshakes.look_at(&frame, NOW_S), Visit::Other, "{from}");
    }
    let whole = SYN.frame();
    for end in 0..whole.len() {
        let _ = handshakes.look_at(&whole[..end], NOW_S);
    }
    // Every bit from the destination on is checked, but for those of the sender's hardware address, of which one
    // says that it is many.
    for bit in (0..48).chain(96..whole.len() * 8) {
        let mut frame = whole.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(handshakes.look_at(&frame, NOW_S), Visit::Other, "{bit}");
    }
}

/// One end of a wire.
#[derive(Default)]
struct End {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Taken(Vec<u8>);

struct Room<'a>(&'a mut VecDeque<Vec<u8>>);

impl Device for End {
    type RxToken<'a> = Taken;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Taken, Room<'_>)> {
        let taken = self.incoming.pop_front()?;
        Some((Taken(taken), Room(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }
}

impl RxToken for Taken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, bytes: usize, fill: F) -> R {
        let mut frame = vec![0; bytes];
        let result = fill(&mut frame);
        self.0.push_back(frame);
        result
    }
}

fn interface(end: &mut End, hardware: EthernetAddress, address: Ipv4Addr) -> Interface {
    let mut config = Config::new(hardware.into());
    config.random_seed = 5;
    let mut interface = Interface::new(config, end, NOW);
    interface.update_ip_addrs(|addresses| {
        addresses.push(IpCidr::new(address.into(), 24)).unwrap();
    });
    interface
}

#[test]
fn a_client_talks_with_a_socket_that_was_not_in_its_handshake() {
    let mut handshakes = handshakes();
    let (mut server_end, mut client_end) = (End::default(), End::default());
    let mut server = interface(&mut server_end, OURS, ADDRESS);
    let mut client = interface(&mut client_end, THEIRS, CLIENT);
    let mut server_sockets = SocketSet::new(vec![]);
    let mut client_sockets = SocketSet::new(vec![]);
    let handle = client_sockets.add(socket());
    let asking = client_sockets.get_mut::<Socket>(handle);
    asking
        .connect(client.context(), (ADDRESS, PORT), 6_000)
        .unwrap();
    let text: Vec<u8> = (0..200_000_u32).map(|byte| byte as u8).collect();
    let (mut sent, mut echoed, mut back, mut serving) = (0, Vec::new(), Vec::new(), None);
    for turn in 0..5_000 {
        let now = NOW + smoltcp::time::Duration::from_millis(turn);
        client.poll(now, &mut client_end, &mut client_sockets);
        for frame in client_end.outgoing.drain(..) {
            match handshakes.look_at(&frame, NOW_S) {
                Visit::Other | Visit::Connection(_) => server_end.incoming.push_back(frame),
                Visit::Early => {}
                Visit::Request(answer) => client_end.incoming.push_back(answer.frame().to_vec()),
                Visit::Opening(opening) => {
                    let socket = established(&opening, &frame, now);
                    serving = Some(server_sockets.add(socket));
                    handshakes.opened(opening.flow(), 0);
                }
            }
        }
        server.poll(now, &mut server_end, &mut server_sockets);
        client_end.incoming.append(&mut server_end.outgoing);
        if let Some(serving) = serving {
            let socket = server_sockets.get_mut::<Socket>(serving);
            if socket.can_recv() {
                let _ = socket.recv(|bytes| {
                    echoed.extend_from_slice(bytes);
                    (bytes.len(), ())
                });
            }
            let taken = socket.send_slice(&echoed).unwrap_or(0);
            echoed.drain(..taken);
        }
        let asking = client_sockets.get_mut::<Socket>(handle);
        if asking.can_send() {
            sent += asking.send_slice(&text[sent..]).unwrap();
        }
        if asking.can_recv() {
            let _ = asking.recv(|bytes| {
                back.extend_from_slice(bytes);
                (bytes.len(), ())
            });
        }
        if back.len() == text.len() {
            break;
        }
    }
    assert!(back == text, "{} of {} bytes", back.len(), text.len());
}
