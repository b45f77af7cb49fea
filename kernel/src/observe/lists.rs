//! Lists for programs: which routes there are, which sandboxes live. Arrays of JSON, an object on each line.

use core::fmt::{self, Display, Formatter, Write};

use luge_journal::Text as Quoted;

use super::text::{Rest, Text};
use crate::arch::time::Instant;
use crate::functions::{Function, State, Table};
use crate::sandbox::{self, Sandbox};

/// The elements of an array, as far as they are written.
struct Elements {
    count: usize,
}

impl Elements {
    /// Writes what stands before an element.
    fn begin_one(&mut self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(if self.count > 0 { ",\n" } else { "[\n" })?;
        self.count += 1;
        Ok(())
    }

    /// Writes what stands behind the last.
    fn end(&self, out: &mut dyn Write) -> Result<Rest, fmt::Error> {
        out.write_str(if self.count > 0 { "\n]\n" } else { "[]\n" })?;
        Ok(Rest::Nothing)
    }
}

/// `/routes.json`: tenant, route, port, whether that is the port at which it is asked for, deadline, and whether it can
/// run: `state` is `waiting`, `making`, `ready` or `left-out`, and `why` says of the last what is wrong.
pub struct Routes {
    asked_at: u16,
    place: usize,
    elements: Elements,
}

impl Routes {
    /// All routes, for who asks at this port.
    pub const fn asked_at(port: u16) -> Self {
        Self {
            asked_at: port,
            place: 0,
            elements: Elements { count: 0 },
        }
    }
}

impl Text for Routes {
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        if self.place >= table.places() {
            return self.elements.end(out);
        }
        if let Some(function) = table.function_at(self.place) {
            self.elements.begin_one(out)?;
            let state = function.module.state();
            write!(
                out,
                "{{\"tenant\":{},\"route\":{},\"port\":{},\"is_here\":{},\"deadline_us\":{},\"state\":\"{}\"",
                Quoted(&function.tenant),
                Quoted(&function.route),
                function.port,
                function.port == self.asked_at,
                function.relative_deadline_ns / 1_000,
                state.name(),
            )?;
            if let State::LeftOut(why) = state {
                write!(out, ",\"why\":{}", Quoted(why))?;
            }
            out.write_char('}')?;
        }
        self.place += 1;
        Ok(Rest::More)
    }
}

/// `/sandboxes.json`: those that live, by their numbers. What belongs to no route has null there.
pub struct Sandboxes {
    /// The last that was looked at.
    last: u64,
    elements: Elements,
}

impl Sandboxes {
    /// All of them.
    pub const fn new() -> Self {
        Self {
            last: 0,
            elements: Elements { count: 0 },
        }
    }
}

impl Text for Sandboxes {
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        let Some(sandbox) = sandbox::after(self.last) else {
            return self.elements.end(out);
        };
        self.last = sandbox.id();
        self.elements.begin_one(out)?;
        write_sandbox(out, &sandbox, table)?;
        Ok(Rest::More)
    }
}

fn write_sandbox(out: &mut dyn Write, sandbox: &Sandbox, table: &Table) -> fmt::Result {
    let it = sandbox.glimpse(Instant::now());
    let function = it.route.and_then(|number| table.function_at(number.into()));
    let function = function.map(|function| &**function);
    let of_function = |text: fn(&Function) -> &str| OrNull(function.map(text));
    write!(
        out,
        "{{\"id\":{},\"tenant\":{},\"route\":{},\"state\":\"{}\",\"age_ns\":{},\"charged_ns\":{},\
         \"deadline_in_ns\":{},\"memory_bytes\":{}}}",
        it.id,
        of_function(|function| &function.tenant),
        of_function(|function| &function.route),
        it.state,
        it.age_ns,
        it.charged_ns,
        it.deadline_in_ns,
        it.memory_bytes,
    )
}

/// A text that may not be known.
struct OrNull<'a>(Option<&'a str>);

impl Display for OrNull<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => Quoted(text).fmt(f),
            None => f.write_str("null"),
        }
    }
}
