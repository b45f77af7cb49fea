//! The sockets of open connections, each in a set of its own.
//!
//! smoltcp looks at every socket of a set for each packet, and each time that it is asked for what is to be sent. So a
//! connection is a set with one socket: the one to which a packet belongs is found by its flow (`luge_handshake`), and only
//! those are polled of which something has arrived, to which something was done, or whose time has come. What is idle
//! costs nothing.
//!
//! Invariant: a place is in `busy` if and only if it has a moment at which it has to be polled, `due_at`.

use alloc::vec::Vec;

use smoltcp::iface::{Interface, PollResult, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::Socket as AnySocket;
use smoltcp::socket::tcp::Socket;
use smoltcp::time::Instant;

use super::card::Card;

/// Where a connection is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: u16,
    /// Its socket, in the set of the place.
    handle: SocketHandle,
}

/// One of the places.
struct Slot {
    /// No socket, or one.
    sockets: SocketSet<'static>,
    /// When it has to be polled, if nothing arrives before.
    due_at: Option<Instant>,
}

/// All places.
pub(super) struct Sockets {
    slots: Vec<Slot>,
    /// The numbers of places that have to be polled at some time.
    busy: Vec<u16>,
}

impl Sockets {
    /// So many places, all of them empty.
    pub(super) fn new(places: u16) -> Self {
        let slot = |_| Slot {
            sockets: SocketSet::new(Vec::<SocketStorage<'static>>::with_capacity(1)),
            due_at: None,
        };
        Self {
            slots: (0..places).map(slot).collect(),
            busy: Vec::with_capacity(places.into()),
        }
    }

    /// The set of a place to which smoltcp is about to do something.
    pub(super) fn set(&mut self, number: u16) -> &mut SocketSet<'static> {
        let slot = &mut self.slots[usize::from(number)];
        if slot.due_at.replace(Instant::ZERO).is_none() {
            self.busy.push(number);
        }
        &mut slot.sockets
    }

    /// Puts a socket into a place that is empty.
    pub(super) fn put(&mut self, number: u16, socket: Socket<'static>) -> Place {
        let handle = self.set(number).add(socket);
        Place { number, handle }
    }

    /// Takes the socket out of its place. What it would have sent is not sent any more.
    pub(super) fn take(&mut self, place: Place) -> Socket<'static> {
        let slot = &mut self.slots[usize::from(place.number)];
        if slot.due_at.take().is_some() {
            self.busy.retain(|number| *number != place.number);
        }
        let AnySocket::Tcp(socket) = slot.sockets.remove(place.handle);
        socket
    }

    /// The socket of a place, to look at.
    pub(super) fn get(&self, place: Place) -> &Socket<'static> {
        self.slots[usize::from(place.number)]
            .sockets
            .get(place.handle)
    }

    /// The socket of a place, to do something to it.
    pub(super) fn get_mut(&mut self, place: Place) -> &mut Socket<'static> {
        self.set(place.number).get_mut(place.handle)
    }

    /// A neighbour may have been found for which some of them wait.
    pub(super) fn hear_of_neighbour(&mut self) {
        for number in &self.busy {
            self.slots[usize::from(*number)].due_at = Some(Instant::ZERO);
        }
    }

    /// Sends what is due, a packet of each connection in turn. Says when the next is due, which is not in the future if
    /// the card has no room.
    pub(super) fn send(
        &mut self,
        interface: &mut Interface,
        card: &mut Card,
        now: Instant,
    ) -> Option<Instant> {
        let Self { slots, busy } = self;
        let mut was_sent = true;
        while was_sent {
            was_sent = false;
            for number in &*busy {
                let Slot { sockets, due_at } = &mut slots[usize::from(*number)];
                if due_at.is_none_or(|at| at > now) {
                    continue;
                }
                match interface.poll_egress(now, card, sockets) {
                    PollResult::SocketStateChanged => was_sent = true,
                    PollResult::None => *due_at = interface.poll_at(now, sockets),
                }
            }
        }
        let mut next: Option<Instant> = None;
        busy.retain(|number| {
            let due_at = slots[usize::from(*number)].due_at;
            next = next.into_iter().chain(due_at).min();
            due_at.is_some()
        });
        next
    }
}
