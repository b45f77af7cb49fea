//! The sockets, and where each of them is.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Duration;

use crate::arch::paging::PAGE_BYTES;
use crate::arch::time::Instant;
use crate::mm;

/// What arrives faster than it is read, at most, in bytes.
const RECEIVE_BYTES: usize = 16 * 1024;
/// What is sent and not yet acknowledged, at most, in bytes.
const SEND_BYTES: usize = 32 * 1024;
/// Of the memory that is free at boot, one part in so many is for sockets at most.
const MEMORY_SHARE: usize = 4;
/// How long the three-way handshake may take.
const OPENING_NS: u64 = 10_000_000_000;
/// How long a client may take to read the rest of an answer and to close its side.
const CLOSING_NS: u64 = 10_000_000_000;

/// How long a socket stays for its last acknowledgement to be sent, and once more if that is lost. The
/// four minutes of the standard are for networks where segments wander; old ones do not fit a new
/// connection here, whose sequence number is random.
const TIME_WAIT_NS: u64 = 20_000_000;
/// How long a reset may take to be sent.
const RESET_NS: u64 = 1_000_000_000;
/// How long the acknowledgement of a request waits for the answer to go with.
const ACKNOWLEDGE_MS: u64 = 10;

/// A connection in the server's hands. Given back with `Stack::close` or `Stack::abort`.
#[derive(Debug)]
#[must_use = "a link that is dropped is a socket lost"]
pub struct Link(SocketHandle);

/// A port, and the socket that listens there, if one is left for it.
struct Port {
    number: u16,
    listener: Option<SocketHandle>,
}

/// A connection that is coming about or going away, until a moment at the latest.
struct Passing {
    handle: SocketHandle,
    port: u16,
    until: Instant,
}

/// All sockets.
pub(super) struct Pool {
    sockets: SocketSet<'static>,
    shelf: Vec<Socket<'static>>,
    ports: Vec<Port>,
    opening: Vec<Passing>,
    established: VecDeque<(u16, Link)>,
    closing: Vec<Passing>,
    connections: usize,
}

