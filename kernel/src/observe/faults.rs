//! `/faults`: the last traps that ended sandboxes, for people and for programs.

use core::fmt::{self, Write};

use super::text::{Rest, Text};
use crate::functions::Table;
use crate::sandbox::Report;

/// How they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// As an array of JSON.
    Json,
}

/// All that there were up to some moment and that are not lost, the newest first, as far as they are written.
pub struct Faults {
    form: Form,
    /// How many there were before the one that comes next.
    next: u64,
    are_begun: bool,
}

impl Faults {
    /// Those that there are now.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            next: Report::count(),
            are_begun: false,
        }
    }

    fn take_next(&mut self) -> Option<Report> {
        self.next = self.next.checked_sub(1)?;
        Report::numbered(self.next)
    }
}

impl Text for Faults {
    fn write_next(&mut self, mut out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        let is_first = !core::mem::replace(&mut self.are_begun, true);
        let Some(report) = self.take_next() else {
            out.write_str(match (self.form, is_first) {
                (Form::Text, true) => "no sandbox was ended by a trap\n",
                (Form::Text, false) => "",
                (Form::Json, true) => "[]\n",
                (Form::Json, false) => "\n]\n",
            })?;
            return Ok(Rest::Nothing);
        };
        let fault = report.fault(table.place_of_number(report.route()));
        match self.form {
            Form::Text => fault.write_text(&mut out)?,
            Form::Json => {
                out.write_str(if is_first { "[\n" } else { ",\n" })?;
                fault.write_json(&mut out)?;
            }
        }
        Ok(Rest::More)
    }
}
