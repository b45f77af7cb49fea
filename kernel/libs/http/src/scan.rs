//! Finds the end of a head while it arrives, byte by byte, and refuses garbage early.
//!
//! Every byte is looked at once, however the head is split, so that a client that sends one byte at
//! a time costs no more than any other.
//!
//! Invariant: a head that the scanner lets through has only CRLF line ends and no control
//! characters but HTAB. RFC 9112, "Message Parsing" (2.2), would allow a lone LF; a server behind
//! a stricter one must not.

use crate::limits::Limits;
use crate::status::{Refusal, Status};

/// What the bytes looked at so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The head goes on.
    More,
    /// The head ends before this index of the bytes just given.
    End(usize),
    /// An empty line before the request line, ending before this index: to be ignored.
    Blank(usize),
}

/// Where in the head we are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scanner {
    total_bytes: usize,
    line_bytes: usize,
    lines: usize,
    after_carriage_return: bool,
}

impl Scanner {
    /// Looks at bytes that follow those of the call before.
    pub(crate) fn scan(&mut self, bytes: &[u8], limits: &Limits) -> Result<Scan, Refusal> {
        for (index, &byte) in bytes.iter().enumerate() {
            self.total_bytes += 1;
            if self.total_bytes > limits.head_bytes {
                return Err(self.too_large());
            }
            if byte == b'\n' {
                if let Some(end) = self.end_line(index + 1)? {
                    return Ok(end);
                }
            } else {
                self.in_line(byte, limits)?;
            }
        }
        Ok(Scan::More)
    }

    fn end_line(&mut self, end: usize) -> Result<Option<Scan>, Refusal> {
        if !self.after_carriage_return {
            return Err(Refusal::malformed("a line ends without a carriage return"));
        }
        if self.line_bytes == 0 {
            return Ok(Some(if self.lines == 0 {
                Scan::Blank(end)
            } else {
                Scan::End(end)
            }));
        }
        self.after_carriage_return = false;
        self.line_bytes = 0;
        self.lines += 1;
        Ok(None)
    }

    fn in_line(&mut self, byte: u8, limits: &Limits) -> Result<(), Refusal> {
        if self.after_carriage_return {
            return Err(Refusal::malformed(
                "a carriage return in the middle of a line",
            ));
        }
        if byte == b'\r' {
            self.after_carriage_return = true;
            return Ok(());
        }
        if (byte < b' ' && byte != b'\t') || byte == 0x7f {
            return Err(Refusal::malformed("a control character in the head"));
        }
        self.line_bytes += 1;
        if self.lines == 0 {
            if self.line_bytes == 1 && !byte.is_ascii_alphabetic() {
                return Err(Refusal::malformed(
                    "the request line does not begin with a method",
                ));
            }
            if self.line_bytes > limits.request_line_bytes {
                return Err(self.too_large());
            }
        }
        Ok(())
    }

    fn too_large(&self) -> Refusal {
        if self.lines == 0 {
            Refusal::new(Status::UriTooLong, "the request line is too long")
        } else {
            Refusal::new(Status::RequestHeaderFieldsTooLarge, "the head is too large")
        }
    }
}
