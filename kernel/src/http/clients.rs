//! All clients, and which of them have something to do.
//!
//! A client that waits for its peer to send something *rests*: it is not looked at until a packet of its connection arrives, its
//! time is up, or its place is wanted. So a turn of the server costs what happens on connections, and not what there are.
//!
//! Invariant: a place is in `awake` if and only if its client is there and does not rest.

use alloc::vec::Vec;

use super::client::Client;
use crate::arch::time::{Instant, earlier};
use crate::net::Link;

/// A client, and whether it rests.
struct Slot {
    client: Client,
    /// Nothing for one that is awake; else until when it rests, if it has an end.
    rests: Option<Option<Instant>>,
}

/// All clients, by the places of their connections.
pub(super) struct Clients {
    slots: Vec<Option<Slot>>,
    /// Places of those that do not rest.
    awake: Vec<u16>,
    /// How many there are.
    count: usize,
    /// No client rests until a moment before this one. It may be too early, since a client that has been woken is not looked
    /// for here.
    wake_at: Option<Instant>,
}

impl Clients {
    /// Nobody, and room for so many.
    pub(super) fn new(places: usize) -> Self {
        Self {
            slots: (0..places).map(|_| None).collect(),
            awake: Vec::with_capacity(places),
            count: 0,
            wake_at: None,
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many of them rest.
    pub(super) fn resting(&self) -> usize {
        self.count - self.awake.len()
    }

    /// One more, which is awake.
    pub(super) fn add(&mut self, link: Link, now: Instant) {
        let place = link.place();
        let client = Client::new(link, now);
        let rests = None;
        self.slots[usize::from(place)] = Some(Slot { client, rests });
        self.awake.push(place);
        self.count += 1;
    }

    /// Wakes the client at a place, if there is one.
    pub(super) fn wake(&mut self, place: u16) {
        if let Some(slot) = &mut self.slots[usize::from(place)]
            && slot.rests.take().is_some()
        {
            self.awake.push(place);
        }
    }

    /// Wakes those that rest until now.
    pub(super) fn wake_due(&mut self, now: Instant) {
        if self.wake_at.is_none_or(|at| now < at) {
            return;
        }
        self.wake_at = None;
        for place in 0..self.slots.len() {
            let slot = self.slots[place].as_ref();
            match slot.and_then(|slot| slot.rests).flatten() {
                Some(until) if until <= now => self.wake(place as u16),
                until => self.wake_at = earlier(self.wake_at, until),
            }
        }
    }

    /// When to call [`Clients::wake_due`] at the latest.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    /// The first, second… of those that are awake.
    pub(super) fn nth_awake(&mut self, index: usize) -> Option<&mut Client> {
        let place = usize::from(*self.awake.get(index)?);
        let slot = self.slots[place].as_mut()?;
        Some(&mut slot.client)
    }

    /// Lets this one of those that are awake rest; the last of them takes its place in the order.
    pub(super) fn rest(&mut self, index: usize, until: Option<Instant>) {
        let place = self.awake.swap_remove(index);
        if let Some(slot) = &mut self.slots[usize::from(place)] {
            slot.rests = Some(until);
            self.wake_at = earlier(self.wake_at, until);
        }
    }

    /// Takes this one of those that are awake out; the last of them takes its place in the order.
    pub(super) fn remove(&mut self, index: usize) -> Client {
        let place = self.awake.swap_remove(index);
        let slot = self.slots[usize::from(place)].take();
        self.count -= 1;
        slot.expect("who is awake is there").client
    }

    /// All that are awake.
    pub(super) fn awake(&self) -> impl Iterator<Item = &Client> {
        let slots = self
            .awake
            .iter()
            .map(|place| &self.slots[usize::from(*place)]);
        slots.flatten().map(|slot| &slot.client)
    }

    /// All, with their places.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Client)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(place, slot)| Some((place, &slot.as_ref()?.client)))
    }

    /// Has the client at a place given up by its next step, which is in this turn.
    pub(super) fn give_up(&mut self, place: usize) {
        if let Some(slot) = &mut self.slots[place] {
            slot.client.give_up();
        }
        self.wake(place as u16);
    }
}
