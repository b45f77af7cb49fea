//! Numbered places in virtual memory: which are taken.
//!
//! Stacks and arenas live in slots of fixed size, so that the place of one is a multiplication.
//! The lowest free slot is taken first: a machine that runs eight sandboxes at a time then uses the
//! same eight slots for ever, and their page tables with them.

use core::fmt;

/// As many slots as one summary word can speak of.
pub const MAX_SLOTS: u32 = u64::BITS * u64::BITS;

/// Which of a fixed number of slots are free.
///
/// Invariant: bit `n` of `summary` is set exactly if `words[n]` is not zero.
pub struct SlotMap {
    /// A set bit is a free slot.
    words: [u64; u64::BITS as usize],
    summary: u64,
    slots: u32,
    taken: u32,
}

/// The slot was given back without having been taken: it is free, or there is no such slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// The slot's number.
    pub slot: u32,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} is not taken", self.slot)
    }
}

impl core::error::Error for NotTaken {}

impl SlotMap {
    /// A map of the slots 0 to `slots` - 1, all free.
    ///
    /// # Panics
    /// If there are more than [`MAX_SLOTS`].
    #[must_use]
    pub const fn new(slots: u32) -> Self {
        assert!(slots <= MAX_SLOTS, "more slots than a map can hold");
        let mut map = Self {
            words: [0; u64::BITS as usize],
            summary: 0,
            slots,
            taken: 0,
        };
        let mut slot = 0;
        while slot < slots {
            map.words[(slot / u64::BITS) as usize] |= 1 << (slot % u64::BITS);
            map.summary |= 1 << (slot / u64::BITS);
            slot += 1;
        }
        map
    }

    /// How many slots there are.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        self.slots
    }

    /// How many slots are taken.
    #[must_use]
    pub const fn in_use(&self) -> u32 {
        self.taken
    }

    /// Whether the slot is taken. A slot that does not exist is not.
    #[must_use]
    pub const fn is_taken(&self, slot: u32) -> bool {
        slot < self.slots
            && self.words[(slot / u64::BITS) as usize] & (1 << (slot % u64::BITS)) == 0
    }

    /// Takes the lowest free slot; None if all are taken.
    pub const fn take(&mut self) -> Option<u32> {
        if self.summary == 0 {
            return None;
        }
        let index = self.summary.trailing_zeros();
        let word = &mut self.words[index as usize];
        let slot = index * u64::BITS + word.trailing_zeros();
        *word &= *word - 1;
        if *word == 0 {
            self.summary &= self.summary - 1;
        }
        self.taken += 1;
        Some(slot)
    }

    /// Takes the highest free slot, for what keeps it for long; None if all are taken.
    pub const fn take_highest(&mut self) -> Option<u32> {
        if self.summary == 0 {
            return None;
        }
        let index = self.summary.ilog2();
        let word = &mut self.words[index as usize];
        let bit = word.ilog2();
        *word &= !(1 << bit);
        if *word == 0 {
            self.summary &= !(1 << index);
        }
        self.taken += 1;
        Some(index * u64::BITS + bit)
    }

    /// Gives a slot back.
    ///
    /// # Errors
    /// [`NotTaken`] if it is free already or does not exist; nothing has changed then.
    pub const fn give_back(&mut self, slot: u32) -> Result<(), NotTaken> {
        if !self.is_taken(slot) {
            return Err(NotTaken { slot });
        }
        self.words[(slot / u64::BITS) as usize] |= 1 << (slot % u64::BITS);
        self.summary |= 1 << (slot / u64::BITS);
        self.taken -= 1;
        Ok(())
    }
}
