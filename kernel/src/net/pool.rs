//! The connections, and the sockets for those that come.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use luge_handshake::{Flow, Opening, establish};
use smoltcp::iface::SocketSet;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant as StackInstant};

use super::sockets::{Place, Sockets};
use crate::arch::paging::PAGE_BYTES;
use crate::arch::time::{Instant, earlier};
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
/// How long a closing connection is waited for while sockets are lacking.
const HURRY_NS: u64 = 250_000_000;
/// One socket for so many connections is kept free for whoever comes next…
const SPARE_SHARE: usize = 16;
/// …and so many are always enough.
const MOST_SPARE: usize = 8;
/// So many more are for the operator alone, if its pages have a port of their own.
const OPERATORS: usize = 2;
/// How long a reset may take to be sent.
const RESET_NS: u64 = 1_000_000_000;
/// How long the acknowledgement of a request waits for the answer to go with.
const ACKNOWLEDGE_MS: u64 = 10;

/// A connection in the server's hands. Given back with `Stack::close` or `Stack::abort`.
#[derive(Debug)]
#[must_use = "a link that is dropped is a socket lost"]
pub struct Link {
    place: Place,
    flow: Flow,
}

impl Link {
    /// The number of its place, which no other link has at the same time. There are as many as sockets.
    pub fn place(&self) -> u16 {
        self.place.number
    }

    /// The peer's address.
    pub fn peer(&self) -> Ipv4Addr {
        self.flow.peer()
    }

    /// Our port.
    pub fn port(&self) -> u16 {
        self.flow.port()
    }
}

/// A connection that is going away, until a moment at the latest.
struct Closing {
    link: Link,
    since: Instant,
    until: Instant,
    /// All that was sent on it had arrived. What comes now is not acknowledged.
    is_answered: bool,
}

/// For whom a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Who asks for the operator's pages, at a port of their own.
    Operator,
    /// Who has less than an equal share of the connections.
    Newcomer,
    /// Who has as much, or more.
    Served,
}

/// What came of the end of a handshake.
#[must_use]
pub(super) enum Opened {
    /// The connection is there, at the place with this number.
    At(u16),
    /// There is no socket for it, or the segment was not in order. The client sends it again.
    No,
}

/// A socket that waits for a connection.
struct Shelved {
    /// The number of its place, which is empty.
    place: u16,
    socket: Socket<'static>,
}

/// All sockets.
pub(super) struct Pool {
    sockets: Sockets,
    shelf: Vec<Shelved>,
    established: VecDeque<Link>,
    closing: Vec<Closing>,
    connections: usize,
    /// How many are kept free.
    spare: usize,
    /// How many of these only the operator gets.
    operators: usize,
}

impl Pool {
    /// Sockets for this many connections, and some that are kept free; fewer if memory is short.
    pub(super) fn new(connections: usize, operator_has_port: bool) -> Self {
        let spare = connections.div_ceil(SPARE_SHARE).min(MOST_SPARE);
        let operators = if operator_has_port { OPERATORS } else { 0 };
        let wanted = connections + spare + operators;
        let most = u16::try_from(wanted.min(affordable())).unwrap_or(u16::MAX);
        let shelved = |place| new_socket().map(|socket| Shelved { place, socket });
        let shelf: Vec<_> = (0..most).map_while(shelved).collect();
        let total = shelf.len();
        if total < wanted {
            log::warn!("memory for {total} of {wanted} sockets only");
        }
        // If there are very few, none is kept back.
        let operators = operators.min(total / 4);
        let spare = operators + spare.min(total / 4);
        Self {
            sockets: Sockets::new(most),
            shelf,
            established: VecDeque::with_capacity(total),
            closing: Vec::with_capacity(total),
            connections: total - spare,
            spare,
            operators,
        }
    }

    /// How many connections there can be without anybody being given up.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// How many sockets there are.
    pub(super) fn total(&self) -> usize {
        self.connections + self.spare
    }

    /// How many connections too many there are, to keep sockets free for whoever comes next. Those that are being closed
    /// make room soon.
    pub(super) fn lacking(&self) -> usize {
        let free = self.shelf.len() + self.closing.len();
        self.spare.saturating_sub(free)
    }

    /// How many sockets must be left when another is taken.
    fn kept_from(&self, standing: Standing) -> usize {
        match standing {
            Standing::Operator => 0,
            Standing::Newcomer => self.operators,
            Standing::Served => self.operators + (self.spare - self.operators).div_ceil(2),
        }
    }

