//! How long a connection is kept with no request on it, and what its answers say of that.

use alloc::boxed::Box;

use spin::Once;

/// A kept connection, as its client is told.
struct Kept {
    seconds: u64,
    fields: &'static str,
}

static KEPT: Once<Kept> = Once::new();

/// Connections are kept for so long from now on.
pub(super) fn start(seconds: u16) {
    KEPT.call_once(|| Kept {
        seconds: seconds.into(),
        fields: Box::leak(luge_http::kept_fields(seconds).into_boxed_str()),
    });
}

fn kept() -> &'static Kept {
    KEPT.get().expect("it is set before the first connection")
}

/// How long, in seconds.
pub(super) fn seconds() -> u64 {
    kept().seconds
}

/// The header fields that say so. They are made once, and not for each answer.
pub(super) fn fields() -> &'static str {
    kept().fields
}
