//! TCP handshakes in front of smoltcp: a socket is taken when one is complete, and not before.
//!
//! smoltcp turns a listening socket, with all its buffers, into a half-open connection for every SYN. Here a SYN is
//! answered from the frame alone. [`Handshakes`] remembers the last [`HALF_OPEN`] of them; our sequence number is a
//! *SYN cookie* (RFC 4987, "SYN Cookies"), a keyed hash of what the SYN said, so that the acknowledgement of a SYN that
//! a flood has pushed out of the table is known all the same. When the handshake is complete, [`establish`] brings a
//! socket of smoltcp's into the state in which it would be, had it led the handshake itself.
//!
//! A SYN-ACK is not sent again by itself: the client repeats its SYN, and gets the same answer.
//!
//! Invariant: every connection that smoltcp has is in the set of flows ([`Handshakes::opened`],
//! [`Handshakes::closed`]), whose segments are left to smoltcp. With each flow goes the place where its owner finds it, so
//! that no other connection is looked at for a segment.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cookie;
mod establish;
mod flow;
mod half_open;
mod handshakes;
mod segment;

pub use cookie::KEY_BYTES;
pub use establish::establish;
pub use flow::Flow;
pub use half_open::{HALF_OPEN, HALF_OPEN_S};
pub use handshakes::{Handshakes, Opening, Server, Visit};
pub use segment::SynAck;
