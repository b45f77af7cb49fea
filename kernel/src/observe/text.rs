//! Texts that may be long, written a little at a time.
//!
//! Whoever wants one calls [`Text::write_next`] until nothing is left, and may let others run in between. No
//! text is ever in memory as a whole, and what it tells of may change while it is written: it says
//! of everything what was so when its turn came.

use core::fmt::{self, Write};

use crate::functions::{Function, Table};

/// Whether there is more of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Rest {
    /// There is.
    More,
    /// That was all.
    Nothing,
}

/// A text that is written a little at a time.
pub trait Text: Send {
    /// Writes what comes next, which is some kilobytes at most and takes some tens of microseconds. `table` is
    /// that of now; it may have changed since the last time.
    ///
    /// # Errors
    /// Those of the writer. The text is of no use then.
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error>;
}

/// The lines that `line` writes of each function.
pub struct ByFunction {
    place: usize,
    line: fn(&mut dyn Write, &Function) -> fmt::Result,
}

impl ByFunction {
    /// From the first function on.
    pub const fn new(line: fn(&mut dyn Write, &Function) -> fmt::Result) -> Self {
        Self { place: 0, line }
    }
}

impl Text for ByFunction {
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        if self.place >= table.places() {
            return Ok(Rest::Nothing);
        }
        if let Some(function) = table.function_at(self.place) {
            (self.line)(out, function)?;
        }
        self.place += 1;
        Ok(Rest::More)
    }
}
