//! The table of descriptors, by number.
//!
//! The first few lie in the table itself; the others in chunks of the command's own memory, each with a
//! word that says which of its places are taken. So the lowest free number is found by looking at one
//! word for each 64 descriptors, and growing copies none.

use alloc::vec::Vec;

use super::{Descriptor, Object, Stream};
use crate::Errno;
use crate::files::Volume;

/// Most descriptors at once: more than 3,000 files, which programs open that open thousands.
pub const MOST_DESCRIPTORS: usize = NEAR + MOST_CHUNKS * CHUNK;

/// How many of them are there from the start: few programs have more, and a table costs every request its
/// making.
const NEAR: usize = 8;
/// The streams among them, and the volumes at most.
const STREAMS: usize = 3;
const MOUNTS: usize = 3;
/// How many a chunk has: one for each bit of a word.
const CHUNK: usize = u64::BITS as usize;
/// Most chunks.
const MOST_CHUNKS: usize = 64;

/// The table.
pub(crate) struct Descriptors {
    near: [Option<Descriptor>; NEAR],
    far: Vec<Chunk>,
}

/// Up to [`CHUNK`] descriptors.
struct Chunk {
    /// A bit for each place that has a descriptor.
    taken: u64,
    /// As many places as were ever used; room for all is reserved.
    places: Vec<Option<Descriptor>>,
}

impl Chunk {
    /// None without memory. Allocates.
    fn new() -> Option<Self> {
        let mut places = Vec::new();
        places.try_reserve_exact(CHUNK).ok()?;
        Some(Self { taken: 0, places })
    }

    /// The lowest place without a descriptor.
    fn free(&self) -> Option<usize> {
        let place = self.taken.trailing_ones() as usize;
        (place < CHUNK).then_some(place)
    }

    fn get(&self, place: usize) -> Option<&Descriptor> {
        self.places.get(place)?.as_ref()
    }

    /// Puts a descriptor into a place that [`Self::free`] has answered, or that has one.
    fn put(&mut self, place: usize, descriptor: Descriptor) {
        if place == self.places.len() && place < CHUNK {
            self.places.push(None);
        }
        if let Some(slot) = self.places.get_mut(place) {
            *slot = Some(descriptor);
            self.taken |= 1 << place;
        }
    }

    fn take(&mut self, place: usize) -> Option<Descriptor> {
        let taken = self.places.get_mut(place)?.take()?;
        self.taken &= !(1 << place);
        Some(taken)
    }
}

/// Where a number is: in the table itself, or which chunk and which place in it.
enum Position {
    Near(usize),
    Far(usize, usize),
}

impl Position {
    const fn of(number: u32) -> Self {
        match (number as usize).checked_sub(NEAR) {
            None => Self::Near(number as usize),
            Some(rest) => Self::Far(rest / CHUNK, rest % CHUNK),
        }
    }
}

impl Descriptors {
    /// The three streams, of which the second is `output`, and after them the volumes that are mounted.
    /// Allocates nothing.
    pub(crate) const fn new(output: Stream, volumes: [Option<Volume>; MOUNTS]) -> Self {
        let mut near = [
            Some(Descriptor::stream(Stream::Body)),
            Some(Descriptor::stream(output)),
            Some(Descriptor::stream(Stream::Log)),
            None,
            None,
            None,
            None,
            None,
        ];
        let (mut mount, mut number) = (0, STREAMS);
        while mount < MOUNTS {
            if let Some(volume) = volumes[mount] {
                near[number] = Some(Descriptor::mount(volume));
                number += 1;
            }
            mount += 1;
        }
        Self {
            near,
            far: Vec::new(),
        }
    }

