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

/// A connection, and the place that its owner has given it.
#[derive(Debug)]
struct Known {
    flow: Flow,
    place: u16,
}

/// The flows of all connections, sorted, so that those of one peer are side by side.
#[derive(Debug)]
pub(crate) struct Flows {
    all: Vec<Known>,
    /// How many peers there are.
    peers: usize,
    /// How many flows there are of each port.
    ports: Vec<(u16, usize)>,
}

impl Flows {
    /// Room for so many, of these ports.
    pub(crate) fn new(most: usize, ports: &[u16]) -> Self {
        Self {
            all: Vec::with_capacity(most),
            peers: 0,
            ports: ports.iter().map(|port| (*port, 0)).collect(),
        }
    }

    /// The place of the connection with this flow, if there is one.
    pub(crate) fn place(&self, flow: Flow) -> Option<u16> {
        let index = self.index(flow).ok()?;
        Some(self.all[index].place)
    }

    pub(crate) fn insert(&mut self, flow: Flow, place: u16) {
        if let Err(index) = self.index(flow) {
            self.peers += usize::from(self.of_peer(flow.peer()) == 0);
            self.all.insert(index, Known { flow, place });
            *self.of_port(flow) += 1;
        }
    }

    pub(crate) fn remove(&mut self, flow: Flow) {
        if let Ok(index) = self.index(flow) {
            self.all.remove(index);
            self.peers -= usize::from(self.of_peer(flow.peer()) == 0);
            *self.of_port(flow) -= 1;
        }
    }

    /// Whether the peer has an equal share of all already, or the port more than that.
    pub(crate) fn has_share(&self, flow: Flow) -> bool {
        let all = self.all.len();
        let of_peer = self.of_peer(flow.peer());
        let others = self.ports.iter().filter(|(_, count)| *count > 0);
        let of_port = self.ports.iter().find(|(port, _)| *port == flow.port());
        let of_port = of_port.map_or(0, |(_, count)| *count);
        (of_peer > 0 && of_peer * self.peers >= all) || of_port * others.count() > all
    }

    /// Where the flow is, or else belongs.
    fn index(&self, flow: Flow) -> Result<usize, usize> {
        self.all.binary_search_by_key(&flow, |known| known.flow)
    }

    fn of_peer(&self, peer: Ipv4Addr) -> usize {
        let first = self.all.partition_point(|known| known.flow.peer() < peer);
        let behind = &self.all[first..];
        behind.partition_point(|known| known.flow.peer() == peer)
    }

    fn of_port(&mut self, flow: Flow) -> &mut usize {
        let mut ports = self.ports.iter_mut();
        let port = ports.find(|(port, _)| *port == flow.port());
        &mut port.expect("flows are of ports that can be connected to").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(peer: u8, peer_port: u16, port: u16) -> Flow {
        Flow::new(Ipv4Addr::new(10, 0, 0, peer), peer_port, port)
    }

    #[test]
    fn whoever_is_alone_has_a_share_that_is_everything() {
        let mut flows = Flows::new(9, &[80, 81]);
        assert!(!flows.has_share(flow(1, 0, 80)));
        (0..9).for_each(|port| flows.insert(flow(1, port, 80), port));
        assert!(flows.has_share(flow(1, 9, 80)));
        assert!(!flows.has_share(flow(2, 0, 81)));
        (0..9).for_each(|port| flows.remove(flow(1, port, 80)));
        assert!(!flows.has_share(flow(1, 9, 80)));
    }

    #[test]
    fn a_connection_has_the_place_that_it_was_given_until_it_is_over() {
        let mut flows = Flows::new(9, &[80]);
        (0..9).for_each(|port| flows.insert(flow(1, port, 80), 8 - port));
        flows.remove(flow(1, 3, 80));
        for port in 0..9 {
            let place = (port != 3).then_some(8 - port);
            assert_eq!(flows.place(flow(1, port, 80)), place);
        }
    }

    #[test]
    fn beside_others_an_address_and_a_port_have_a_share() {
        let mut flows = Flows::new(99, &[80, 81]);
        (0..9).for_each(|port| flows.insert(flow(1, port, 80), port));
        flows.insert(flow(2, 0, 80), 9);
        assert!(flows.has_share(flow(1, 9, 80)));
        assert!(!flows.has_share(flow(2, 1, 80)));
        (3..6).for_each(|peer| flows.insert(flow(peer, 0, 81), peer.into()));
        assert!(flows.has_share(flow(7, 0, 80)), "the port");
        assert!(!flows.has_share(flow(7, 0, 81)));
    }
}
