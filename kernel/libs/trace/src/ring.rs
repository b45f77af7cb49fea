//! The last events.

use alloc::vec::Vec;
use core::mem::offset_of;

use crate::Event;

/// A ring of events: each new one takes the place of the oldest once it is full.
///
/// Invariant: memory is taken once, by [`with_room`](Self::with_room); [`push`](Self::push) never asks for
/// any.
#[derive(Default)]
pub struct Ring {
    events: Vec<Event>,
    room: usize,
    /// Where the oldest is, once the ring is full.
    oldest: usize,
    /// How many there ever were.
    taken: u64,
}

impl Ring {
    /// A ring that holds nothing and loses everything.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            events: Vec::new(),
            room: 0,
            oldest: 0,
            taken: 0,
        }
    }

    /// A ring for so many events. Without memory for them, one that holds none.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        let mut ring = Self::new();
        if ring.events.try_reserve_exact(room).is_ok() {
            ring.room = room;
        }
        ring
    }

    /// Takes an event in.
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.taken += 1;
        if self.events.len() < self.room {
            self.events.push(event);
            return;
        }
        if let Some(place) = self.events.get_mut(self.oldest) {
            *place = event;
            self.oldest += 1;
            if self.oldest == self.room {
                self.oldest = 0;
            }
        }
    }

    /// The events, from the oldest on.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        let (newer, older) = self.events.split_at(self.oldest);
        older.iter().chain(newer)
    }

    /// The event with this number, counted from the first that there ever was, if it is not lost.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Event> {
        let place = usize::try_from(number.checked_sub(self.lost())?).ok()?;
        let (newer, older) = self.events.split_at(self.oldest);
        match place.checked_sub(older.len()) {
            None => older.get(place),
            Some(place) => newer.get(place),
        }
    }

    /// How many events there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many events were lost, because newer ones took their places.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.taken - self.events.len() as u64
    }

    /// The newest `count` events, from the oldest of them on.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &Event> {
        self.events().skip(self.len().saturating_sub(count))
    }

    /// Where the events lie; they stay there.
    #[must_use]
    pub const fn place(&self) -> *const Event {
        self.events.as_ptr()
    }

    /// Where its fields lie, in bytes, for a debugger.
    pub const LAYOUT: [(&'static str, usize); 3] = [
        ("ring.room", offset_of!(Self, room)),
        ("ring.oldest", offset_of!(Self, oldest)),
        ("ring.taken", offset_of!(Self, taken)),
    ];
}