    pub(crate) fn get(&self, number: u32) -> Result<&Descriptor, Errno> {
        let found = match Position::of(number) {
            Position::Near(place) => self.near.get(place).and_then(Option::as_ref),
            Position::Far(chunk, place) => self.far.get(chunk).and_then(|it| it.get(place)),
        };
        found.ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Result<&mut Descriptor, Errno> {
        let slot = match Position::of(number) {
            Position::Near(place) => self.near.get_mut(place),
            Position::Far(chunk, place) => {
                let chunk = self.far.get_mut(chunk);
                chunk.and_then(|chunk| chunk.places.get_mut(place))
            }
        };
        slot.and_then(Option::as_mut).ok_or(Errno::BadDescriptor)
    }

    /// The lowest number that is free, with a place for a descriptor. Allocates.
    ///
    /// # Errors
    /// `mfile`, also without memory.
    pub(crate) fn reserve(&mut self) -> Result<u32, Errno> {
        if let Some(number) = self.near.iter().position(Option::is_none) {
            return Ok(number as u32);
        }
        let mut chunks = self.far.iter().enumerate();
        let free = chunks.find_map(|(index, chunk)| Some((index, chunk.free()?)));
        let (chunk, place) = match free {
            Some(free) => free,
            None => (self.add_chunk()?, 0),
        };
        Ok((NEAR + chunk * CHUNK + place) as u32)
    }

    fn add_chunk(&mut self) -> Result<usize, Errno> {
        let index = self.far.len();
        if index == MOST_CHUNKS || self.far.try_reserve(1).is_err() {
            return Err(Errno::TooManyDescriptors);
        }
        self.far
            .push(Chunk::new().ok_or(Errno::TooManyDescriptors)?);
        Ok(index)
    }

    /// Puts a descriptor where [`Self::reserve`] has found room, or where one is.
    pub(crate) fn put(&mut self, number: u32, descriptor: Descriptor) {
        match Position::of(number) {
            Position::Near(place) => {
                if let Some(slot) = self.near.get_mut(place) {
                    *slot = Some(descriptor);
                }
            }
            Position::Far(chunk, place) => {
                if let Some(chunk) = self.far.get_mut(chunk) {
                    chunk.put(place, descriptor);
                }
            }
        }
    }

    /// Takes a descriptor away, and returns what it led to.
    pub(crate) fn close(&mut self, number: u32) -> Result<Object, Errno> {
        let closed = match Position::of(number) {
            Position::Near(place) => self.near.get_mut(place).and_then(Option::take),
            Position::Far(chunk, place) => {
                let chunk = self.far.get_mut(chunk);
                chunk.and_then(|chunk| chunk.take(place))
            }
        };
        closed
            .map(|closed| closed.object)
            .ok_or(Errno::BadDescriptor)
    }

    /// `fd_renumber`: `to` becomes what `from` was, and `from` is closed. Both must be open. Returns what
    /// `to` led to, unless they are the same.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Object>, Errno> {
        let moved = *self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let closed = self.close(to)?;
        self.close(from)?;
        self.put(to, moved);
        Ok(Some(closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ROOT;

    fn full() -> Descriptors {
        let mut table = Descriptors::new(Stream::Response, [None; MOUNTS]);
        for expected in 3..MOST_DESCRIPTORS as u32 {
            assert_eq!(table.reserve(), Ok(expected));
            table.put(expected, Descriptor::mount(Volume::Scratch));
        }
        table
    }

    #[test]
    fn every_number_is_given_out_once() {
        let mut table = full();
        assert_eq!(table.reserve(), Err(Errno::TooManyDescriptors));
        for number in 0..MOST_DESCRIPTORS as u32 {
            assert!(table.get(number).is_ok(), "{number}");
        }
        assert!(table.get(MOST_DESCRIPTORS as u32).is_err());
        assert!(table.get_mut(u32::MAX).is_err());
    }

    #[test]
    fn the_lowest_free_number_comes_first() {
        let mut table = full();
        let freed = [4000, 7, 72, 8, 71, 135, MOST_DESCRIPTORS as u32 - 1];
        for number in freed {
            assert!(table.close(number).is_ok());
            assert!(table.close(number).is_err());
        }
        let mut sorted = freed;
        sorted.sort_unstable();
        for number in sorted {
            assert_eq!(table.reserve(), Ok(number));
            assert_eq!(table.reserve(), Ok(number), "only a descriptor takes it");
            table.put(number, Descriptor::mount(Volume::Scratch));
        }
        assert!(table.reserve().is_err());
    }

    #[test]
    fn a_descriptor_that_is_renumbered_frees_its_number() {
        let mut table = full();
        let marked = Object::Directory(super::super::Place {
            volume: Volume::Folder,
            node: ROOT,
        });
        table.put(1000, Descriptor::mount(Volume::Folder));
        assert!(matches!(table.renumber(1000, 9), Ok(Some(_))));
        assert_eq!(table.get(9).map(|it| it.object), Ok(marked));
        assert!(table.get(1000).is_err());
        assert_eq!(table.reserve(), Ok(1000));
    }
}
