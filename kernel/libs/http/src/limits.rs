//! How much, and how long.

/// One second in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;

/// What a connection may use before it is refused. The body's limit belongs to the route and is
/// given with [`Connection::accept`](crate::Connection::accept).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of request line, headers and the empty line after them; over it: 431.
    pub head_bytes: usize,
    /// Bytes of the request line; over it: 414. RFC 9112, "Request Line" (3), asks for 8000 or more.
    pub request_line_bytes: usize,
    /// Time from a head's first byte to its last; over it: 408.
    pub head_time_ns: u64,
    /// Longest pause while a body arrives; over it: 408.
    pub body_pause_ns: u64,
    /// What a body must come at in the long run, in bytes per second: it begins with `body_pause_ns` to go, each byte adds
    /// its share of a second, and there are never more than `body_pause_ns` to go. So a body has an end in time: its
    /// limit at this rate, and a pause.
    pub body_rate: u64,
    /// How long a client may take for an answer in all; whatever it takes meanwhile gives nothing back. See
    /// [`Reading`](crate::Reading).
    pub answer_time_ns: u64,
    /// How long a connection may be kept with no request on it; then it is closed without a word.
    pub idle_time_ns: u64,
}

impl Limits {
    /// The most header fields of a request; over it: 431.
    pub const HEADERS: usize = 64;
    /// The most values of a query; over it: 414.
    pub const ARGUMENTS: usize = 256;
    /// A body of so many bytes comes with its head, or just behind it.
    pub const LITTLE_BODY: u64 = 16 * 1024;
    /// Who has been slow for less is not slow yet, in nanoseconds: a head or a body that comes in several pieces has pauses.
    pub const NOT_SLOW_YET_NS: u64 = SECOND_NS / 4;
    /// The most empty lines before a request; over it: 400. RFC 9112, "Message Parsing" (2.2), wants one ignored.
    pub const BLANK_LINES: u32 = 8;
}

impl Limits {
    /// How much later than `deadline_ns` a body may end of which `bytes` more have come at `now_ns`.
    pub(crate) fn body_deadline_ns(&self, deadline_ns: u64, bytes: usize, now_ns: u64) -> u64 {
        let earned_ns = (bytes as u64).saturating_mul(SECOND_NS) / self.body_rate.max(1);
        let latest_ns = now_ns.saturating_add(self.body_pause_ns);
        deadline_ns.saturating_add(earned_ns).min(latest_ns)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            request_line_bytes: 8 * 1024,
            head_time_ns: 10 * SECOND_NS,
            body_pause_ns: 30 * SECOND_NS,
            body_rate: 8 * 1024,
            answer_time_ns: 600 * SECOND_NS,
            idle_time_ns: 75 * SECOND_NS,
        }
    }
}
