//! What happened to requests, as typed events.
//!
//! [`Ring`] keeps the last of them; [`Trace`] writes them as JSON in the Trace Event Format, which Perfetto
//! and Chrome's `about:tracing` show. Time comes in as an argument, in nanoseconds since boot.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod json;
mod ring;

use core::mem::offset_of;

pub use json::Trace;
pub use ring::Ring;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in nanoseconds since boot.
    pub at_ns: u64,
    /// To whom: the sandbox's number, or 0 if there is none.
    pub task: u64,
    /// The number of its route; [`NO_ROUTE`] for work of the host.
    pub route: u16,
    /// What.
    pub kind: Kind,
}

impl Event {
    /// Where its fields lie, in bytes, for a debugger.
    pub const LAYOUT: [(&'static str, usize); 5] = [
        ("event.bytes", size_of::<Self>()),
        ("event.at_ns", offset_of!(Self, at_ns)),
        ("event.task", offset_of!(Self, task)),
        ("event.route", offset_of!(Self, route)),
        ("event.kind", offset_of!(Self, kind)),
    ];
}

/// The route of sandboxes that have none.
pub const NO_ROUTE: u16 = u16::MAX;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A request is here, whole.
    Arrive,
    /// It is let in.
    Admit,
    /// It is not let in.
    Refuse,
    /// Its sandbox is given the CPU.
    Dispatch,
    /// The CPU is taken from it.
    Preempt,
    /// It gives the CPU away, to wait.
    Block,
    /// What it waited for is there.
    Resume,
    /// It has ended, by itself or for what it did.
    Finish,
    /// Its deadline has come, and it is not done.
    Miss,
    /// It is ended from outside.
    Kill,
}

impl Kind {
    /// What the values mean, for a debugger.
    pub const MEANING: [(&'static str, usize); 10] = [
        ("kind.arrive", Self::Arrive as usize),
        ("kind.admit", Self::Admit as usize),
        ("kind.refuse", Self::Refuse as usize),
        ("kind.dispatch", Self::Dispatch as usize),
        ("kind.preempt", Self::Preempt as usize),
        ("kind.block", Self::Block as usize),
        ("kind.resume", Self::Resume as usize),
        ("kind.finish", Self::Finish as usize),
        ("kind.miss", Self::Miss as usize),
        ("kind.kill", Self::Kill as usize),
    ];

    /// Its name in a trace.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrive => "arrive",
            Self::Admit => "admit",
            Self::Refuse => "refuse",
            Self::Dispatch => "dispatch",
            Self::Preempt => "preempt",
            Self::Block => "block",
            Self::Resume => "resume",
            Self::Finish => "finish",
            Self::Miss => "miss",
            Self::Kill => "kill",
        }
    }
}
