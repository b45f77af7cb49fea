//! TCP over the network card: smoltcp behind a few verbs for whoever serves connections.
//!
//! [`Stack`] owns the card, the protocol stack and all sockets. A server calls
//! [`Stack::receive_packets`], deals with its [`Link`]s, and calls [`Stack::send_packets`], which says
//! when the stack wants to be called again. Between those calls nothing happens: the card's
//! interrupt only asks the dispatcher for attention.
//!
//! Sockets and their buffers are allocated once, at boot. None listens: handshakes are led in front of smoltcp
//! (`luge_handshake`), and a socket is taken when one is complete. When none is left, the segment that completes a
//! handshake is not acknowledged, and the client sends it again with its request.
//!
//! A packet costs what its own connection costs, and no more for all others ([`sockets`], decision 51).
//!
//! Invariant: every socket is in one place: on the shelf, with the server as a [`Link`] (or about to be accepted), or
//! closing.

#![deny(unsafe_code)]

mod card;
mod pool;
mod sockets;

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use luge_handshake::{Handshakes, KEY_BYTES, Opening, Server};
use luge_spec::command_line::Options;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant as StackInstant};
use smoltcp::wire::{EthernetAddress, IpCidr};
use virtio_drivers::transport::DeviceType;

use crate::arch::time::Instant;
use crate::arch::{interrupts, random};
use crate::sched;
use crate::virtio::{self, Network};
use card::{Arrival, Card};
use pool::{Opened, Pool, RECEIVE_BYTES, Standing};

pub use card::{RECEIVED, SENT};
pub use pool::Link;

/// The time between two probes.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Packets taken in by one call, so that a flood of them cannot keep the dispatcher for ever.
const PACKETS_AT_ONCE: usize = 256;

/// The global system interrupt of the card, for its handler.
static INTERRUPT: AtomicU32 = AtomicU32::new(u32::MAX);

/// Why there is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoNetwork {
    /// No window has a network card behind it.
    NoCard,
    /// The card could not be started.
    Card(virtio_drivers::Error),
    /// There is no interrupt vector left for the card.
    NoInterrupt,
}

impl fmt::Display for NoNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCard => formatter.write_str("no network card was found"),
            Self::Card(error) => write!(formatter, "the network card does not start: {error}"),
            Self::NoInterrupt => formatter.write_str("no interrupt is left for the network card"),
        }
    }
}

/// What the peer of a link is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It may send, and it is listening.
    Open,
    /// It has said that it will send nothing more. It may or may not be listening.
    Finished,
    /// The connection is broken.
    Gone,
}

/// Card, protocol and sockets.
pub struct Stack {
    interface: Interface,
    card: Card,
    pool: Pool,
    /// For packets that belong to no connection.
    no_sockets: SocketSet<'static>,
    operators: Option<u16>,
    /// The card was not asked to the end, so it will not interrupt.
    more_has_arrived: bool,
}

impl Stack {
    /// Takes the network card and listens on these ports with the addresses of the command line. `operators` is the one
    /// of them that only the operator uses, if there is one.
    ///
    /// # Errors
    /// [`NoNetwork`], with which the kernel can go on.
    pub fn start(
        options: &Options,
        ports: &[u16],
        operators: Option<u16>,
        now: Instant,
    ) -> Result<Self, NoNetwork> {
        let (transport, place) = virtio::take(DeviceType::Network).ok_or(NoNetwork::NoCard)?;
        let mut card = Card::new(Network::start(transport).map_err(NoNetwork::Card)?);
        let interface = start_interface(&mut card, options, now);
        let connections = usize::from(options.max_connections);
        let pool = Pool::new(connections, operators.is_some());
        card.lead(start_handshakes(&card, options, ports, pool.total()));
        INTERRUPT.store(place.gsi, Relaxed);
        interrupts::register(place.gsi, on_interrupt).map_err(|_| NoNetwork::NoInterrupt)?;
        log::info!(
            "{}/{} on {}, ports {ports:?}, {} connections at once",
            options.ip,
            options.prefix,
            EthernetAddress(card.hardware_address()),
            pool.connections(),
        );
        Ok(Self {
            interface,
            card,
            pool,
            no_sockets: SocketSet::new(Vec::new()),
            operators,
            more_has_arrived: false,
        })
    }

    /// Takes in what has arrived, and tells `heard` of each connection to which some of it belongs, by its place.
    pub fn receive_packets(&mut self, now: Instant, mut heard: impl FnMut(u16)) {
        let stack_now = stack_time(now);
        self.more_has_arrived = true;
        for _ in 0..PACKETS_AT_ONCE {
            match self.card.next_arrival(stack_now) {
                Some(Arrival::Segment(place)) => {
                    self.show(Some(place), stack_now);
                    heard(place);
                }
                Some(Arrival::Opening(opening)) => self.open(&opening, stack_now),
                Some(Arrival::Handshake) => {}
                Some(Arrival::Neighbour) => {
                    self.show(None, stack_now);
                    self.pool.sockets().hear_of_neighbour();
                }
                Some(Arrival::Other) => self.show(None, stack_now),
                None => {
                    self.more_has_arrived = false;
                    break;
                }
            }
        }
    }

