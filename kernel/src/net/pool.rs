//! The sockets, and where each of them is.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use luge_handshake::{Flow, Opening, establish};
use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant as StackInstant};

use crate::arch::paging::PAGE_BYTES;
use crate::arch::time::Instant;
use crate::mm;

/// What arrives faster than it is read, at most, in bytes.
pub(super) const RECEIVE_BYTES: u16 = 16 * 1024;
/// What is sent and not yet acknowledged, at most, in bytes.
const SEND_BYTES: usize = 32 * 1024;
/// Of the memory that is free at boot, one part in so many is for sockets at most.
const MEMORY_SHARE: usize = 4;
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
pub struct Link {
    handle: SocketHandle,
    flow: Flow,
}

impl Link {
    /// Our port.
    pub fn port(&self) -> u16 {
        self.flow.port()
    }
}

/// A connection that is going away, until a moment at the latest.
struct Closing {
    link: Link,
    until: Instant,
}

/// What came of the end of a handshake.
#[must_use]
pub(super) enum Opened {
    /// The connection is there.
    Yes,
    /// There is no socket for it. The client asks again when it sends something.
    NoSocket,
    /// The segment was not in order.
    No,
}

/// All sockets.
pub(super) struct Pool {
    sockets: SocketSet<'static>,
    /// Where a socket enters its connection.
    stage: SocketSet<'static>,
    shelf: Vec<Socket<'static>>,
    established: VecDeque<Link>,
    closing: Vec<Closing>,
    connections: usize,
    turned_away: bool,
}

impl Pool {
    /// Sockets for this many connections; fewer if memory is short.
    pub(super) fn new(wanted: usize) -> Self {
        let total = wanted.min(affordable());
        let shelf: Vec<_> = (0..total).map_while(|_| new_socket()).collect();
        if shelf.len() < wanted {
            log::warn!("memory for {} of {wanted} sockets only", shelf.len());
        }
        let storage = |sockets| Vec::<SocketStorage<'static>>::with_capacity(sockets);
        Self {
            sockets: SocketSet::new(storage(total)),
            stage: SocketSet::new(storage(1)),
            connections: shelf.len(),
            shelf,
            established: VecDeque::with_capacity(total),
            closing: Vec::with_capacity(total),
            turned_away: false,
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
        self.sockets.get_mut(link.handle)
    }

    /// Takes a socket for a handshake that the segment in `frame` has completed.
    pub(super) fn open(&mut self, opening: &Opening, frame: &[u8], now: StackInstant) -> Opened {
        let Some(mut socket) = self.shelf.pop() else {
            self.turned_away = true;
            return Opened::NoSocket;
        };
        socket.set_ack_delay(Some(Duration::from_millis(ACKNOWLEDGE_MS)));
        let socket = establish(&mut self.stage, socket, opening, frame, now);
        if !socket.is_open() {
            self.shelf.push(socket);
            return Opened::No;
        }
        self.established.push_back(Link {
            handle: self.sockets.add(socket),
            flow: opening.flow(),
        });
        Opened::Yes
    }

    /// Whether a client was left without a socket since the last call.
    pub(super) fn take_turned_away(&mut self) -> bool {
        core::mem::take(&mut self.turned_away)
    }

    pub(super) fn accept(&mut self) -> Option<Link> {
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
        self.closing.push(Closing { link, until });
    }

    /// Puts sockets whose connection is over back on the shelf and tells `closed` of each, and says when the next one's
    /// time is up.
    pub(super) fn tidy(&mut self, now: Instant, mut closed: impl FnMut(Flow)) -> Option<Instant> {
        let Self {
            sockets,
            shelf,
            closing,
            ..
        } = self;
        // With the shelf empty, clients that only have to close their side cannot be waited for.
        let hurry = shelf.is_empty();
        closing.retain_mut(|closing| {
            let socket = sockets.get_mut::<Socket>(closing.link.handle);
            // Nobody reads this any more.
            while socket.can_recv() && socket.recv(|bytes| (bytes.len(), ())).is_ok() {}
            let time_is_up = now >= closing.until;
            match socket.state() {
                State::TimeWait if !time_is_up => {
                    closing.until = closing.until.min(now.plus_ns(TIME_WAIT_NS));
                    return true;
                }
                // The peer is forgotten once it has been sent the reset.
                State::Closed if !time_is_up && socket.remote_endpoint().is_some() => return true,
                State::TimeWait | State::Closed => {}
                state => {
                    if time_is_up || (hurry && state == State::FinWait2) {
                        socket.abort();
                        closing.until = now.plus_ns(RESET_NS);
                    }
                    return true;
                }
            }
            closed(closing.link.flow);
            shelve(sockets, shelf, closing.link.handle);
            false
        });
        closing.iter().map(|closing| closing.until).min()
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
    socket.set_keep_alive(None);
    shelf.push(socket);
}

/// A closed socket, if there is memory for its buffers.
fn new_socket() -> Option<Socket<'static>> {
    let mut socket = Socket::new(buffer(RECEIVE_BYTES.into())?, buffer(SEND_BYTES)?);
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
    free_bytes / MEMORY_SHARE / (usize::from(RECEIVE_BYTES) + SEND_BYTES)
}
