//! The clocks of preview 1.

use crate::{Errno, Host};

/// Both CPU clocks are the same here: a command has one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    ProcessorTime,
}

/// All clocks are read from a counter of processor cycles.
pub(crate) const RESOLUTION_NS: u64 = 1;

impl Clock {
    pub(crate) fn of(id: u32) -> Result<Self, Errno> {
        match id {
            0 => Ok(Self::Realtime),
            1 => Ok(Self::Monotonic),
            2 | 3 => Ok(Self::ProcessorTime),
            _ => Err(Errno::Invalid),
        }
    }

    pub(crate) fn now_ns(self, host: &mut impl Host) -> u64 {
        match self {
            Self::Realtime => host.realtime_ns(),
            Self::Monotonic => host.monotonic_ns(),
            Self::ProcessorTime => host.cpu_time_ns(),
        }
    }

    /// The monotonic time at which this clock shows `ns`, or has advanced by `ns` since `start`.
    pub(crate) fn deadline_ns(self, ns: u64, from: From, start: Moment) -> Result<u64, Errno> {
        match (self, from) {
            // A command that waits uses no processor time, so it would wait for ever.
            (Self::ProcessorTime, _) => Err(Errno::NotSupported),
            (_, From::Now) => Ok(start.monotonic_ns.saturating_add(ns)),
            (Self::Monotonic, From::Start) => Ok(ns),
            (Self::Realtime, From::Start) => {
                let remaining_ns = ns.saturating_sub(start.realtime_ns);
                Ok(start.monotonic_ns.saturating_add(remaining_ns))
            }
        }
    }
}

/// Where a time to wait for counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// From the call.
    Now,
    /// From the clock's own start.
    Start,
}

/// What the two clocks that can be waited for showed at the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) monotonic_ns: u64,
    pub(crate) realtime_ns: u64,
}

impl Moment {
    pub(crate) fn now(host: &mut impl Host) -> Self {
        Self {
            monotonic_ns: host.monotonic_ns(),
            realtime_ns: host.realtime_ns(),
        }
    }
}
