//! What a step of a connection came to.

use crate::arch::time::Instant;

/// What is to become of a connection.
#[must_use]
pub(super) enum Fate {
    /// It stays, and wants to be stepped again at this moment at the latest.
    Stay(Option<Instant>),
    /// It is closed; what was written still arrives.
    Close,
    /// It is broken off.
    Abort,
}

/// What a step within a phase came to.
#[must_use]
pub(super) enum Moved {
    /// There may be more to do.
    On,
    /// There is nothing to do until something happens.
    Not,
    /// The connection ends.
    Out(Fate),
}
