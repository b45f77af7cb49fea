//! `/records`: what the last sandboxes did with their time.

use core::fmt::{self, Write};

use luge_journal::Table as Csv;

use super::text::{Rest, Text};
use crate::functions::Table;
use crate::sandbox::records;

/// The records, as far as they are written.
pub struct LastRecords(Csv);

impl LastRecords {
    /// All that there are now; or, if that of the sandbox `behind` is among them, those that came after it.
    #[must_use]
    pub fn now(behind: Option<u64>) -> Self {
        Self(Csv::new(&records::kept(), behind))
    }
}

impl Text for LastRecords {
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        let records = records::kept();
        let has_more = self
            .0
            .write_next(out, &records, |route| table.place_of_number(route))?;
        Ok(if has_more { Rest::More } else { Rest::Nothing })
    }
}