impl Pool {
    /// Sockets for this many connections, and one more for each port to listen with; fewer if
    /// memory is short.
    pub(super) fn new(connections: usize, ports: &[u16]) -> Self {
        let wanted = connections + ports.len();
        let total = wanted.min(affordable());
        let shelf: Vec<_> = (0..total).map_while(|_| new_socket()).collect();
        if shelf.len() < wanted {
            log::warn!("memory for {} of {wanted} sockets only", shelf.len());
        }
        let ports = ports.iter().map(|number| Port {
            number: *number,
            listener: None,
        });
        Self {
            sockets: SocketSet::new(Vec::<SocketStorage<'static>>::with_capacity(total)),
            connections: shelf.len().saturating_sub(ports.len()),
            shelf,
            ports: ports.collect(),
            opening: Vec::with_capacity(total),
            established: VecDeque::with_capacity(total),
            closing: Vec::with_capacity(total),
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    pub(super) fn spare(&self) -> usize {
        self.shelf.len()
    }

    pub(super) fn sockets(&mut self) -> &mut SocketSet<'static> {
        &mut self.sockets
    }

    pub(super) fn socket(&mut self, link: &Link) -> &mut Socket<'static> {
        self.sockets.get_mut(link.0)
    }

    /// Ports where nobody listens.
    pub(super) fn deaf_ports(&self) -> impl Iterator<Item = u16> {
        self.ports
            .iter()
            .filter(|port| port.listener.is_none())
            .map(|port| port.number)
    }

    /// Has a socket listen on every port, as far as there are sockets.
    pub(super) fn replenish(&mut self) {
        for port in self.ports.iter_mut().filter(|port| port.listener.is_none()) {
            let Some(mut socket) = self.shelf.pop() else {
                return;
            };
            socket.set_ack_delay(Some(Duration::from_millis(ACKNOWLEDGE_MS)));
            socket
                .listen(port.number)
                .expect("a socket from the shelf is closed");
            port.listener = Some(self.sockets.add(socket));
        }
    }

    /// Finds listening sockets that a client has taken, and puts others in their place.
    pub(super) fn notice_opening(&mut self, now: Instant) {
        for port in &mut self.ports {
            let Some(handle) = port.listener else {
                continue;
            };
            if self.sockets.get::<Socket>(handle).state() != State::Listen {
                let until = now.plus_ns(OPENING_NS);
                self.opening.push(Passing {
                    handle,
                    port: port.number,
                    until,
                });
                port.listener = None;
            }
        }
        self.replenish();
    }

    /// Finds connections that have come about, and those that never will.
    pub(super) fn notice_established(&mut self, now: Instant) {
        let Self {
            sockets,
            opening,
            established,
            closing,
            ..
        } = self;
        opening.retain(|passing| {
            let socket = sockets.get_mut::<Socket>(passing.handle);
            match socket.state() {
                State::SynReceived if now < passing.until => return true,
                State::Established | State::CloseWait => {
                    established.push_back((passing.port, Link(passing.handle)));
                }
                _ => {
                    socket.abort();
                    closing.push(Passing {
                        until: now.plus_ns(CLOSING_NS),
                        ..*passing
                    });
                }
            }
            false
        });
    }

    pub(super) fn accept(&mut self) -> Option<(u16, Link)> {
        self.established.pop_front()
    }

    pub(super) fn close(&mut self, link: Link, now: Instant) {
        let socket = self.socket(&link);
        // No answer will come that an acknowledgement could go with.
        socket.set_ack_delay(None);
        socket.close();
        self.pass(link, now);
    }

    pub(super) fn abort(&mut self, link: Link, now: Instant) {
        self.socket(&link).abort();
        self.pass(link, now);
    }

    fn pass(&mut self, link: Link, now: Instant) {
        let until = now.plus_ns(CLOSING_NS);
        self.closing.push(Passing {
            handle: link.0,
            port: 0,
            until,
        });
    }

    /// Puts sockets whose connection is over back on the shelf, and says when the next one's time is
    /// up.
    pub(super) fn tidy(&mut self, now: Instant) -> Option<Instant> {
        let Self {
            sockets,
            shelf,
            closing,
            ..
        } = self;
        // With the shelf empty, clients that only have to close their side cannot be waited for.
        let hurry = shelf.is_empty();
        closing.retain_mut(|passing| {
            let socket = sockets.get_mut::<Socket>(passing.handle);
            // Nobody reads this any more.
            while socket.can_recv() && socket.recv(|bytes| (bytes.len(), ())).is_ok() {}
            let time_is_up = now >= passing.until;
            match socket.state() {
                State::TimeWait if !time_is_up => {
                    passing.until = passing.until.min(now.plus_ns(TIME_WAIT_NS));
                    return true;
                }
                // The peer is forgotten once it has been sent the reset.
                State::Closed if !time_is_up && socket.remote_endpoint().is_some() => return true,
                State::TimeWait | State::Closed => {}
                state => {
                    if time_is_up || (hurry && state == State::FinWait2) {
                        socket.abort();
                        passing.until = now.plus_ns(RESET_NS);
                    }
                    return true;
                }
            }
            shelve(sockets, shelf, passing.handle);
            false
        });
        let closing = closing.iter().map(|passing| passing.until);
        closing
            .chain(self.opening.iter().map(|passing| passing.until))
            .min()
    }
}

fn shelve(
    sockets: &mut SocketSet<'static>,
    shelf: &mut Vec<Socket<'static>>,
    handle: SocketHandle,
) {
    let AnySocket::Tcp(mut socket) = sockets.remove(handle);
    // From TIME-WAIT; a socket out of the set sends nothing.
    socket.abort();
    shelf.push(socket);
}

/// A closed socket, if there is memory for its buffers.
fn new_socket() -> Option<Socket<'static>> {
    let mut socket = Socket::new(buffer(RECEIVE_BYTES)?, buffer(SEND_BYTES)?);
    // Answers are written whole; what is left of them is not to wait for an acknowledgement.
    socket.set_nagle_enabled(false);
    Some(socket)
}

fn buffer(bytes: usize) -> Option<SocketBuffer<'static>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes).ok()?;
    memory.resize(bytes, 0);
    Some(SocketBuffer::new(memory))
}

/// How many sockets fit in the part of the free memory that the network may take.
fn affordable() -> usize {
    let free_bytes = mm::statistics().frames_free * PAGE_BYTES as usize;
    free_bytes / MEMORY_SHARE / (RECEIVE_BYTES + SEND_BYTES)
}
