//! How a sandbox was ended by a trap, and how that is told.

use core::fmt::{self, Display, Formatter, Write};

use luge_sandbox::Outcome;

use crate::{Backtrace, Escaping, LinearStack, Place, Text};

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
}

/// How a sandbox was ended by a trap.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// When, in nanoseconds since boot.
    pub at_ns: u64,
    /// The sandbox's number.
    pub sandbox: u64,
    /// Whose it was; none for work of the host's own.
    pub tenant: Option<&'a str>,
    /// Its route, or what the host calls its own work.
    pub route: &'a str,
    /// What it was ended for.
    pub outcome: Outcome,
    /// What the processor found, if that was it. The interpreter finds most things by itself.
    pub exception: Option<Exception>,
    /// Its stack in linear memory, if that has run out.
    pub linear_stack: Option<LinearStack>,
    /// How much of its stack was in use, in bytes, if that is known.
    pub stack_used: Option<u64>,
    /// How large its stack was, in bytes.
    pub stack_bytes: u64,
    /// CPU time that it was charged with, in nanoseconds.
    pub charged_ns: u64,
    /// From its arrival to its end, in nanoseconds.
    pub total_ns: u64,
    /// Where it was, as far as that is known.
    pub backtrace: Backtrace,
}

impl Fault<'_> {
    fn innermost(&self) -> Option<&Place> {
        self.backtrace.places().next()
    }

    /// Writes an object of JSON. What is not known is null; numbers of 64 bits that mean addresses are texts,
    /// since most readers of JSON have floats only.
    ///
    /// | key | value |
    /// |---|---|
    /// | `id` | the sandbox's number |
    /// | `tenant`, `route`, `outcome` | whose it was, its path, what it ended by, as in `luge-outcome` |
    /// | `at_ns` | when, since boot |
    /// | `function`, `offset` | where: the name, or `wasm-function[N]`; bytes into the module's file |
    /// | `backtrace` | the same, and the `index` of the function, imports counted, for each call from there outwards |
    /// | `backtrace_is_cut` | whether there were more calls |
    /// | `exception`, `rip`, `cr2`, `error_code` | what the processor found: `cr2` of a #PF alone |
    /// | `stack_used_bytes`, `stack_bytes` | of its stack |
    /// | `linear_stack_bytes`, `advice` | of its stack in linear memory, if that has run out: the most that it can have, and a sentence |
    /// | `charged_ns`, `total_ns` | CPU time; from its arrival to its end |
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_json(&self, out: &mut impl Write) -> fmt::Result {
        let (innermost, exception) = (self.innermost(), self.exception.as_ref());
        write!(
            out,
            "{{\"id\":{},\"tenant\":{},\"route\":{},\"outcome\":\"{}\",\"at_ns\":{}",
            self.sandbox,
            OrNull(self.tenant.map(Text)),
            Text(self.route),
            self.outcome,
            self.at_ns,
        )?;
        write!(
            out,
            ",\"function\":{},\"offset\":{},\"backtrace\":[",
            OrNull(innermost.map(Called)),
            OrNull(innermost.and_then(|place| place.offset)),
        )?;
        for (number, place) in self.backtrace.places().enumerate() {
            write!(
                out,
                "{}{{\"function\":{},\"index\":{},\"offset\":{}}}",
                if number > 0 { "," } else { "" },
                Called(place),
                place.function,
                OrNull(place.offset),
            )?;
        }
        write!(
            out,
            "],\"backtrace_is_cut\":{},\"exception\":{},\"rip\":{},\"cr2\":{},\"error_code\":{}",
            self.backtrace.is_cut,
            OrNull(exception.map(|found| Text(found.name))),
            OrNull(exception.map(|found| Address(found.rip))),
            OrNull(exception.and_then(|found| found.cr2).map(Address)),
            OrNull(exception.map(|found| found.error_code)),
        )?;
        write!(
            out,
            ",\"stack_used_bytes\":{},\"stack_bytes\":{},\"linear_stack_bytes\":{},\"advice\":",
            OrNull(self.stack_used),
            self.stack_bytes,
            OrNull(self.linear_stack.map(|stack| stack.bytes)),
        )?;
        match &self.linear_stack {
            Some(stack) => write!(out, "\"{stack}\"")?,
            None => out.write_str("null")?,
        }
        write!(
            out,
            ",\"charged_ns\":{},\"total_ns\":{}}}",
            self.charged_ns, self.total_ns,
        )
    }

    /// Writes lines for a person.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_text(&self, out: &mut impl Write) -> fmt::Result {
        write!(
            out,
            "[{:>5}.{:06}] sandbox {}, ",
            self.at_ns / 1_000_000_000,
            self.at_ns / 1_000 % 1_000_000,
            self.sandbox,
        )?;
        if let Some(tenant) = self.tenant {
            write!(out, "{} ", tenant.escape_debug())?;
        }
        writeln!(out, "{}: {}", self.route.escape_debug(), self.outcome)?;
        if let Some(exception) = &self.exception {
            writeln!(out, "  {exception}")?;
        }
        if let Some(stack) = &self.linear_stack {
            writeln!(out, "  {stack}")?;
        }
        write!(out, "  stack: ")?;
        match self.stack_used {
            Some(used) => write!(out, "{used} of {} bytes in use", self.stack_bytes)?,
            None => write!(out, "{} bytes", self.stack_bytes)?,
        }
        writeln!(
            out,
            "; CPU time: {} us, {} us after the request came",
            self.charged_ns / 1_000,
            self.total_ns / 1_000,
        )?;
        self.write_backtrace(out)
    }

    fn write_backtrace(&self, out: &mut impl Write) -> fmt::Result {
        for (number, place) in self.backtrace.places().enumerate() {
            let relation = if number == 0 { "in" } else { "called by" };
            writeln!(out, "  {relation} {place}")?;
        }
        match (self.innermost(), self.backtrace.is_cut) {
            (None, _) => writeln!(
                out,
                "  where is not known: no native code of a module was on the stack"
            ),
            (Some(_), true) => writeln!(out, "  and so on"),
            (Some(_), false) => Ok(()),
        }
    }
}

impl Display for Exception {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} at rip={:#x}", self.name, self.rip)?;
        if let Some(cr2) = self.cr2 {
            write!(f, ", cr2={cr2:#x}")?;
        }
        write!(f, ", error code {:#x}", self.error_code)
    }
}

/// A value, or `null`.
struct OrNull<T>(Option<T>);

impl<T: Display> Display for OrNull<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// An address as a text of JSON.
struct Address(u64);

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{:#x}\"", self.0)
    }
}

/// What a function is called, as a text of JSON.
struct Called<'a>(&'a Place);

impl Display for Called<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaping(&mut *f), "{}", self.0.called())?;
        f.write_char('"')
    }
}
