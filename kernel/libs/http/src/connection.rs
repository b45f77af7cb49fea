//! One connection: bytes and time in, requests out, one at a time and in order.
//!
//! ```text
//!  Head ──head complete──▶ Decide ──accept──▶ Body ──body complete──▶ Busy
//!   ▲                        │ decline, or no body                     │
//!   │                        └──────────────────────────────────────▶──┤
//!   └───────────────────────────── finish ─────────────────────────────┘
//!  any of the first three ──refusal──▶ Closed
//! ```
//!
//! While a request is decided on or served, bytes are left with the caller (and so in the TCP
//! window): a client that pipelines faster than it is served is slowed down, not buffered.

use alloc::vec::Vec;
use core::mem;

use crate::buffer::{Storage, UNKNOWN};
use crate::chunked::{Chunked, Progress};
use crate::head::{self, Content, Head, Parsed, Persistence};
use crate::limits::Limits;
use crate::places::Yields;
use crate::scan::{Scan, Scanner};
use crate::status::{Refusal, Status};

/// What the bytes received amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<B = Vec<u8>> {
    /// A head is complete: answer with [`Connection::accept`] or [`Connection::decline`].
    Head(Head),
    /// The body of the accepted head is complete; the request can run.
    Body(B),
    /// The request cannot be served. Send this and close; the connection takes no more.
    Refused(Refusal),
}

/// What [`Connection::receive`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "bytes that were not taken must be given again"]
pub struct Received<B = Vec<u8>> {
    /// How many of the bytes were taken. The others belong to a later request, or to a later call.
    pub taken: usize,
    /// What they amount to, if anything yet.
    pub event: Option<Event<B>>,
}

/// What follows an accepted head.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a request without a body runs now"]
pub enum Accepted {
    /// The request has no body: it can run.
    Complete,
    /// The body is on its way.
    Body,
    /// The client waits for [`continue_line`](crate::continue_line) before it sends the body.
    BodyAfterContinue,
    /// The body is larger than the limit. Send this and close.
    Refused(Refusal),
}

/// A connection whose time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// In the middle of a request: send this and close.
    Refused(Refusal),
    /// Between requests: close without a word.
    Idle,
}

#[derive(Debug)]
enum State<B> {
    Head {
        scanner: Scanner,
        partial: B,
        /// Empty lines that have come.
        blank_lines: u32,
        /// Whether a byte of anything else has come.
        has_begun: bool,
    },
    Decide {
        content: Content,
        persistence: Persistence,
        expects_continue: bool,
    },
    Body {
        body: B,
        rest: Rest,
        limit: u64,
    },
    Busy,
    Closed,
}

/// What of a body is still to come.
#[derive(Debug)]
enum Rest {
    Bytes(u64),
    Chunks(Chunked),
}

/// The reading half of an HTTP/1.1 server connection, whose bodies are put into a `B`.
#[derive(Debug)]
pub struct Connection<B = Vec<u8>> {
    limits: Limits,
    state: State<B>,
    deadline_ns: Option<u64>,
}

impl<B: Storage> State<B> {
    fn new_head() -> Self {
        Self::Head {
            scanner: Scanner::default(),
            partial: B::default(),
            blank_lines: 0,
            has_begun: false,
        }
    }
}

impl<B: Storage> Connection<B> {
    /// A connection that was opened now.
    pub fn new(limits: Limits, now_ns: u64) -> Self {
        let deadline_ns = Some(now_ns.saturating_add(limits.idle_time_ns));
        Self {
            limits,
            state: State::new_head(),
            deadline_ns,
        }
    }

    /// Takes bytes, up to the first event.
    ///
    /// Call it again with what was not taken, after the event has been dealt with.
    pub fn receive(&mut self, bytes: &[u8], now_ns: u64) -> Received<B> {
        let result = match self.state {
            State::Head { .. } => self.receive_head(bytes, now_ns),
            State::Body { .. } => self.receive_body(bytes, now_ns),
            State::Decide { .. } | State::Busy => Ok(Received {
                taken: 0,
                event: None,
            }),
            State::Closed => Ok(Received {
                taken: bytes.len(),
                event: None,
            }),
        };
        result.unwrap_or_else(|refusal| {
            self.close();
            Received {
                taken: bytes.len(),
                event: Some(Event::Refused(refusal)),
            }
        })
    }

