//! The last records, and the table of them.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::{CSV_HEADER, Record};

/// The last records. Each new one takes the place of the oldest once all places are taken.
///
/// Invariant: memory is taken once, by [`with_room`](Self::with_room); [`push`](Self::push) never asks for any.
#[derive(Debug, Default)]
pub struct Records {
    kept: Vec<Record>,
    room: usize,
    /// How many there ever were.
    all: u64,
}

impl Records {
    /// Keeps nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            kept: Vec::new(),
            room: 0,
            all: 0,
        }
    }

    /// Keeps so many. Without memory for them, none.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        let mut records = Self::new();
        if records.kept.try_reserve_exact(room).is_ok() {
            records.room = room;
        }
        records
    }

    /// Keeps a record.
    #[inline]
    pub fn push(&mut self, record: Record) {
        if self.kept.len() < self.room {
            self.kept.push(record);
        } else if self.room > 0 {
            self.kept[(self.all % self.room as u64) as usize] = record;
        }
        self.all += 1;
    }

    /// The record with this number, counted from the first that there ever was, if it is not lost.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Record> {
        let is_here = number < self.all && number >= self.first();
        is_here.then(|| &self.kept[(number % self.room as u64) as usize])
    }

    /// The number of the first record that is not lost.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.all.saturating_sub(self.room as u64)
    }
}

/// The records as CSV, written line by line, the oldest first. The ring may go on meanwhile: what was lost
/// before its turn came is left out.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    next: u64,
    end: u64,
    is_begun: bool,
}

impl Table {
    /// The records that are there now; of them, those behind that of the sandbox `behind`, if it is there.
    #[must_use]
    pub fn new(records: &Records, behind: Option<u64>) -> Self {
        let mut numbers = records.first()..records.all;
        let is_it = |number: &u64| records.get(*number).map(|record| record.id) == behind;
        let last_seen = numbers.rfind(is_it);
        Self {
            next: last_seen.map_or(records.first(), |number| number + 1),
            end: records.all,
            is_begun: false,
        }
    }

    /// Writes the next record, with the names of tenant and route that `names` has for its route. Says whether more
    /// follows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_next<'n>(
        &mut self,
        out: &mut dyn Write,
        records: &Records,
        names: impl Fn(u16) -> Option<(&'n str, &'n str)>,
    ) -> Result<bool, fmt::Error> {
        if !core::mem::replace(&mut self.is_begun, true) {
            out.write_str(CSV_HEADER)?;
        }
        let number = self.next.max(records.first());
        self.next = number + 1;
        let record = records.get(number).filter(|_| number < self.end);
        if let Some(record) = record {
            let (tenant, route) = names(record.route).unwrap_or_default();
            record.write(out, tenant, route)?;
        }
        Ok(record.is_some())
    }
}
