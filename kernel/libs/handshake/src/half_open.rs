//! The SYNs that were answered last.

use alloc::vec::Vec;

use crate::cookie::{LIFE_S, Offer};
use crate::flow::Flow;

/// How many are remembered.
pub const HALF_OPEN: usize = 256;
/// How long one is remembered, in seconds.
pub const HALF_OPEN_S: u64 = 64;

/// A handshake of which the last part is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HalfOpen {
    pub(crate) flow: Flow,
    /// The peer's sequence number.
    pub(crate) theirs: u32,
    /// Our sequence number.
    pub(crate) ours: u32,
    pub(crate) offer: Offer,
    pub(crate) since_s: u64,
}

impl HalfOpen {
    fn is_over(&self, now_s: u64) -> bool {
        now_s.saturating_sub(self.since_s) >= HALF_OPEN_S
    }
}

/// A ring: who comes in takes the place of the oldest.
#[derive(Debug)]
pub(crate) struct Table {
    ring: Vec<Option<HalfOpen>>,
    next: usize,
    /// When one was last pushed out before its time.
    flooded_at_s: Option<u64>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            ring: alloc::vec![None; HALF_OPEN],
            next: 0,
            flooded_at_s: None,
        }
    }

    pub(crate) fn find(&self, flow: Flow, now_s: u64) -> Option<&HalfOpen> {
        let mut all = self.ring.iter().flatten();
        all.find(|one| one.flow == flow && !one.is_over(now_s))
    }

    /// Remembers one, in the place of an older one of its flow, if there is one.
    pub(crate) fn put(&mut self, one: HalfOpen) {
        self.remove(one.flow);
        let place = &mut self.ring[self.next];
        if place.is_some_and(|old| !old.is_over(one.since_s)) {
            self.flooded_at_s = Some(one.since_s);
        }
        *place = Some(one);
        self.next = (self.next + 1) % HALF_OPEN;
    }

    pub(crate) fn remove(&mut self, flow: Flow) {
        let mut all = self.ring.iter_mut();
        if let Some(place) = all.find(|place| place.is_some_and(|one| one.flow == flow)) {
            *place = None;
        }
    }

    /// Whether one may have been pushed out whose cookie is still good. If not, a cookie that the table does not know is
    /// one that has been used.
    pub(crate) fn has_forgotten(&self, now_s: u64) -> bool {
        let at_s = self.flooded_at_s;
        at_s.is_some_and(|at_s| now_s.saturating_sub(at_s) < LIFE_S)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn one(port: u16, since_s: u64) -> HalfOpen {
        HalfOpen {
            flow: Flow::new(Ipv4Addr::LOCALHOST, port, 80),
            theirs: 1,
            ours: 2,
            offer: Offer {
                segment_bytes: 1_460,
                sack: true,
            },
            since_s,
        }
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut table = Table::new();
        let ports = 0..=HALF_OPEN as u16;
        ports.for_each(|port| table.put(one(port, 10)));
        assert_eq!(table.find(one(0, 0).flow, 10), None);
        assert_eq!(table.find(one(1, 0).flow, 10), Some(&one(1, 10)));
        assert!(table.has_forgotten(10));
        assert!(!table.has_forgotten(10 + LIFE_S));
    }

    #[test]
    fn nothing_is_forgotten_before_there_are_too_many() {
        let mut table = Table::new();
        (0..HALF_OPEN as u16).for_each(|port| table.put(one(port, 10)));
        assert!(!table.has_forgotten(10));
        // Their time is over.
        table.put(one(9_999, 10 + HALF_OPEN_S));
        assert!(!table.has_forgotten(10 + HALF_OPEN_S));
    }

    #[test]
    fn a_flow_is_there_once_until_its_time_is_over() {
        let mut table = Table::new();
        table.put(one(1, 10));
        table.put(one(1, 20));
        assert_eq!(table.find(one(1, 0).flow, 20), Some(&one(1, 20)));
        assert_eq!(table.find(one(1, 0).flow, 20 + HALF_OPEN_S), None);
        table.remove(one(1, 0).flow);
        assert_eq!(table.find(one(1, 0).flow, 20), None);
    }
}
