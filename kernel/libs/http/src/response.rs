//! The head of a response, and the trailers of a streamed one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display};

use crate::date::Date;
use crate::head::Persistence;
use crate::status::Status;

/// How the client will know where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes; also what a HEAD request is told that a GET would bring.
    Length(u64),
    /// At an empty chunk. Outcome and times follow it as trailers.
    Chunked,
    /// At an empty chunk, which nothing follows.
    ChunkedAlone,
    /// When the connection is closed; for HTTP/1.0 clients only.
    UntilClose,
}

/// Where a function's time went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTiming {
    /// From the request's arrival to the first instruction of its sandbox, in nanoseconds.
    pub queue_ns: u64,
    /// CPU time of the sandbox, in nanoseconds.
    pub run_ns: u64,
}

/// Everything a response's head says.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    /// The status line.
    pub status: Status,
    /// `Content-Type`. Control characters in it are written as blanks.
    pub content_type: &'a str,
    /// Where the body ends.
    pub framing: Framing,
    /// `Connection`.
    pub persistence: Persistence,
    /// `luge-outcome`: how the sandbox ended. For chunked responses it is a trailer instead.
    pub outcome: Option<&'a dyn Display>,
    /// `Server-Timing`. For chunked responses it is a trailer instead.
    pub timing: Option<ServerTiming>,
    /// `Allow`: the methods that would have been served; belongs to 405.
    pub allow: Option<&'a str>,
    /// `Content-Security-Policy`: what a browser lets this page do. With it go the fields that keep browsers from
    /// taking it for another type, from keeping it, and from telling others of it.
    pub policy: Option<&'a str>,
    /// `Retry-After` in seconds; belongs to 429 and 503.
    pub retry_after_s: Option<u32>,
    /// `Date`, if the server has a clock.
    pub date: Option<Date>,
    /// What is said if the connection is kept: from [`kept_fields`], or nothing but that.
    pub kept: &'a str,
}

/// What is said of a connection that is kept.
const KEPT: &str = "\r\nConnection: keep-alive\r\n";

/// What is said of a connection that is kept for so many seconds with no request on it. RFC 2068, "The Keep-Alive
/// Header" (19.7.1.1); clients that know it send their next request on another connection if that much time has passed.
#[must_use]
pub fn kept_fields(seconds: u16) -> String {
    format!("{KEPT}Keep-Alive: timeout={seconds}\r\n")
}

/// What is said of a page beside its policy. Another client gets something else at the same place.
const PAGE_FIELDS: &str = "\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
    Cache-Control: no-store\r\nVary: Accept\r\n";

impl Response<'_> {
    /// A short text with this status, on a connection that is kept.
    pub fn text(status: Status, body_bytes: usize) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            framing: Framing::Length(body_bytes as u64),
            persistence: Persistence::KeepAlive,
            outcome: None,
            timing: None,
            allow: None,
            policy: None,
            retry_after_s: None,
            date: None,
            kept: KEPT,
        }
    }

    /// The head as bytes, with room behind it for `spare_bytes` of body.
    pub fn encode(&self, spare_bytes: usize) -> Vec<u8> {
        let mut head = Writer(Vec::with_capacity(320 + spare_bytes));
        head.text("HTTP/1.1 ")
            .decimal(u64::from(self.status.code()));
        head.text(" ")
            .text(self.status.reason())
            .text("\r\nContent-Type: ");
        head.value(self.content_type);
        self.framing(&mut head);
        head.text(match self.persistence {
            Persistence::KeepAlive => self.kept,
            Persistence::Close => "\r\nConnection: close\r\n",
        });
        if self.framing != Framing::Chunked {
            head.result(self.outcome, self.timing);
        }
        if self.status == Status::Unauthorized {
            head.text("WWW-Authenticate: Bearer\r\n");
        }
        if let Some(methods) = self.allow {
            head.text("Allow: ").text(methods).text("\r\n");
        }
        if let Some(policy) = self.policy {
            head.text("Content-Security-Policy: ").value(policy);
            head.text(PAGE_FIELDS);
        }
        if let Some(seconds) = self.retry_after_s {
            head.text("Retry-After: ")
                .decimal(u64::from(seconds))
                .text("\r\n");
        }
        if let Some(date) = &self.date {
            head.text("Date: ").bytes(date.as_bytes()).text("\r\n");
        }
        head.text("\r\n");
        head.0
    }

    fn framing(&self, head: &mut Writer) {
        match self.framing {
            Framing::Length(bytes) => head.text("\r\nContent-Length: ").decimal(bytes),
            Framing::Chunked => {
                head.text("\r\nTransfer-Encoding: chunked\r\nTrailer: luge-outcome, Server-Timing")
            }
            Framing::ChunkedAlone => head.text("\r\nTransfer-Encoding: chunked"),
            Framing::UntilClose => head,
        };
    }

    /// What ends a chunked body: the empty chunk and the trailers.
    pub fn end_of_chunks(outcome: &dyn Display, timing: ServerTiming) -> Vec<u8> {
        let mut end = Writer(Vec::with_capacity(96));
        end.text("0\r\n").result(Some(outcome), Some(timing));
        end.text("\r\n");
        end.0
    }
}

/// What ends a chunked body that has no trailers.
pub const fn last_chunk() -> &'static [u8] {
    b"0\r\n\r\n"
}

/// The interim response that asks a waiting client for its body.
pub const fn continue_line() -> &'static [u8] {
    b"HTTP/1.1 100 Continue\r\n\r\n"
}

/// Bytes to be sent. Formatting by hand: a head is made for every request.
struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// A header value that comes from outside: it cannot begin a new line.
    fn value(&mut self, text: &str) -> &mut Self {
        self.0.extend(
            text.bytes()
                .map(|byte| if byte.is_ascii_control() { b' ' } else { byte }),
        );
        self
    }

    fn decimal(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return self.bytes(&digits[start..]);
            }
        }
    }

    /// Milliseconds with three places.
    fn milliseconds(&mut self, ns: u64) -> &mut Self {
        let us = ns / 1_000;
        let places = us % 1_000;
        self.decimal(us / 1_000).text(".");
        self.bytes(&[100, 10, 1].map(|place| b'0' + (places / place % 10) as u8))
    }

    fn result(&mut self, outcome: Option<&dyn Display>, timing: Option<ServerTiming>) {
        if let Some(outcome) = outcome {
            self.text("luge-outcome: ");
            // Writing to a `Vec` does not fail.
            let _ = fmt::write(self, format_args!("{outcome}\r\n"));
        }
        if let Some(ServerTiming { queue_ns, run_ns }) = timing {
            self.text("Server-Timing: queue;dur=")
                .milliseconds(queue_ns);
            self.text(", run;dur=").milliseconds(run_ns).text("\r\n");
        }
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}