    /// Whether the request of the last [`Event::Head`] has a body that is not here by now: one that is long, or that the
    /// client holds back until it is asked for it. Who will not take it says so before it comes.
    pub fn announces_much(&self) -> bool {
        match self.state {
            State::Decide {
                content,
                expects_continue,
                ..
            } => {
                expects_continue && content != Content::None
                    || matches!(content, Content::Length(bytes) if bytes > Limits::LITTLE_BODY)
            }
            _ => false,
        }
    }

    /// Lets the request of the last [`Event::Head`] come in, with at most `body_limit` bytes of body.
    ///
    /// # Panics
    /// If no head is waiting for a decision.
    pub fn accept(&mut self, body_limit: u64, now_ns: u64) -> Accepted {
        let State::Decide {
            content,
            expects_continue,
            ..
        } = self.state
        else {
            panic!("no head waits for a decision");
        };
        let (body, rest) = match content {
            Content::None => {
                self.state = State::Busy;
                return Accepted::Complete;
            }
            Content::Length(bytes) if bytes > body_limit => {
                self.close();
                return Accepted::Refused(Refusal::body_beyond(body_limit));
            }
            Content::Length(bytes) => (B::default(), Rest::Bytes(bytes)),
            Content::Chunked => (B::default(), Rest::Chunks(Chunked::new())),
        };
        self.state = State::Body {
            body,
            rest,
            limit: body_limit,
        };
        self.deadline_ns = Some(now_ns.saturating_add(self.limits.body_pause_ns));
        if expects_continue {
            Accepted::BodyAfterContinue
        } else {
            Accepted::Body
        }
    }

    /// Answers the request of the last [`Event::Head`] without its body.
    ///
    /// Says whether the connection can be kept: not if a body is coming that nobody reads.
    ///
    /// # Panics
    /// If no head is waiting for a decision.
    pub fn decline(&mut self) -> Persistence {
        let State::Decide {
            content,
            persistence,
            ..
        } = self.state
        else {
            panic!("no head waits for a decision");
        };
        if content == Content::None {
            self.state = State::Busy;
            return persistence;
        }
        self.close();
        Persistence::Close
    }

    /// The response has been sent and the connection is kept: the next request may come.
    pub fn finish(&mut self, now_ns: u64) {
        self.state = State::new_head();
        self.deadline_ns = Some(now_ns.saturating_add(self.limits.idle_time_ns));
    }

