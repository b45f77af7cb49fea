//! The linear memories of native code that an arena's sandbox has.
//!
//! They lie outside of the arena's slot and come back with it. Their size is limited by the engine.

use core::ops::Range;

use super::Arena;
use crate::arch::lock::Critical;
use crate::mm::memories::{Image, Memory, MemoryError, Use};

/// How many linear memories a sandbox can have: as many as a module (`luge_module`).
const MOST: usize = 1;

pub(super) type Memories = [Option<Memory>; MOST];
pub(super) const NONE: Memories = [const { None }; MOST];

/// Gives all of them back.
///
/// # Safety
/// The sandbox that had them must never run again.
pub(super) unsafe fn give_back(memories: &mut Memories) {
    for memory in memories.iter_mut().filter_map(Option::take) {
        // SAFETY: as the caller promises.
        unsafe { memory.give_back() };
    }
}

impl Arena {
    /// Tells which program runs on the arena, so that it can have the memories that it had before.
    ///
    /// # Safety
    /// Only the sandbox that runs on this arena may call.
    pub unsafe fn set_program(&self, program: u64) {
        // SAFETY: the caller is the only one that touches the arena.
        unsafe { &mut *self.inner.get() }.program = program;
    }

    /// A linear memory with nothing accessible: all of its address space.
    ///
    /// # Errors
    /// [`MemoryError::NoSlot`], also if the sandbox has as many as it may.
    ///
    /// # Safety
    /// As [`Self::set_program`].
    pub unsafe fn take_memory(&self) -> Result<Range<u64>, MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let free = inner.memories.iter().position(Option::is_none);
        let index = free.ok_or(MemoryError::NoSlot)?;
        let memory = Memory::take(Use {
            program: inner.program,
            index: index as u32,
        })?;
        let span = memory.span();
        inner.memories[index] = Some(memory);
        Ok(span)
    }

    /// Makes `range` of a linear memory accessible: see [`Memory::expose`].
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed then.
    ///
    /// # Safety
    /// As [`Self::set_program`].
    pub unsafe fn expose_memory(&self, range: Range<u64>) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        memory_at(&mut inner.memories, range.start)?.expose(range)
    }

    /// Lets `image` be what lies at `start` at first: see [`Memory::set_image`].
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed then.
    ///
    /// # Safety
    /// As [`Self::set_program`]; the image must live as long as the sandbox.
    pub unsafe fn set_image(&self, start: u64, image: &Image) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let memory = memory_at(&mut inner.memories, start)?;
        // SAFETY: as the caller promises.
        unsafe { memory.set_image(start, image) }
    }

    /// Takes a linear memory back before the sandbox ends.
    ///
    /// # Errors
    /// [`MemoryError::BadRange`] if `span` is not all of the address space of one.
    ///
    /// # Safety
    /// As [`Self::set_program`]; nobody may touch the memory any more.
    pub unsafe fn give_memory_back(&self, span: Range<u64>) -> Result<(), MemoryError> {
        let _critical = Critical::enter();
        // SAFETY: the caller is the only one that touches the arena.
        let inner = unsafe { &mut *self.inner.get() };
        let is_it = |memory: &Option<Memory>| memory.as_ref().is_some_and(|it| it.span() == span);
        let place = inner.memories.iter_mut().find(|place| is_it(place));
        let memory = place.and_then(Option::take).ok_or(MemoryError::BadRange)?;
        // SAFETY: as the caller promises.
        unsafe { memory.give_back() };
        Ok(())
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
