//! Moving bytes between lists of buffers and files, a piece at a time.

use crate::context::Context;
use crate::descriptor::Place;
use crate::files::{LARGEST_FILE, Volume};
use crate::memory::{BUFFER, Memory};
use crate::{Errno, Host};

/// Most buffers that one call reads or writes, as POSIX systems have it (`IOV_MAX`). Of a longer list
/// these are a part, as if there was no room for more.
pub(crate) const MOST_BUFFERS: u32 = 1024;

/// Bytes that are copied, or zeroed, before others may run.
pub(crate) const PIECE: usize = 32 << 10;
/// Beside its bytes, a buffer counts as so many.
const BUFFER_COUNTS: usize = 512;

/// Empty buffers that are skipped before others may run.
const SKIPPED: u32 = 1024;

/// What may still be done before others may run, in bytes.
pub(crate) struct Turn(usize);

impl Turn {
    pub(crate) const fn new() -> Self {
        Self(PIECE)
    }

    /// How much that is.
    pub(crate) const fn left(&self) -> usize {
        self.0
    }

    /// So many bytes were copied. False if the command is not wanted any more.
    pub(crate) fn copied(&mut self, bytes: usize, host: &impl Host) -> bool {
        self.0 -= bytes.min(self.0);
        self.0 > 0 || self.end(host)
    }

    /// Others may run, and the next turn begins. False if the command is not wanted any more.
    pub(crate) fn end(&mut self, host: &impl Host) -> bool {
        *self = Self::new();
        host.breathe()
    }

    /// A buffer was looked up. False if the command is not wanted any more.
    pub(crate) fn next_buffer(&mut self, host: &impl Host) -> bool {
        self.copied(BUFFER_COUNTS, host)
    }
}