    /// The set in which the socket of a place is, for a packet that has arrived for it.
    pub(super) fn set(&mut self, place: u16) -> &mut SocketSet<'static> {
        self.sockets.set(place)
    }

    /// All of them, to send what is due.
    pub(super) fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    /// The socket of a connection, to look at.
    pub(super) fn peek(&self, link: &Link) -> &Socket<'static> {
        self.sockets.get(link.place)
    }

    /// The socket of a connection, to do something to it.
    pub(super) fn socket(&mut self, link: &Link) -> &mut Socket<'static> {
        self.sockets.get_mut(link.place)
    }

    /// Takes a socket for a handshake that the segment in `frame` has completed.
    pub(super) fn open(
        &mut self,
        opening: &Opening,
        frame: &[u8],
        standing: Standing,
        now: StackInstant,
    ) -> Opened {
        let is_left = self.shelf.len() > self.kept_from(standing);
        let Some(Shelved { place, mut socket }) = self.shelf.pop_if(|_| is_left) else {
            return Opened::No;
        };
        socket.set_ack_delay(Some(Duration::from_millis(ACKNOWLEDGE_MS)));
        let socket = establish(self.sockets.set(place), socket, opening, frame, now);
        if !socket.is_open() {
            self.shelf.push(Shelved { place, socket });
            return Opened::No;
        }
        self.established.push_back(Link {
            place: self.sockets.put(place, socket),
            flow: opening.flow(),
        });
        Opened::At(place)
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
        let is_answered = self.peek(&link).send_queue() == 0;
        self.closing.push(Closing {
            link,
            since: now,
            until,
            is_answered,
        });
    }

    /// Puts sockets whose connection is over back on the shelf and tells `closed` of each, and says when the next one's
    /// time is up. While sockets are lacking, those that have been closing for longest are not waited for.
    pub(super) fn tidy(&mut self, now: Instant, mut closed: impl FnMut(Flow)) -> Option<Instant> {
        let (spare, few) = (self.spare, self.kept_from(Standing::Served));
        let Self {
            sockets,
            shelf,
            closing,
            ..
        } = self;
        let mut lacking = spare.saturating_sub(shelf.len());
        let is_urgent = shelf.len() <= few;
        let mut next = None;
        closing.retain_mut(|closing| {
            let place = closing.link.place;
            let socket = sockets.get(place);
            if socket.can_recv() {
                // Nobody reads this any more. A request that came too late is not acknowledged.
                let is_late = closing.is_answered && socket.is_open();
                let socket = sockets.get_mut(place);
                if is_late {
                    closing.reset(socket, now);
                }
                while socket.can_recv() && socket.recv(|bytes| (bytes.len(), ())).is_ok() {}
            }
            let socket = sockets.get(place);
            let hurry_at = match socket.state() {
                // A reset is sent at once, if it is known where to.
                State::Closed => closing.since.plus_ns(1),
                // The client has everything.
                _ if is_urgent && socket.send_queue() == 0 => closing.since.plus_ns(1),
                _ => closing.since.plus_ns(HURRY_NS),
            };
            let is_hurried = lacking > 0 && now >= hurry_at;
            lacking = lacking.saturating_sub(1);
            let time_is_up = is_hurried || now >= closing.until;
            let stays = match socket.state() {
                State::TimeWait if !time_is_up => {
                    closing.until = closing.until.min(now.plus_ns(TIME_WAIT_NS));
                    true
                }
                // The peer is forgotten once it has been sent the reset.
                State::Closed => !time_is_up && socket.remote_endpoint().is_some(),
                State::TimeWait => false,
                _ => {
                    if time_is_up {
                        closing.reset(sockets.get_mut(place), now);
                    }
                    true
                }
            };
            if stays {
                let hurry_at = (lacking > 0).then_some(hurry_at);
                next = earlier(next, earlier(Some(closing.until), hurry_at));
            } else {
                closed(closing.link.flow);
                shelf.push(shelved(sockets.take(place), place.number));
            }
            stays
        });
        next
    }
}

impl Closing {
    /// Breaks the connection off, and waits for no more than that.
    fn reset(&mut self, socket: &mut Socket<'static>, now: Instant) {
        socket.abort();
        self.since = now;
        self.until = now.plus_ns(RESET_NS);
    }
}

/// A socket whose connection is over.
fn shelved(mut socket: Socket<'static>, place: u16) -> Shelved {
    // From TIME-WAIT; a socket out of its place sends nothing.
    socket.abort();
    socket.set_keep_alive(None);
    Shelved { place, socket }
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
