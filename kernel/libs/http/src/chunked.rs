//! Takes the chunks of a request's body apart.
//!
//! RFC 9112, "Chunked Transfer Coding" (7.1). Extensions and trailers are read over, with limits:
//! neither means anything to a function, and both can be used to keep a server busy.

use crate::buffer::{Storage, UNKNOWN};
use crate::status::{Refusal, Status};
use crate::target::hex_digit;

/// Longest line with a chunk's size, extensions included.
const LINE_BYTES: usize = 256;
/// How many bytes of framing a body may have beyond what honest chunks need. A client that sends
/// long extensions on one-byte chunks pays for it here.
const OVERHEAD_BYTES: usize = 16 * 1024;
/// Most bytes of trailers.
const TRAILER_BYTES: usize = 16 * 1024;

/// Where in the coding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the digits of a size.
    Size {
        digits: usize,
        size: u64,
        line_bytes: usize,
    },
    /// In blanks behind the digits.
    Blank { size: u64, line_bytes: usize },
    /// In an extension.
    Extension { size: u64, line_bytes: usize },
    /// Behind the carriage return of the size line.
    SizeEnd { size: u64, line_bytes: usize },
    /// In a chunk with this many bytes to come.
    Data { left: u64 },
    /// Behind the data, at its carriage return.
    DataReturn,
    /// Behind that carriage return.
    DataEnd,
    /// In a trailer line with this many bytes so far.
    Trailer { line_bytes: usize },
    /// Behind the carriage return of such a line.
    TrailerEnd { line_bytes: usize },
}

/// A chunked body on its way.
#[derive(Clone, Debug)]
pub(crate) struct Chunked {
    place: Place,
    overhead_bytes: usize,
    trailer_bytes: usize,
}

const SIZE: Place = Place::Size {
    digits: 0,
    size: 0,
    line_bytes: 0,
};
const BAD_CHUNK: Refusal = Refusal::malformed("a chunk is malformed");

/// Whether the body is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes are needed; all given ones were taken.
    More,
    /// The body ends after this many of the given bytes.
    End(usize),
}

impl Chunked {
    pub(crate) const fn new() -> Self {
        Self {
            place: SIZE,
            overhead_bytes: 0,
            trailer_bytes: 0,
        }
    }

    /// Takes bytes and appends the data among them to `body`, which must not outgrow `limit`.
    pub(crate) fn receive<B: Storage>(
        &mut self,
        bytes: &[u8],
        body: &mut B,
        limit: u64,
    ) -> Result<Progress, Refusal> {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken) {
            if let Place::Data { left } = self.place {
                taken += self.data(&bytes[taken..], left, body)?;
                continue;
            }
            taken += 1;
            match self.step(byte, body.len() as u64, limit)? {
                Some(place) => self.place = place,
                None => return Ok(Progress::End(taken)),
            }
        }
        Ok(Progress::More)
    }

    /// Takes what there is of the current chunk's data.
    fn data<B: Storage>(
        &mut self,
        bytes: &[u8],
        left: u64,
        body: &mut B,
    ) -> Result<usize, Refusal> {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        body.put(&bytes[..count], UNKNOWN)?;
        let left = left - count as u64;
        self.place = if left == 0 {
            Place::DataReturn
        } else {
            Place::Data { left }
        };
        Ok(count)
    }

    /// One byte of framing: the place after it, or `None` after the last one.
    fn step(&mut self, byte: u8, body_bytes: u64, limit: u64) -> Result<Option<Place>, Refusal> {
        Ok(Some(match self.place {
            Place::Size {
                digits,
                size,
                line_bytes,
            } => size_line(byte, digits, size, line_bytes)?,
            Place::Blank { size, line_bytes } => after_size(byte, size, line_bytes)?,
            Place::Extension { size, line_bytes } => extension(byte, size, line_bytes)?,
            Place::SizeEnd { size, line_bytes } if byte == b'\n' => {
                self.begin(size, line_bytes, body_bytes, limit)?
            }
            Place::DataReturn if byte == b'\r' => Place::DataEnd,
            Place::DataEnd if byte == b'\n' => SIZE,
            Place::Trailer { line_bytes } => self.trailer(byte, line_bytes)?,
            Place::TrailerEnd { line_bytes: 0 } if byte == b'\n' => return Ok(None),
            Place::TrailerEnd { .. } if byte == b'\n' => Place::Trailer { line_bytes: 0 },
            _ => return Err(BAD_CHUNK),
        }))
    }

    /// The size is known: data follows, or, after an empty chunk, trailers.
    fn begin(&mut self, size: u64, line: usize, body: u64, limit: u64) -> Result<Place, Refusal> {
        if size > limit.saturating_sub(body) {
            return Err(Refusal::body_beyond(limit));
        }
        let allowance = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .saturating_mul(2);
        self.overhead_bytes =
            (self.overhead_bytes + line).saturating_sub(allowance.saturating_add(16));
        if self.overhead_bytes > OVERHEAD_BYTES {
            return Err(Refusal::malformed("the chunks are mostly framing"));
        }
        Ok(if size == 0 {
            Place::Trailer { line_bytes: 0 }
        } else {
            Place::Data { left: size }
        })
    }

    fn trailer(&mut self, byte: u8, line_bytes: usize) -> Result<Place, Refusal> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES {
            let detail = "the trailers are too large";
            return Err(Refusal::new(Status::RequestHeaderFieldsTooLarge, detail));
        }
        match byte {
            b'\r' => Ok(Place::TrailerEnd { line_bytes }),
            _ if is_control(byte) => Err(Refusal::malformed("a trailer is malformed")),
            _ => Ok(Place::Trailer {
                line_bytes: line_bytes + 1,
            }),
        }
    }
}

/// A byte of a size line while digits are still expected.
fn size_line(byte: u8, digits: usize, size: u64, line_bytes: usize) -> Result<Place, Refusal> {
    if let Some(digit) = hex_digit(byte) {
        if digits == 16 {
            return Err(BAD_CHUNK);
        }
        let size = size << 4 | u64::from(digit);
        return Ok(Place::Size {
            digits: digits + 1,
            size,
            line_bytes: line_bytes + 1,
        });
    }
    match byte {
        _ if digits == 0 => Err(BAD_CHUNK),
        _ => after_size(byte, size, line_bytes),
    }
}

/// A byte behind the digits, where an extension may begin.
fn after_size(byte: u8, size: u64, line_bytes: usize) -> Result<Place, Refusal> {
    match byte {
        b'\r' => Ok(Place::SizeEnd { size, line_bytes }),
        _ if line_bytes >= LINE_BYTES => Err(BAD_CHUNK),
        b' ' | b'\t' => Ok(Place::Blank {
            size,
            line_bytes: line_bytes + 1,
        }),
        b';' => Ok(Place::Extension {
            size,
            line_bytes: line_bytes + 1,
        }),
        _ => Err(BAD_CHUNK),
    }
}

/// A byte of an extension.
fn extension(byte: u8, size: u64, line_bytes: usize) -> Result<Place, Refusal> {
    match byte {
        b'\r' => Ok(Place::SizeEnd { size, line_bytes }),
        _ if is_control(byte) || line_bytes >= LINE_BYTES => Err(BAD_CHUNK),
        _ => Ok(Place::Extension {
            size,
            line_bytes: line_bytes + 1,
        }),
    }
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}