    /// Shows smoltcp the packet that has arrived, and the socket to which it belongs.
    fn show(&mut self, place: Option<u16>, now: StackInstant) {
        let sockets = match place {
            Some(place) => self.pool.set(place),
            None => &mut self.no_sockets,
        };
        let card = &mut self.card;
        // There is no more to do for those that are polled afterwards, whatever it says.
        let _ = self.interface.poll_ingress_single(now, card, sockets);
    }

    /// Opens the connection whose handshake the last packet has completed.
    fn open(&mut self, opening: &Opening, now: StackInstant) {
        let flow = opening.flow();
        let standing = match self.card.has_share(flow) {
            _ if self.operators == Some(flow.port()) => Standing::Operator,
            true => Standing::Served,
            false => Standing::Newcomer,
        };
        let frame = self.card.last_frame();
        if let Opened::At(place) = self.pool.open(opening, frame, standing, now) {
            self.card.opened(flow, place);
        }
    }

    /// Sends what is due, and says when to call both again at the latest.
    pub fn send_packets(&mut self, now: Instant) -> Option<Instant> {
        let stack_now = stack_time(now);
        let close_at = self.pool.tidy(now, |flow| self.card.closed(flow));
        let sockets = self.pool.sockets();
        let stack_at = sockets.send(&mut self.interface, &mut self.card, stack_now);
        self.card.tell(now);
        let stack_at =
            stack_at.map(|at| Instant::from_ns(at.total_micros().cast_unsigned() * 1_000));
        let arrived_at = self.more_has_arrived.then_some(now);
        [stack_at, close_at, arrived_at].into_iter().flatten().min()
    }

    /// Keeps the card from interrupting until the next [`Stack::receive_packets`], for a caller that has
    /// set a time for it.
    pub fn hush(&mut self) {
        self.card.hush();
    }

    /// The next connection that has come about.
    pub fn accept(&mut self) -> Option<Link> {
        self.pool.accept()
    }

    /// How many sockets there are.
    pub fn sockets(&self) -> usize {
        self.pool.total()
    }

    /// How many connections have to end, so that whoever comes next finds a socket.
    pub fn lacking(&self) -> usize {
        self.pool.lacking()
    }

    /// What the peer is doing.
    pub fn peer(&self, link: &Link) -> Peer {
        match self.pool.peek(link).state() {
            State::Established => Peer::Open,
            State::CloseWait => Peer::Finished,
            _ => Peer::Gone,
        }
    }

    /// Whether bytes have arrived that nobody has read.
    pub fn can_read(&self, link: &Link) -> bool {
        self.pool.peek(link).can_recv()
    }

    /// Shows `take` what has arrived, until it takes less than it is shown.
    pub fn read(&mut self, link: &Link, mut take: impl FnMut(&[u8]) -> usize) {
        if !self.can_read(link) {
            return;
        }
        let socket = self.pool.socket(link);
        while socket.can_recv() {
            let all = socket.recv(|bytes| {
                let taken = take(bytes);
                (taken, taken == bytes.len())
            });
            if all != Ok(true) {
                break;
            }
        }
    }

    /// Queues bytes to be sent and says how many there was room for.
    pub fn write(&mut self, link: &Link, bytes: &[u8]) -> usize {
        // A broken connection takes nothing; `peer` tells.
        self.pool.socket(link).send_slice(bytes).unwrap_or(0)
    }

    /// Has the peer asked from now on whether it still knows of the connection, when nothing else is sent.
    pub fn keep_alive(&mut self, link: &Link) {
        self.pool.socket(link).set_keep_alive(Some(KEEP_ALIVE));
    }

    /// Ends a connection properly: what was written is sent, then the end; what still comes is
    /// read and dropped, since a reset could overtake what was written.
    pub fn close(&mut self, link: Link, now: Instant) {
        self.pool.close(link, now);
    }

    /// Breaks a connection off: the peer is told that it was reset.
    pub fn abort(&mut self, link: Link, now: Instant) {
        self.pool.abort(link, now);
    }
}

fn start_handshakes(
    card: &Card,
    options: &Options,
    ports: &[u16],
    connections: usize,
) -> Handshakes {
    let mut key = [0; KEY_BYTES];
    random::fill(&mut key);
    let server = Server {
        hardware: EthernetAddress(card.hardware_address()),
        address: options.ip,
        ports,
        window: RECEIVE_BYTES,
        connections,
    };
    Handshakes::new(&server, &key)
}

fn start_interface(card: &mut Card, options: &Options, now: Instant) -> Interface {
    let address = EthernetAddress(card.hardware_address());
    // It draws no numbers that matter: sequence numbers are those of the handshakes.
    let config = Config::new(address.into());
    let mut interface = Interface::new(config, card, stack_time(now));
    interface.update_ip_addrs(|addresses| {
        let address = IpCidr::new(options.ip.into(), options.prefix);
        addresses
            .push(address)
            .expect("there is room for one address");
    });
    interface
        .routes_mut()
        .add_default_ipv4_route(options.gateway)
        .expect("there is room for one route");
    interface
}

/// Quietens the card and asks the dispatcher to look at it.
fn on_interrupt() {
    if virtio::acknowledge(INTERRUPT.load(Relaxed)) {
        sched::want_attention();
    }
}

/// smoltcp counts microseconds.
fn stack_time(now: Instant) -> StackInstant {
    StackInstant::from_micros((now.as_ns() / 1_000).cast_signed())
}
