//! What is to be sent: a queue of pieces, sent as far as the socket has room.
//!
//! A body's buffers are moved in and go out from where they lie; chunk framing goes between them as
//! small pieces of its own, so no body is ever copied together.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A chunk's size line: sixteen digits and CRLF at most.
const SIZE_LINE_BYTES: usize = 18;

#[derive(Debug)]
enum Piece {
    Owned(Vec<u8>),
    Fixed(&'static [u8]),
    SizeLine {
        text: [u8; SIZE_LINE_BYTES],
        bytes: usize,
    },
}

impl Piece {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Fixed(bytes) => bytes,
            Self::SizeLine { text, bytes } => &text[..*bytes],
        }
    }
}

/// Bytes on their way to the client, in pieces.
///
/// Invariant: no piece is empty, and `sent` is less than the length of the first.
#[derive(Debug, Default)]
pub struct Outgoing {
    pieces: VecDeque<Piece>,
    sent: usize,
    queued_bytes: usize,
}

impl Outgoing {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            sent: 0,
            queued_bytes: 0,
        }
    }

    /// Appends bytes as they are.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.append(Piece::Owned(bytes));
    }

    /// Appends bytes that are always the same.
    pub fn push_fixed(&mut self, bytes: &'static [u8]) {
        self.append(Piece::Fixed(bytes));
    }

    /// Appends bytes as one chunk. No bytes are no chunk: an empty one would end the body.
    pub fn push_chunk(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.append(size_line(bytes.len()));
            self.append(Piece::Owned(bytes));
            self.append(Piece::Fixed(b"\r\n"));
        }
    }

    /// The next bytes to send, as far as they lie together.
    pub fn front(&self) -> Option<&[u8]> {
        self.pieces
            .front()
            .map(|piece| &piece.as_bytes()[self.sent..])
    }

    /// Takes the first `count` bytes of [`Outgoing::front`] as sent.
    ///
    /// # Panics
    /// If the front is shorter.
    pub fn advance(&mut self, count: usize) {
        let front_bytes = self.front().map_or(0, <[u8]>::len);
        assert!(count <= front_bytes, "more was sent than there was");
        self.queued_bytes -= count;
        if count == front_bytes {
            self.pieces.pop_front();
            self.sent = 0;
        } else {
            self.sent += count;
        }
    }

    /// How many bytes have not been sent.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Whether everything has been sent.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Forgets what has not been sent, for a connection that is broken off.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    fn append(&mut self, piece: Piece) {
        let bytes = piece.as_bytes().len();
        if bytes > 0 {
            self.queued_bytes += bytes;
            self.pieces.push_back(piece);
        }
    }
}

/// A chunk's size in hexadecimal, and CRLF.
fn size_line(mut size: usize) -> Piece {
    let mut reversed = [0; SIZE_LINE_BYTES];
    let mut digits = 0;
    while digits == 0 || size > 0 {
        reversed[digits] = b"0123456789abcdef"[size % 16];
        size /= 16;
        digits += 1;
    }
    let mut text = [0; SIZE_LINE_BYTES];
    for (to, from) in text.iter_mut().zip(reversed[..digits].iter().rev()) {
        *to = *from;
    }
    text[digits..digits + 2].copy_from_slice(b"\r\n");
    Piece::SizeLine {
        text,
        bytes: digits + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Sends everything, a few bytes at a time.
    fn drain(outgoing: &mut Outgoing, at_once: usize) -> Vec<u8> {
        let mut wire = Vec::new();
        while let Some(front) = outgoing.front() {
            let count = front.len().min(at_once);
            wire.extend_from_slice(&front[..count]);
            outgoing.advance(count);
        }
        wire
    }

    #[test]
    fn chunks_are_framed_whatever_the_socket_takes_at_once() {
        for at_once in 1..40 {
            let mut outgoing = Outgoing::new();
            outgoing.push(b"head".to_vec());
            outgoing.push_chunk(vec![b'x'; 17]);
            outgoing.push_chunk(Vec::new());
            outgoing.push_fixed(b"0\r\n\r\n");
            assert_eq!(outgoing.queued_bytes(), 4 + 4 + 17 + 2 + 5);
            assert_eq!(
                drain(&mut outgoing, at_once),
                b"head11\r\nxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"
            );
            assert!(outgoing.is_empty());
            assert_eq!(outgoing.queued_bytes(), 0);
        }
    }

    #[test]
    fn size_lines_are_hexadecimal_without_leading_zeros() {
        for (size, text) in [(1, "1\r\n"), (255, "ff\r\n"), (1 << 20, "100000\r\n")] {
            assert_eq!(size_line(size).as_bytes(), text.as_bytes());
        }
        assert_eq!(size_line(usize::MAX).as_bytes(), b"ffffffffffffffff\r\n");
    }
}