/// The arguments that all reads and writes share.
#[derive(Clone, Copy)]
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
    fn check(&self, memory: &Memory) -> Result<u32, Errno> {
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

impl<H: Host> Context<H> {
    /// What one call does of a transfer, which has then been checked, and the sum of its lengths. Of a
    /// list that is too long it does the first part that is not empty: to have moved nothing would be
    /// the end of a file.
    pub(crate) fn part(
        &mut self,
        memory: &Memory,
        call: &Transfer,
    ) -> Result<(Transfer, u32), Errno> {
        let mut part = *call;
        let mut turn = SKIPPED;
        while part.count > MOST_BUFFERS && memory.buffer(part.list, 0)?.length == 0 {
            part.list = Memory::element(part.list, 1, BUFFER)?;
            part.count -= 1;
            turn -= 1;
            if turn == 0 && !self.host.breathe() {
                break;
            }
            turn = if turn == 0 { SKIPPED } else { turn };
        }
        part.count = part.count.min(MOST_BUFFERS);
        let sum = part.check(memory)?;
        Ok((part, sum))
    }

    /// Fills the buffers of a call, which has been checked, from a file.
    pub(crate) fn read_at(
        &mut self,
        memory: &mut Memory,
        call: &Transfer,
        place: Place,
        offset: u64,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        let mut turn = Turn::new();
        if !self.approach(place, offset) {
            return Ok(0);
        }
        for index in 0..call.count {
            // The first does not count, so that what is read from where a piece begins is whole pieces.
            if index > 0 && !turn.next_buffer(&self.host) {
                return Ok(done);
            }
            let buffer = memory.buffer(call.list, index)?;
            let mut target = memory.bytes_mut(buffer.pointer, buffer.length)?;
            while !target.is_empty() {
                let wanted = target.len().min(turn.left());
                let from = offset.saturating_add(done as u64);
                let read = match self.read_piece(place, from, &mut target[..wanted]) {
                    Ok(read) => read,
                    // What was read before it counts.
                    Err(_) if done > 0 => return Ok(done),
                    Err(errno) => return Err(errno),
                };
                done += read;
                // Less than was wanted is what is left of one of the pieces in which files are kept. A turn ends there, so
                // that the next is a whole piece, and not parts of two.
                let goes_on = match read {
                    0 => false,
                    _ if read < wanted => turn.end(&self.host),
                    _ => turn.copied(read, &self.host),
                };
                if !goes_on {
                    return Ok(done);
                }
                target = &mut target[read..];
            }
        }
        Ok(done)
    }

    /// Looks for where `offset` of a file is, so that what is done there is short. False if the command is not wanted any
    /// more.
    fn approach(&mut self, place: Place, offset: u64) -> bool {
        if place.volume == Volume::Scratch {
            while !self.scratch.approach(place.node, offset) {
                if !self.host.breathe() {
                    return false;
                }
            }
        }
        true
    }

    /// Copies what a file has from `offset` on, or the beginning of that, and says how much. Nothing is the end of the file.
    fn read_piece(&mut self, place: Place, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        if place.volume == Volume::Scratch {
            return Ok(self.scratch.read(place.node, offset, into));
        }
        let read = self.host.read_file(place.node, offset, into);
        read.map(|read| read.min(into.len())).map_err(|_| Errno::Io)
    }

    /// Writes the buffers of a call, which has been checked and wants so many bytes, to a file.
    pub(crate) fn write_at(
        &mut self,
        memory: &mut Memory,
        call: &Transfer,
        place: Place,
        offset: u64,
        wanted: u32,
    ) -> Result<usize, Errno> {
        if place.volume != Volume::Scratch {
            return Err(Errno::ReadOnly);
        }
        if wanted == 0 {
            return Ok(0);
        }
        if offset >= LARGEST_FILE {
            return Err(Errno::TooLarge);
        }
        if offset > self.scratch.size(place.node) {
            self.grow_to(place.node, offset)?;
        }
        let now_ns = self.host.realtime_ns();
        let mut done = 0;
        let mut turn = Turn::new();
        if !self.approach(place, offset) {
            return Ok(0);
        }
        for index in 0..call.count {
            if !turn.next_buffer(&self.host) {
                return Ok(done);
            }
            let buffer = memory.buffer(call.list, index)?;
            let mut bytes = memory.bytes(buffer.pointer, buffer.length)?;
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(bytes.len().min(turn.left()));
                let Self { host, scratch, .. } = self;
                let at = offset.saturating_add(done as u64);
                let written =
                    match host.in_own_memory(|| scratch.write(place.node, at, now, now_ns)) {
                        Ok(written) => written,
                        Err(_) if done > 0 => return Ok(done),
                        Err(errno) => return Err(errno),
                    };
                done += written;
                if written < now.len() || !turn.copied(written, &self.host) {
                    return Ok(done);
                }
                bytes = later;
            }
        }
        Ok(done)
    }

    /// Lets a scratch file grow, a piece at a time, or leaves it as it is.
    pub(crate) fn grow_to(&mut self, node: u32, size: u64) -> Result<(), Errno> {
        let now_ns = self.host.realtime_ns();
        let old = self.scratch.size(node);
        self.scratch.check_size(node, size)?;
        let mut reached = old;
        while reached < size {
            reached = size.min(reached.saturating_add(PIECE as u64));
            let Self { host, scratch, .. } = self;
            if let Err(errno) = host.in_own_memory(|| scratch.resize(node, reached, now_ns)) {
                self.cut_to(node, old)?;
                return Err(errno);
            }
            if reached < size && !self.host.breathe() {
                break;
            }
        }
        Ok(())
    }

    /// Cuts a scratch file off.
    pub(crate) fn cut_to(&mut self, node: u32, size: u64) -> Result<(), Errno> {
        let volume = Volume::Scratch;
        let last = size.saturating_sub(1);
        if !self.approach(Place { volume, node }, last) {
            return Err(Errno::Interrupted);
        }
        let now_ns = self.host.realtime_ns();
        self.scratch.resize(node, size, now_ns)
    }
}
