//! What one sandbox did with its time, in the form of Sledge's log of sandboxes.
//!
//! The names of the columns and their order are those of that log, so that scripts for it find what they
//! look for; ours follow at the end. Its times are in cycles, beside a column with the cycles in a
//! microsecond. Ours are in nanoseconds, and that column says 1000. What Sledge tells apart and this kernel does not
//! is 0.

use core::fmt::{self, Display, Formatter, Write};

use luge_sandbox::{Outcome, Times};

/// The first line.
pub const CSV_HEADER: &str = "id,tenant,route,state,deadline,actual,queued,uninitialized,allocated,\
    initialized,runnable,interrupted,preempted,running_sys,running_user,asleep,returned,complete,error,\
    proc_MHz,payload_size,regression_param,arrived,charged,turns,preemptions,\
    waiting_for_client,outcome\n";

/// What a sandbox did with its time.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The sandbox's number.
    pub id: u64,
    /// The number of its route.
    pub route: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// How long after its arrival it was to be done, in nanoseconds.
    pub relative_deadline_ns: u64,
    /// When its request arrived.
    pub arrived_ns: u64,
    /// Whether that was a success, by its route's account.
    pub succeeded: bool,
    /// How long it was in each state.
    pub times: Times,
    /// CPU time that it was charged with, in nanoseconds.
    pub charged_ns: u64,
    /// How often it was given the CPU, and how often that was taken from it.
    pub turns: (u32, u32),
    /// Bytes of its request's body.
    pub payload_bytes: usize,
}

impl Record {
    /// Writes a line, with the names of tenant and route.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, tenant: &str, route: &str) -> fmt::Result {
        let Times {
            queued_ns,
            run_ns,
            blocked_ns,
            reader_ns,
            total_ns,
        } = self.times;
        let state = if self.succeeded { "Complete" } else { "Error" };
        let (turns, preemptions) = self.turns;
        writeln!(
            out,
            "{},{},{},{state},{},{total_ns},{queued_ns},0,0,0,{queued_ns},0,0,0,{run_ns},{blocked_ns},0,0,0,\
             1000,{},0,{},{},{turns},{preemptions},{reader_ns},{}",
            self.id,
            Field(tenant),
            Field(route),
            self.relative_deadline_ns,
            self.payload_bytes,
            self.arrived_ns,
            self.charged_ns,
            self.outcome,
        )
    }
}

/// A field as RFC 4180 wants it, "Definition of the CSV Format" (2): in quotes if it has to be.
struct Field<'a>(&'a str);

impl Display for Field<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.contains([',', '"', '\n', '\r']) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for (number, piece) in self.0.split('"').enumerate() {
            f.write_str(if number > 0 { "\"\"" } else { "" })?;
            f.write_str(piece)?;
        }
        f.write_char('"')
    }
}
