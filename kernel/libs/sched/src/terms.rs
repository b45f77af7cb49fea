//! What admission is told of tenants and routes, and what it says of requests.

use crate::ready::Group;

/// A tenant, by its number in the order of [`crate::Admission::add_tenant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantId(pub(crate) usize);

/// A route, by its number in the order of [`crate::Admission::add_route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteId(pub(crate) usize);

impl RouteId {
    /// The number.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What holds for all requests of a tenant together.
#[derive(Clone, Copy, Debug)]
pub struct TenantTerms {
    /// Where its requests run.
    pub group: Group,
    /// Requests that are let in and not done, at most.
    pub most_at_once: Option<u32>,
    /// Requests that are let in and have not run yet, at most.
    pub most_waiting: Option<u32>,
    /// What all of them may take of memory by their limits, in bytes.
    pub most_memory: Option<u64>,
}

/// What holds for the requests of a route.
#[derive(Clone, Copy, Debug)]
pub struct RouteTerms {
    /// Whose it is.
    pub tenant: TenantId,
    /// How long after its arrival a request is to be done, in nanoseconds.
    pub relative_deadline_ns: u64,
    /// CPU time that a request may take, in nanoseconds.
    pub budget_ns: Option<u64>,
    /// How long a request runs, in nanoseconds, if somebody said so.
    pub given_estimate_ns: Option<u64>,
    /// Which percentile of the measured times is reckoned with: 50 to 99.
    pub percentile: u8,
    /// Requests that are let in and not done, at most.
    pub most_at_once: Option<u32>,
    /// Requests that are let in and have not run yet, at most.
    pub most_waiting: Option<u32>,
    /// What a request may take of memory by its limits, in bytes.
    pub memory: u64,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its deadline, or that of one that was let in, could not be kept.
    NoTime {
        /// When there may be, in seconds from now.
        retry_after_s: u32,
    },
    /// So many of its route's are here already.
    RouteAtOnce(u32),
    /// So many of its route's wait already.
    RouteWaiting(u32),
    /// So many of its tenant's are here already.
    TenantAtOnce(u32),
    /// So many of its tenant's wait already.
    TenantWaiting(u32),
    /// Its tenant's requests may take so much memory, in bytes, and that is taken.
    TenantMemory(u64),
    /// So many of its tenant's are here already, and the places that are left are kept for other tenants.
    TenantPlaces(u32),
}

/// How often things happened to a route's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Let in.
    pub admitted: u64,
    /// Not let in.
    pub refused: u64,
    /// Let in and not done at their deadlines, whatever became of them then.
    pub missed: u64,
    /// Ended by the host, at their deadlines or budgets.
    pub killed: u64,
    /// How often the CPU was taken from one of them. It is counted when they are over.
    pub preempted: u64,
}
