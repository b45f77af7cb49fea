//! `/trace`: what happened to the last requests, for viewers of traces.

use core::fmt::{self, Write};

use luge_trace::Trace;

use super::text::{Rest, Text};
use crate::functions::Table;
use crate::sched::trace;

/// The trace of the schedule, as far as it is written.
pub struct Schedule(Trace);

impl Schedule {
    /// All that has happened up to now and is not lost.
    pub fn now() -> Self {
        Self(Trace::new(&trace::ring()))
    }
}

impl Text for Schedule {
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        let ring = trace::ring();
        let has_more = self
            .0
            .write_next(out, &ring, |route| table.name_of(route))?;
        Ok(if has_more { Rest::More } else { Rest::Nothing })
    }
}
