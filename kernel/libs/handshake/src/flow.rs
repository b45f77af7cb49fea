//! Which connection a segment belongs to.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// The peer's address and port, and our port. Our address is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow(u64);

impl Flow {
    /// The flow between a peer's port and one of ours.
    #[must_use]
    pub const fn new(peer: Ipv4Addr, peer_port: u16, port: u16) -> Self {
        Self((peer.to_bits() as u64) << 32 | (peer_port as u64) << 16 | port as u64)
    }

    /// The peer's address.
    #[must_use]
    pub const fn peer(self) -> Ipv4Addr {
        Ipv4Addr::from_bits((self.0 >> 32) as u32)
    }

    /// The peer's port.
    #[must_use]
    pub const fn peer_port(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Our port.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.0 as u16
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }
}

/// The flows of all connections, sorted.
#[derive(Debug)]
pub(crate) struct Flows(Vec<Flow>);

impl Flows {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Self {
        Self(Vec::with_capacity(most))
    }

    pub(crate) fn has(&self, flow: Flow) -> bool {
        self.0.binary_search(&flow).is_ok()
    }

    pub(crate) fn insert(&mut self, flow: Flow) {
        if let Err(index) = self.0.binary_search(&flow) {
            self.0.insert(index, flow);
        }
    }

    pub(crate) fn remove(&mut self, flow: Flow) {
        if let Ok(index) = self.0.binary_search(&flow) {
            self.0.remove(index);
        }
    }
}
