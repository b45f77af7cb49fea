//! HTTP/1.1 as a function of bytes and time: requests in, responses out, no sockets and no clock.
//!
//! A [`Connection`] is fed what arrives and says what it means: a [`Head`] to decide on, a complete
//! body, or a [`Refusal`]. The server decides (which route, which limit on the body), and answers
//! with a [`Response`] head and an [`Outgoing`] queue of body pieces that are never copied together.
//! Times are nanoseconds since any fixed moment, passed in by the caller.
//!
//! The rules are those of RFC 9110 and RFC 9112; where they leave a choice, the stricter one is
//! taken, because whatever two programs read differently can be used to smuggle a request past one
//! of them. Refusals that concern framing always close the connection.
//!
//! Invariant: a connection holds at most one head of [`Limits::head_bytes`] and one body of the limit
//! that the server gave; bytes beyond the current request are left with the caller.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bearer;
mod buffer;
mod chunked;
mod connection;
mod date;
mod fields;
mod head;
mod limits;
mod outgoing;
mod places;
mod reading;
mod response;
mod scan;
mod status;
mod target;

pub use bearer::is_bearer;
pub use buffer::{NoMemory, Storage};
pub use connection::{Accepted, Connection, Event, Expired, Received};
pub use date::Date;
pub use head::{Content, Head, Method, Persistence, Version, Wants};
pub use limits::Limits;
pub use outgoing::Outgoing;
pub use places::{Holder, Yields, who_yields};
pub use reading::{Reading, TooSlow};
pub use response::{Framing, Response, ServerTiming, continue_line, kept_fields, last_chunk};
pub use status::{Refusal, Status};
