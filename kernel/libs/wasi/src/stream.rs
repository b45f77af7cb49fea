//! Reading and writing: lists of buffers against streams and files.

use crate::context::Context;
use crate::descriptor::{Object, Stream, flag};
use crate::memory::Memory;
use crate::transfer::{PIECE, Transfer, Turn};
use crate::{Errno, Host, right};

/// Most bytes of log that one call takes. A list may name the same megabytes a thousand times.
const MOST_LOGGED: usize = 16 << 10;

/// Random bytes made before others may run.
const RANDOM_CHUNK: usize = 4 << 10;

impl<H: Host> Context<H> {
    /// `fd_read`: fills the buffers from where the descriptor stands; 0 bytes is the end.
    pub(crate) fn read(&mut self, memory: &mut Memory, call: &Transfer) -> Result<(), Errno> {
        let descriptor = *self.descriptors.get(call.descriptor)?;
        let read = match descriptor.object {
            Object::Directory(_) => return Err(Errno::IsADirectory),
            Object::File(place) => {
                descriptor.allow(right::READ)?;
                let (call, _) = self.part(memory, call)?;
                self.read_at(memory, &call, place, descriptor.position)?
            }
            Object::Stream(stream) => {
                descriptor.allow(right::READ)?;
                let (call, _) = self.part(memory, call)?;
                self.read_stream(memory, &call, stream)?
            }
        };
        let read = self.advance(call.descriptor, descriptor.position, read)?;
        memory.put_u32(call.done, read)
    }

    /// Moves a descriptor on by what a call has read or written, which is also its answer.
    fn advance(&mut self, number: u32, from: u64, by: usize) -> Result<u32, Errno> {
        self.descriptors.get_mut(number)?.position = from.saturating_add(by as u64);
        u32::try_from(by).map_err(|_| Errno::Overflow)
    }

    fn read_stream(
        &mut self,
        memory: &mut Memory,
        call: &Transfer,
        stream: Stream,
    ) -> Result<usize, Errno> {
        let mut read = 0;
        let mut turn = Turn::new();
        for index in 0..call.count {
            let buffer = memory.buffer(call.list, index)?;
            let mut target = memory.bytes_mut(buffer.pointer, buffer.length)?;
            if !turn.next_buffer(&self.host) {
                return Ok(read);
            }
            loop {
                let unread = match stream {
                    Stream::Body => self.unread(),
                    Stream::Null | Stream::Response | Stream::Log => &[],
                };
                let length = target.len().min(unread.len()).min(turn.left());
                if length == 0 {
                    break;
                }
                let (now, later) = target.split_at_mut(length);
                now.copy_from_slice(&unread[..length]);
                self.position += length;
                read += length;
                if !turn.copied(length, &self.host) {
                    return Ok(read);
                }
                target = later;
            }
        }
        Ok(read)
    }

    /// `fd_write`: gives the buffers to the response, the log or a file.
    pub(crate) fn write(&mut self, memory: &mut Memory, call: &Transfer) -> Result<(), Errno> {
        let descriptor = *self.descriptors.get(call.descriptor)?;
        let mut position = descriptor.position;
        let written = match descriptor.object {
            Object::Directory(_) => return Err(Errno::IsADirectory),
            Object::File(place) => {
                descriptor.allow(right::WRITE)?;
                let (call, wanted) = self.part(memory, call)?;
                if descriptor.flags & flag::APPEND != 0 {
                    position = self.scratch.size(place.node);
                }
                self.write_at(memory, &call, place, position, wanted)?
            }
            Object::Stream(stream) => {
                descriptor.allow(right::WRITE)?;
                let (call, wanted) = self.part(memory, call)?;
                self.write_stream(memory, &call, stream, wanted)?
            }
        };
        let written = self.advance(call.descriptor, position, written)?;
        memory.put_u32(call.done, written)
    }

    /// A response that nobody takes any more is a broken pipe, so that the C library does not try for
    /// ever.
    fn write_stream(
        &mut self,
        memory: &mut Memory,
        call: &Transfer,
        stream: Stream,
        wanted: u32,
    ) -> Result<usize, Errno> {
        let mut written = 0;
        let mut turn = Turn::new();
        for index in 0..call.count {
            let buffer = memory.buffer(call.list, index)?;
            let bytes = memory.bytes(buffer.pointer, buffer.length)?;
            if !turn.next_buffer(&self.host) {
                break;
            }
            let length = self.write_to(stream, bytes, written, &mut turn);
            written += length;
            if length < bytes.len() {
                break;
            }
        }
        if written == 0 && wanted > 0 {
            return Err(Errno::BrokenPipe);
        }
        Ok(written)
    }

    /// How many of `bytes` were taken, after `before` earlier ones in the same call.
    fn write_to(&mut self, stream: Stream, bytes: &[u8], before: usize, turn: &mut Turn) -> usize {
        if stream == Stream::Log {
            let room = MOST_LOGGED.saturating_sub(before);
            let taken = &bytes[..bytes.len().min(room)];
            self.lines.write(taken, &mut self.host);
            return taken.len();
        }
        if stream == Stream::Null || bytes.is_empty() {
            return bytes.len();
        }
        let mut taken = 0;
        for piece in bytes.chunks(PIECE) {
            let now = self.host.write_stdout(piece).min(piece.len());
            taken += now;
            if now < piece.len() || !turn.copied(now, &self.host) {
                break;
            }
        }
        taken
    }

    /// `random_get`
    pub(crate) fn random(
        &mut self,
        memory: &mut Memory,
        pointer: u32,
        length: u32,
    ) -> Result<(), Errno> {
        let mut chunks = memory
            .bytes_mut(pointer, length)?
            .chunks_mut(RANDOM_CHUNK)
            .peekable();
        while let Some(chunk) = chunks.next() {
            self.host.random(chunk);
            if chunks.peek().is_some() && !self.host.breathe() {
                break;
            }
        }
        Ok(())
    }
}
