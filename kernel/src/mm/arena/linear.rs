//! The linear memories of native code that an arena's sandbox has.
//!
//! They lie outside of the arena's slot and come back with it. Their size is limited by the engine.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use luge_memory::layout::{self, MEMORY_SLOTS};

use super::{Arena, parked};
use crate::arch::lock::Critical;
use crate::arch::paging::PAGE_BYTES;
use crate::mm::idle;
use crate::mm::memories::{Blank, Image, Memory, MemoryError, Use};

/// How many linear memories a sandbox can have: as many as a module (`luge_module`), and one in which the
/// engine keeps references to the host's objects. (Conformance tests link several modules.)
const MOST: usize = if cfg!(feature = "scenarios") { 64 } else { 11 };

pub(super) type Memories = [Option<Memory>; MOST];
pub(super) const NONE: Memories = [const { None }; MOST];

/// Which arena has, or had last, the linear memory in each slot: the number of its slot and one. For a
/// debugger.
pub(super) static HOLDERS: [AtomicU32; MEMORY_SLOTS as usize] =
    [const { AtomicU32::new(0) }; MEMORY_SLOTS as usize];

/// How much of each was accessible, in bytes; None where there was none.
pub(super) type Exposed = [Option<u64>; MOST];

/// Whether nobody has written to any of them.
pub(super) fn are_untouched(memories: &Memories) -> bool {
    memories.iter().flatten().all(Memory::is_untouched)
}

/// How much of each is accessible.
pub(super) fn exposed(memories: &Memories) -> Exposed {
    memories
        .each_ref()
        .map(|memory| memory.as_ref().map(Memory::exposed))
}

/// Whether there is a memory wherever one was exposed, and nowhere else.
pub(super) fn are_those(memories: &Memories, exposed: &Exposed) -> bool {
    let mut pairs = memories.iter().zip(exposed);
    pairs.all(|(memory, exposed)| memory.is_some() == exposed.is_some())
}

/// Restores all of them and makes nothing of them accessible.
///
/// # Safety
/// The sandbox that had them must never run again.
pub(super) unsafe fn park(memories: &Memories) {
    for memory in memories.iter().flatten() {
        // SAFETY: as the caller promises.
        unsafe { memory.park() };
    }
}

/// Makes as much of each accessible as there was.
///
/// # Errors
/// [`MemoryError::NoFrames`]; some may be accessible then.
pub(super) fn unpark(memories: &mut Memories, exposed: &Exposed) -> Result<(), MemoryError> {
    let pairs = memories.iter_mut().flatten().zip(exposed.iter().flatten());
    for (memory, bytes) in pairs {
        memory.expose_first(*bytes)?;
    }
    Ok(())
}

/// So much is accessible of all of them together, in bytes.
pub(super) fn bytes(exposed: &Exposed) -> u64 {
    exposed.iter().flatten().sum()
}

/// Frames that they have themselves.
pub(super) fn frames(memories: &Memories) -> u64 {
    memories.iter().flatten().map(Memory::own_frames).sum()
}

impl Arena {
    /// How much memory the sandbox has: its heap, its linear memories as far as they were touched, in bytes.
    ///
    /// # Safety
    /// The sandbox must not run meanwhile.
    pub unsafe fn bytes_in_use(&self) -> u64 {
        // SAFETY: who could change it does not run.
        let inner = unsafe { &*self.inner.get() };
        inner.mapped + frames(&inner.memories) * PAGE_BYTES
    }

    /// A linear memory with nothing accessible: all of its address space.
    ///
    /// # Errors
    /// [`MemoryError::NoSlot`], also if the sandbox has as many as it may.
    ///
    /// # Safety
    /// Only the sandbox that runs on this arena may call.
    pub unsafe fn take_memory(&self) -> Result<Range<u64>, MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let free = inner.memories.iter().position(Option::is_none);
        let index = free.ok_or(MemoryError::NoSlot)?;
        let for_use = Use {
            program: inner.program,
            index: index as u32,
        };
        let memory = or_without_idle(|| Memory::take(for_use))?;
        let span = memory.span();
        if let Some(number) = layout::memory_of(span.start) {
            HOLDERS[number as usize].store(self.slot + 1, Relaxed);
        }
        inner.memories[index] = Some(memory);
        Ok(span)
    }

    /// Makes `range` of a linear memory accessible: see [`Memory::expose`].
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed then.
    ///
    /// # Safety
    /// As [`Self::take_memory`].
    pub unsafe fn expose_memory(&self, range: Range<u64>) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let memory = memory_at(&mut inner.memories, range.start)?;
        let growth = memory.growth(range.end);
        if !inner.charged.more(growth) {
            return Err(MemoryError::NoFrames);
        }
        let exposed = or_without_idle(|| memory.expose(range.clone()));
        if exposed.is_err() {
            inner.charged.less(growth);
        }
        exposed
    }

    /// Lets `image` be what lies at `start` at first: see [`Memory::set_image`].
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed then.
    ///
    /// # Safety
    /// As [`Self::take_memory`]; the image must live as long as the sandbox.
    pub unsafe fn set_image(&self, start: u64, image: &Image) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let memory = memory_at(&mut inner.memories, start)?;
        // SAFETY: as the caller promises.
        unsafe { memory.set_image(start, image) }
    }

    /// Drops what is in `range` of a linear memory: see [`Memory::blank`].
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed then.
    ///
    /// # Safety
    /// As [`Self::take_memory`]; nobody may count on what is in the range.
    pub unsafe fn blank_memory(&self, range: Range<u64>, blank: Blank) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let memory = memory_at(&mut inner.memories, range.start)?;
        let before = memory.exposed();
        // SAFETY: as the caller promises.
        unsafe { memory.blank(range, blank) }?;
        inner.charged.less(before - memory.exposed());
        inner.snapshot = None;
        Ok(())
    }

    /// Takes a linear memory back before the sandbox ends, and unmaps all of it.
    ///
    /// # Errors
    /// [`MemoryError::BadRange`] if `span` is not all of the address space of one.
    ///
    /// # Safety
    /// As [`Self::take_memory`]; nobody may touch the memory any more.
    pub unsafe fn give_memory_back(&self, span: Range<u64>) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let is_it = |memory: &Option<Memory>| memory.as_ref().is_some_and(|it| it.span() == span);
        let place = inner.memories.iter_mut().find(|place| is_it(place));
        let memory = place.and_then(Option::take).ok_or(MemoryError::BadRange)?;
        inner.snapshot = None;
        inner.charged.less(memory.exposed());
        // SAFETY: as the caller promises.
        unsafe { memory.give_up() };
        Ok(())
    }
}

/// What `attempt` gives; what waits to be used again is given up one by one while it is refused.
fn or_without_idle<T>(
    mut attempt: impl FnMut() -> Result<T, MemoryError>,
) -> Result<T, MemoryError> {
    loop {
        match attempt() {
            Err(MemoryError::NoSlot) if parked::give_up_one() => {}
            Err(MemoryError::NoFrames) if idle::give_up_one() => {}
            result => return result,
        }
    }
}

/// The linear memory in whose address space `address` is.
fn memory_at(memories: &mut Memories, address: u64) -> Result<&mut Memory, MemoryError> {
    memories
        .iter_mut()
        .flatten()
        .find(|memory| memory.span().contains(&address))
        .ok_or(MemoryError::BadRange)
}