    /// The time at which [`Connection::expire`] will have something to say, if bytes do not come first.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.deadline_ns
    }

    /// Bytes of memory that the body takes so far: more than have come, since its buffer grows ahead.
    pub fn body_bytes(&self) -> usize {
        match &self.state {
            State::Body { body, .. } => body.memory_bytes(),
            _ => 0,
        }
    }

    /// How many of those bytes are still to be filled: so much more of the body can come without more memory.
    pub fn body_spare_bytes(&self) -> usize {
        match &self.state {
            State::Body { body, .. } => body.memory_bytes() - body.len(),
            _ => 0,
        }
    }

    /// Whether no byte of a request has come since the last one was answered.
    pub fn is_idle(&self) -> bool {
        matches!(&self.state, State::Head { partial, .. } if partial.is_empty())
    }

    /// Whether it can be given up when there is need of its place, if nothing has come that was not given to it.
    pub fn yields(&self, now_ns: u64) -> Option<Yields> {
        let left_ns = self.deadline_ns?.saturating_sub(now_ns);
        let has_been = |all_ns| left_ns.saturating_add(Limits::NOT_SLOW_YET_NS) <= all_ns;
        match &self.state {
            State::Head { has_begun, .. } => Some(match *has_begun {
                true if has_been(self.limits.head_time_ns) => Yields::Slow(left_ns),
                false if has_been(self.limits.idle_time_ns) => Yields::Idle(left_ns),
                _ => Yields::Fresh(left_ns),
            }),
            State::Body { .. } if has_been(self.limits.body_pause_ns) => {
                Some(Yields::Slow(left_ns))
            }
            _ => None,
        }
    }

    /// Nothing is begun now: the connection takes no more. What to tell the client.
    pub fn turn_away(&mut self) -> Refusal {
        self.close();
        Refusal::new(
            Status::ServiceUnavailable,
            "there is no memory for requests now",
        )
    }

    /// Gives what is under way up, since there is need of room. What to tell the client.
    pub fn give_up(&mut self) -> Refusal {
        self.close();
        Refusal::new(
            Status::RequestTimeout,
            "it came slowly, and others had need of its place",
        )
    }

    /// Whether the client has run out of time. Says so once.
    pub fn expire(&mut self, now_ns: u64) -> Option<Expired> {
        self.deadline_ns
            .filter(|deadline_ns| *deadline_ns <= now_ns)?;
        let expired = match &self.state {
            _ if self.is_idle() => Expired::Idle,
            State::Head { .. } => timeout("the head did not come in time"),
            _ => timeout("the body did not come in time"),
        };
        self.close();
        Some(expired)
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.deadline_ns = None;
    }

    fn receive_head(&mut self, bytes: &[u8], now_ns: u64) -> Result<Received<B>, Refusal> {
        let State::Head {
            scanner,
            partial,
            blank_lines,
            has_begun,
        } = &mut self.state
        else {
            return Ok(Received {
                taken: 0,
                event: None,
            });
        };
        match scanner.scan(bytes, &self.limits)? {
            Scan::Blank(end) => {
                // Its time is not given back: else a client could stay for ever by ending what it begins.
                *blank_lines += 1;
                if *blank_lines > Limits::BLANK_LINES {
                    return Err(Refusal::malformed("too many empty lines before a request"));
                }
                *scanner = Scanner::default();
                *partial = B::default();
                Ok(Received {
                    taken: end,
                    event: None,
                })
            }
            Scan::More => {
                if !*has_begun && !bytes.is_empty() {
                    *has_begun = true;
                    self.deadline_ns = Some(now_ns.saturating_add(self.limits.head_time_ns));
                }
                partial.put(bytes, UNKNOWN)?;
                Ok(Received {
                    taken: bytes.len(),
                    event: None,
                })
            }
            Scan::End(end) => {
                // Nearly every head comes in one piece and is parsed where it lies.
                let parsed = if partial.is_empty() {
                    head::parse(&bytes[..end])?
                } else {
                    partial.put(&bytes[..end], UNKNOWN)?;
                    head::parse(partial)?
                };
                Ok(Received {
                    taken: end,
                    event: Some(self.decide(parsed)),
                })
            }
        }
    }

    fn decide(&mut self, parsed: Parsed) -> Event<B> {
        let Parsed {
            head,
            expects_continue,
        } = parsed;
        let Head {
            content,
            persistence,
            ..
        } = head;
        self.state = State::Decide {
            content,
            persistence,
            expects_continue,
        };
        self.deadline_ns = None;
        Event::Head(head)
    }

    fn receive_body(&mut self, bytes: &[u8], now_ns: u64) -> Result<Received<B>, Refusal> {
        let State::Body { body, rest, limit } = &mut self.state else {
            return Ok(Received {
                taken: 0,
                event: None,
            });
        };
        if let Some(deadline_ns) = &mut self.deadline_ns {
            let bytes = bytes.len();
            *deadline_ns = self.limits.body_deadline_ns(*deadline_ns, bytes, now_ns);
        }
        let progress = match rest {
            Rest::Bytes(left) => take_bytes(bytes, left, body)?,
            Rest::Chunks(chunked) => chunked.receive(bytes, body, *limit)?,
        };
        let Progress::End(taken) = progress else {
            return Ok(Received {
                taken: bytes.len(),
                event: None,
            });
        };
        let body = mem::take(body);
        self.state = State::Busy;
        self.deadline_ns = None;
        Ok(Received {
            taken,
            event: Some(Event::Body(body)),
        })
    }
}

fn timeout(detail: &'static str) -> Expired {
    Expired::Refused(Refusal::new(Status::RequestTimeout, detail))
}

/// Moves what there is of a body of known length.
fn take_bytes<B: Storage>(bytes: &[u8], left: &mut u64, body: &mut B) -> Result<Progress, Refusal> {
    let to_come = usize::try_from(*left).unwrap_or(usize::MAX);
    let count = to_come.min(bytes.len());
    let total = body.len().saturating_add(to_come);
    body.put(&bytes[..count], total)?;
    *left -= count as u64;
    Ok(if *left == 0 {
        Progress::End(count)
    } else {
        Progress::More
    })
}
