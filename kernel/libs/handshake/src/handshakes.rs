//! What is done about a frame before smoltcp sees it.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use smoltcp::wire::EthernetAddress;

use crate::cookie::{Cookies, KEY_BYTES, Offer};
use crate::flow::{Flow, Flows};
use crate::half_open::{HalfOpen, Table};
use crate::segment::{self, Host, Kind, Segment, SynAck};

/// What we take, in bytes: of a segment, as Ethernet has it.
pub(crate) const SEGMENT_BYTES: u16 = 1_460;

/// Who we are, and what we take.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Our hardware address.
    pub hardware: EthernetAddress,
    /// Our address.
    pub address: Ipv4Addr,
    /// Ports that can be connected to.
    pub ports: &'a [u16],
    /// How many bytes a new connection takes before any is read.
    pub window: u16,
    /// How many connections there are at once, at the most.
    pub connections: usize,
}

/// Handshakes that are under way, and the connections that there are.
#[derive(Debug)]
pub struct Handshakes {
    host: Host,
    ports: Vec<u16>,
    window: u16,
    cookies: Cookies,
    half_open: Table,
    flows: Flows,
}

/// What a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Visit {
    /// It belongs to the connection that has this place.
    Connection(u16),
    /// Nothing that concerns handshakes or connections: smoltcp's.
    Other,
    /// It asks for a connection; this is the answer. smoltcp is not to see it.
    Request(SynAck),
    /// It completes a handshake. smoltcp is not to see it but by [`establish`](crate::establish).
    Opening(Opening),
    /// It belongs to a handshake that an earlier segment completes, which was lost. The client sends both again.
    Early,
}

/// A connection that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    pub(crate) flow: Flow,
    pub(crate) address: Ipv4Addr,
    pub(crate) theirs: u32,
    pub(crate) ours: u32,
    pub(crate) offer: Offer,
}

impl Opening {
    /// Which connection it is.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow
    }
}

impl Handshakes {
    /// Handshakes with a server. Whoever knows the key can open connections from addresses that are not his.
    #[must_use]
    pub fn new(server: &Server<'_>, key: &[u8; KEY_BYTES]) -> Self {
        Self {
            host: Host {
                hardware: server.hardware,
                address: server.address,
            },
            ports: server.ports.to_vec(),
            window: server.window,
            cookies: Cookies::new(key),
            half_open: Table::new(),
            flows: Flows::new(server.connections, server.ports),
        }
    }

    /// Looks at a frame that has arrived.
    pub fn look_at(&mut self, frame: &[u8], now_s: u64) -> Visit {
        let Some(flow) = segment::flow(frame) else {
            return Visit::Other;
        };
        if let Some(place) = self.flows.place(flow) {
            return Visit::Connection(place);
        }
        if !self.ports.contains(&flow.port()) {
            return Visit::Other;
        }
        let Some(segment) = Segment::parse(frame, self.host) else {
            return Visit::Other;
        };
        match segment.kind {
            Kind::Request(offer) => Visit::Request(self.answer(flow, segment, offer, now_s)),
            Kind::Acknowledgement(number) => self.complete(flow, segment.number, number, now_s),
        }
    }

    /// The connection is smoltcp's from now on. Whoever has it finds it at `place`.
    pub fn opened(&mut self, flow: Flow, place: u16) {
        self.half_open.remove(flow);
        self.flows.insert(flow, place);
    }

    /// smoltcp has no such connection any more.
    pub fn closed(&mut self, flow: Flow) {
        self.flows.remove(flow);
    }

    /// Whether the peer of a new connection has an equal share of all already, or the port more than that.
    #[must_use]
    pub fn has_share(&self, flow: Flow) -> bool {
        self.flows.has_share(flow)
    }

    fn answer(&mut self, flow: Flow, segment: Segment, offer: Offer, now_s: u64) -> SynAck {
        let theirs = segment.number;
        let known = self.half_open.find(flow, now_s);
        let ours = match known.filter(|known| known.theirs == theirs && known.offer == offer) {
            // It is the same SYN once more, perhaps because our answer was lost.
            Some(known) => known.ours,
            None => {
                let ours = self.cookies.make(flow, theirs, offer, now_s);
                self.half_open.put(HalfOpen {
                    flow,
                    theirs,
                    ours,
                    offer,
                    since_s: now_s,
                });
                ours
            }
        };
        let takes = (offer.sack, self.window, SEGMENT_BYTES);
        SynAck::new(flow, self.host, segment.from, (theirs, ours), takes)
    }

    /// A segment that begins with the sequence number `number` acknowledges what comes before `acknowledged`.
    fn complete(&self, flow: Flow, number: u32, acknowledged: u32, now_s: u64) -> Visit {
        let (theirs, ours) = (number.wrapping_sub(1), acknowledged.wrapping_sub(1));
        let offer = match self.half_open.find(flow, now_s) {
            Some(known) if known.ours != ours => return Visit::Other,
            Some(known) if known.theirs != theirs => return Visit::Early,
            Some(known) => Some(known.offer),
            None if self.half_open.has_forgotten(now_s) => {
                self.cookies.check(flow, theirs, ours, now_s)
            }
            None => None,
        };
        let address = self.host.address;
        offer.map_or(Visit::Other, |offer| {
            Visit::Opening(Opening {
                flow,
                address,
                theirs,
                ours,
                offer,
            })
        })
    }
}
