//! Reading and writing: lists of buffers against the streams.

use crate::context::Context;
use crate::descriptor::{Stream, right};
use crate::memory::Memory;
use crate::{Errno, Host};

/// Most buffers in one call, as POSIX systems have it (`IOV_MAX`).
pub(crate) const MOST_BUFFERS: u32 = 1024;

/// Most bytes of log that one call takes. A list may name the same megabytes a thousand times.
const MOST_LOGGED: usize = 16 << 10;

/// Random bytes made before others may run.
const RANDOM_CHUNK: usize = 16 << 10;

impl<H: Host> Context<H> {
    /// `fd_read`: fills the buffers from the body; 0 bytes is the end.
    pub(crate) fn read(&mut self, memory: &mut Memory, call: &Transfer) -> Result<(), Errno> {
        let descriptor = self.descriptors.get(call.descriptor)?;
        descriptor.allow(right::READ)?;
        call.check(memory)?;
        let mut read = 0;
        for index in 0..call.count {
            let buffer = memory.buffer(call.list, index)?;
            let target = memory.bytes_mut(buffer.pointer, buffer.length)?;
            let unread = self.unread();
            let length = target.len().min(unread.len());
            target[..length].copy_from_slice(&unread[..length]);
            self.position += length;
            read += length;
        }
        let read = u32::try_from(read).map_err(|_| Errno::Overflow)?;
        memory.put_u32(call.done, read)
    }

    /// `fd_write`: gives the buffers to the response or the log. A response that nobody takes any
    /// more is a broken pipe, so that the C library does not try for ever.
    pub(crate) fn write(&mut self, memory: &mut Memory, call: &Transfer) -> Result<(), Errno> {
        let descriptor = *self.descriptors.get(call.descriptor)?;
        descriptor.allow(right::WRITE)?;
        let wanted = call.check(memory)?;
        let mut written = 0;
        for index in 0..call.count {
            let buffer = memory.buffer(call.list, index)?;
            let bytes = memory.bytes(buffer.pointer, buffer.length)?;
            let length = self.write_to(descriptor.stream, bytes, written);
            written += length;
            if length < bytes.len() {
                break;
            }
        }
        if written == 0 && wanted > 0 {
            return Err(Errno::BrokenPipe);
        }
        let written = u32::try_from(written).map_err(|_| Errno::Overflow)?;
        memory.put_u32(call.done, written)
    }

    /// How many of `bytes` were taken, after `before` earlier ones in the same call.
    fn write_to(&mut self, stream: Stream, bytes: &[u8], before: usize) -> usize {
        if stream == Stream::Log {
            let room = MOST_LOGGED.saturating_sub(before);
            let taken = &bytes[..bytes.len().min(room)];
            self.lines.write(taken, &mut self.host);
            return taken.len();
        }
        if bytes.is_empty() {
            return 0;
        }
        self.host.write_stdout(bytes).min(bytes.len())
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
            if chunks.peek().is_some() && !self.host.yield_now() {
                break;
            }
        }
        Ok(())
    }
}

/// The arguments that `fd_read` and `fd_write` share.
pub(crate) struct Transfer {
    pub(crate) descriptor: u32,
    pub(crate) list: u32,
    pub(crate) count: u32,
    /// Where the number of bytes goes.
    pub(crate) done: u32,
}

impl Transfer {
    /// Checks everything before the first byte moves, so that a call fails whole. Answers the sum of
    /// the lengths.
    fn check(&self, memory: &mut Memory) -> Result<u32, Errno> {
        if self.count > MOST_BUFFERS {
            return Err(Errno::Invalid);
        }
        memory.bytes(self.done, 4)?;
        let mut sum = 0u32;
        for index in 0..self.count {
            let buffer = memory.buffer(self.list, index)?;
            memory.bytes(buffer.pointer, buffer.length)?;
            sum = sum.checked_add(buffer.length).ok_or(Errno::Invalid)?;
        }
        Ok(sum)
    }
}
