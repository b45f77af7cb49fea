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
    /// How long a connection may be kept with no request on it; then it is closed without a word.
    pub idle_time_ns: u64,
}

impl Limits {
    /// The most header fields of a request; over it: 431.
    pub const HEADERS: usize = 64;
    /// The most values of a query; over it: 414.
    pub const ARGUMENTS: usize = 256;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            request_line_bytes: 8 * 1024,
            head_time_ns: 10 * SECOND_NS,
            body_pause_ns: 30 * SECOND_NS,
            idle_time_ns: 60 * SECOND_NS,
        }
    }
}
