//! A socket of smoltcp's that enters a connection whose handshake is over.
//!
//! smoltcp has no call for that, so the handshake is played to the socket alone: an interface of its own shows it the SYN,
//! takes its SYN-ACK and shows it the segment that completed the handshake. smoltcp draws the socket's sequence number
//! from the generator of the interface, whose seed is chosen so that the number drawn is the one that the client knows. If smoltcp came to draw otherwise, the socket would not take the client's acknowledgement, no connection would
//! come about, and the tests of this crate would say so.

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Instant;
use smoltcp::wire::{
    HardwareAddress, IpCidr, IpProtocol, Ipv4Repr, TcpControl, TcpRepr, TcpSeqNumber,
};

use crate::handshakes::Opening;
use crate::segment::{ETHERNET_BYTES, emit};

/// The longest datagram.
const DATAGRAM_BYTES: usize = 1_500;
/// A SYN: headers and options.
const SYN_BYTES: usize = 48;

/// smoltcp's generator, sPCG32: before each number the state is multiplied by this…
const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
/// …and this is added.
const INCREMENT: u64 = 0x7590_ef39;
/// The number is what is left of the state when it is shifted by so many bits, less the value of the three highest.
const SHIFT: u32 = 29;

/// Brings `socket`, which must be closed, into the connection that the segment in `frame` completed. `sockets` is an
/// empty set. If the socket does not take the segment, it is closed when it comes back.
#[must_use]
pub fn establish(
    sockets: &mut SocketSet<'static>,
    mut socket: Socket<'static>,
    opening: &Opening,
    frame: &[u8],
    now: Instant,
) -> Socket<'static> {
    if socket.listen(opening.flow.port()).is_err() {
        socket.abort();
        return socket;
    }
    let mut stage = Stage {
        incoming: None,
        outgoing: [0; DATAGRAM_BYTES],
    };
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed_for(opening.ours);
    let mut interface = Interface::new(config, &mut stage, now);
    interface.update_ip_addrs(|addresses| {
        let address = IpCidr::new(opening.address.into(), 32);
        addresses.push(address).expect("there is room for one");
    });
    let handle = sockets.add(socket);
    let syn = syn(opening);
    stage.incoming = Some(&syn);
    let _ = interface.poll_ingress_single(now, &mut stage, sockets);
    let _ = interface.poll_egress(now, &mut stage, sockets);
    stage.incoming = frame.get(ETHERNET_BYTES..);
    let _ = interface.poll_ingress_single(now, &mut stage, sockets);
    let smoltcp::socket::Socket::Tcp(mut socket) = sockets.remove(handle);
    if !matches!(socket.state(), State::Established | State::CloseWait) {
        socket.abort();
    }
    socket
}

/// The SYN as it was, as far as a socket looks at it.
fn syn(opening: &Opening) -> [u8; SYN_BYTES] {
    let segment = TcpRepr {
        src_port: opening.flow.peer_port(),
        dst_port: opening.flow.port(),
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(opening.theirs.cast_signed()),
        ack_number: None,
        window_len: u16::MAX,
        // Our SYN-ACK had none, so the client does not scale either.
        window_scale: None,
        max_seg_size: Some(opening.offer.segment_bytes),
        sack_permitted: opening.offer.sack,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let datagram = Ipv4Repr {
        src_addr: opening.flow.peer(),
        dst_addr: opening.address,
        next_header: IpProtocol::Tcp,
        payload_len: segment.buffer_len(),
        hop_limit: 64,
    };
    let mut bytes = [0; SYN_BYTES];
    let length = datagram.buffer_len() + segment.buffer_len();
    emit(&datagram, &segment, &mut bytes[..length]);
    bytes
}

/// The seed of a generator that draws `number` for a socket. An interface has drawn once before, for identifiers of
/// fragments, until it had one of 16 bits that is not 0.
const fn seed_for(number: u32) -> u64 {
    // The low bits are free.
    let mut state = (number as u64) << SHIFT;
    loop {
        let before = previous(state);
        let drawn = drawn(before);
        if (drawn ^ drawn >> 16) as u16 != 0 {
            return previous(before);
        }
        state += 1;
    }
}

/// The state before `state`.
const fn previous(state: u64) -> u64 {
    state.wrapping_sub(INCREMENT).wrapping_mul(inverse())
}

/// The number that is drawn when the generator has come to `state`.
const fn drawn(state: u64) -> u32 {
    (state >> (SHIFT as u64 - (state >> 61))) as u32
}

/// What undoes a multiplication by [`MULTIPLIER`]. Each turn doubles how many of the low bits are right; of an odd number
/// itself, three are.
const fn inverse() -> u64 {
    let mut inverse = MULTIPLIER;
    let mut turns = 0;
    while turns < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)));
        turns += 1;
    }
    inverse
}

const _: () = assert!(MULTIPLIER.wrapping_mul(inverse()) == 1, "an inverse");

/// A device with a datagram to show; what is sent is not looked at.
struct Stage<'a> {
    incoming: Option<&'a [u8]>,
    outgoing: [u8; DATAGRAM_BYTES],
}

struct Shown<'a>(&'a [u8]);

struct Unseen<'a>(&'a mut [u8; DATAGRAM_BYTES]);

impl Device for Stage<'_> {
    type RxToken<'b>
        = Shown<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Unseen<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(Shown<'_>, Unseen<'_>)> {
        let shown = self.incoming.take()?;
        Some((Shown(shown), Unseen(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Unseen<'_>> {
        Some(Unseen(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = DATAGRAM_BYTES;
        capabilities
    }
}

impl RxToken for Shown<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl TxToken for Unseen<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, bytes: usize, fill: F) -> R {
        fill(&mut self.0[..bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_that_an_interface_draws_is_the_one() {
        for number in (0..300_000_u32).map(|count| count.wrapping_mul(0x9e37_79b9)) {
            let mut state = seed_for(number);
            let mut draw = || {
                state = state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
                drawn(state)
            };
            let first = draw();
            assert_ne!((first ^ first >> 16) as u16, 0, "{number}");
            assert_eq!(draw(), number);
        }
    }
}
