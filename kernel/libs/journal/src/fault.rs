//! How a sandbox was ended by force.

use core::fmt::{self, Display, Formatter, Write};

use luge_sandbox::Outcome;

use crate::Text;

/// How many frames of a sandbox's stack are kept.
pub const MOST_FRAMES: usize = 12;

/// What the processor found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The exception, as the manual has it: `#PF`.
    pub name: &'static str,
    /// Where: the instruction's address.
    pub rip: u64,
    /// The address that was touched; of a #PF alone.
    pub cr2: Option<u64>,
    /// The error code, 0 for exceptions without one.
    pub error_code: u64,
    /// The stack pointer.
    pub rsp: u64,
    /// How much of the stack was in use, in bytes.
    pub stack_used: u64,
    /// Return addresses in native code, from the innermost on; 0 where there are no more.
    pub callers: [u64; MOST_FRAMES],
}

/// How a sandbox was ended by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at_ns: u64,
    /// The sandbox's number.
    pub sandbox: u64,
    /// The number of its route.
    pub route: u16,
    /// What it was ended for.
    pub outcome: Outcome,
    /// How large its stack was, in bytes.
    pub stack_bytes: u64,
    /// CPU time that it was charged with, in nanoseconds.
    pub charged_ns: u64,
    /// From its arrival on, in nanoseconds.
    pub total_ns: u64,
    /// What the processor found, if that was it. The interpreter finds most things by itself.
    pub exception: Option<Exception>,
}

/// A place in a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<N> {
    /// The function's number, imports counted.
    pub function: u32,
    /// Its name, if the module says.
    pub name: Option<N>,
    /// How far into the file of the module the instruction is, in bytes, if that is known.
    pub offset: Option<u32>,
}

impl<N: AsRef<str>> Place<N> {
    fn name(&self) -> Option<&str> {
        self.name.as_ref().map(AsRef::as_ref)
    }
}

impl<N: AsRef<str>> Display for Place<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.function)?;
        if let Some(name) = self.name() {
            // A name is the guest's to choose.
            write!(f, " ({})", name.escape_debug())?;
        }
        match self.offset {
            Some(offset) => write!(f, " at {offset:#x}"),
            None => Ok(()),
        }
    }
}

impl Exception {
    /// The addresses of the frames, from the innermost on. A return address is behind the call that it belongs
    /// to, so one less is in it.
    pub fn frames(&self) -> impl Iterator<Item = u64> {
        let callers = self.callers.into_iter().take_while(|address| *address != 0);
        core::iter::once(self.rip).chain(callers.map(|address| address - 1))
    }
}

impl Fault {
    /// Writes an object of JSON. `place` knows what is at an address of native code.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_json<N: AsRef<str>>(
        &self,
        out: &mut impl Write,
        (tenant, route): (&str, &str),
        place: impl Fn(u64) -> Option<Place<N>>,
    ) -> fmt::Result {
        write!(
            out,
            "{{\"at_s\":{}.{:06},\"sandbox\":{},\"tenant\":{},\"route\":{},\"outcome\":\"{}\",\
             \"stack_bytes\":{},\"cpu_us\":{},\"total_us\":{}",
            self.at_ns / 1_000_000_000,
            self.at_ns / 1_000 % 1_000_000,
            self.sandbox,
            Text(tenant),
            Text(route),
            self.outcome,
            self.stack_bytes,
            self.charged_ns / 1_000,
            self.total_ns / 1_000,
        )?;
        if let Some(exception) = &self.exception {
            exception.write_json(out)?;
            out.write_str(",\"backtrace\":[")?;
            for (number, place) in exception.frames().filter_map(place).enumerate() {
                write!(
                    out,
                    "{}{{\"function\":{}",
                    if number > 0 { "," } else { "" },
                    place.function
                )?;
                if let Some(name) = place.name() {
                    write!(out, ",\"name\":{}", Text(name))?;
                }
                if let Some(offset) = place.offset {
                    write!(out, ",\"offset\":{offset}")?;
                }
                out.write_char('}')?;
            }
            out.write_char(']')?;
        }
        out.write_char('}')
    }

    /// Writes lines for a person.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_text<N: AsRef<str>>(
        &self,
        out: &mut impl Write,
        place: impl Fn(u64) -> Option<Place<N>>,
    ) -> fmt::Result {
        writeln!(
            out,
            "sandbox {}: {} after {} us of CPU time and {} us in all",
            self.sandbox,
            self.outcome,
            self.charged_ns / 1_000,
            self.total_ns / 1_000,
        )?;
        let Some(exception) = &self.exception else {
            return Ok(());
        };
        writeln!(
            out,
            "{} with {} bytes of the stack in use",
            exception.name, exception.stack_used
        )?;
        for place in exception.frames().filter_map(place) {
            writeln!(out, "  in {place}")?;
        }
        Ok(())
    }
}

impl Exception {
    fn write_json(&self, out: &mut impl Write) -> fmt::Result {
        // Numbers of 64 bits are texts: most readers of JSON have floats only.
        write!(
            out,
            ",\"exception\":\"{}\",\"rip\":\"{:#x}\"",
            self.name, self.rip
        )?;
        if let Some(cr2) = self.cr2 {
            write!(out, ",\"cr2\":\"{cr2:#x}\"")?;
        }
        write!(
            out,
            ",\"error_code\":\"{:#x}\",\"rsp\":\"{:#x}\",\"stack_used\":{}",
            self.error_code, self.rsp, self.stack_used
        )
    }
}
