//! The last lines of the log.

use core::fmt::{self, Arguments, Display, Formatter, Write};

use log::Level;

use crate::harmless::HarmlessWriter;
use crate::short::Short;
use crate::{Escaping, Text};

/// How much of a line's text is kept, in bytes.
const TEXT_BYTES: usize = 232;
/// How much of a module's name is.
const MODULE_BYTES: usize = 16;
/// How much of a route is.
const ROUTE_BYTES: usize = 32;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object of JSON each.
    Json,
}

/// A function that has written a line, by its name and its sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest<'a> {
    /// Its route without the leading `/`.
    pub name: &'a str,
    /// The sandbox's number.
    pub sandbox: u64,
}

/// A line.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// When it was written.
    pub at_ns: u64,
    /// On which CPU.
    pub cpu: u32,
    /// How important it is.
    pub level: Level,
    /// What part of the kernel writes it.
    pub module: &'a str,
    /// Whose stderr it is from, if it is.
    pub guest: Option<Guest<'a>>,
    /// What it says.
    pub text: Arguments<'a>,
}

impl Line<'_> {
    /// Writes the line, without its end.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, format: Format) -> fmt::Result {
        match format {
            Format::Text => self.write_text(out),
            Format::Json => self.write_json(out),
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> fmt::Result {
        let (cpu, module, text) = (self.cpu, self.module, self.text);
        let mark = match self.level {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        write!(out, "[{:>12} cpu{cpu} {module:<8}] {mark}", self.seconds())?;
        if let Some(Guest { name, sandbox }) = self.guest {
            write!(out, "{name} #{sandbox}: ")?;
        }
        // Names in it may be a module's or a client's choice.
        HarmlessWriter(out).write_fmt(text)
    }

    fn write_json(&self, out: &mut dyn Write) -> fmt::Result {
        write!(
            out,
            "{{\"time_s\":{},\"cpu\":{},\"level\":\"{}\",\"module\":{},\"message\":\"",
            self.seconds(),
            self.cpu,
            Lower(self.level),
            Text(self.module),
        )?;
        Escaping(&mut *out).write_fmt(self.text)?;
        out.write_char('"')?;
        if let Some(Guest { name, sandbox }) = self.guest {
            write!(out, ",\"sandbox\":{sandbox},\"route\":\"/")?;
            Escaping(&mut *out).write_str(name)?;
            out.write_char('"')?;
        }
        out.write_char('}')
    }

    fn seconds(&self) -> impl Display {
        Seconds(self.at_ns)
    }
}

/// Nanoseconds as seconds, down to microseconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000);
        let width = f.width().unwrap_or_default().saturating_sub(7);
        write!(f, "{seconds:>width$}.{micros:06}")
    }
}

struct Lower(Level);

impl Display for Lower {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut letters = self.0.as_str().chars();
        letters.try_for_each(|letter| f.write_char(letter.to_ascii_lowercase()))
    }
}

/// A line's beginning, kept in place.
///
/// All zeros is one that nothing was kept in, so that a ring of them takes no room in an image.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    at_ns: u64,
    cpu: u32,
    /// A [`Level`] as a number, or 0.
    level: usize,
    module: Short<MODULE_BYTES>,
    is_guests: bool,
    route: Short<ROUTE_BYTES>,
    sandbox: u64,
    text: Short<TEXT_BYTES>,
}

impl Entry {
    const EMPTY: Self = Self {
        at_ns: 0,
        cpu: 0,
        level: 0,
        module: Short::EMPTY,
        is_guests: false,
        route: Short::EMPTY,
        sandbox: 0,
        text: Short::EMPTY,
    };

    /// Keeps a line, up to the length that is kept.
    #[must_use]
    pub fn of(line: &Line<'_>) -> Self {
        let mut entry = Self {
            at_ns: line.at_ns,
            cpu: line.cpu,
            level: line.level as usize,
            ..Self::EMPTY
        };
        // What does not fit is cut off, and that is no error.
        let _ = entry.module.write_str(line.module);
        let _ = entry.text.write_fmt(line.text);
        if let Some(Guest { name, sandbox }) = line.guest {
            (entry.is_guests, entry.sandbox) = (true, sandbox);
            let _ = entry.route.write_str(name);
        }
        entry
    }

    /// Writes what is kept, as [`Line::write`] does.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, format: Format) -> fmt::Result {
        let level = Level::iter().find(|level| *level as usize == self.level);
        let guest = self.is_guests.then_some(Guest {
            name: self.route.get(),
            sandbox: self.sandbox,
        });
        let line = Line {
            at_ns: self.at_ns,
            cpu: self.cpu,
            level: level.unwrap_or(Level::Trace),
            module: self.module.get(),
            guest,
            text: format_args!("{}", self.text.get()),
        };
        line.write(out, format)
    }
}

/// The last `N` lines. Each new one takes the place of the oldest.
#[derive(Debug)]
pub struct Lines<const N: usize> {
    entries: [Entry; N],
    /// How many lines there ever were.
    all: u64,
}

impl<const N: usize> Lines<N> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: [Entry::EMPTY; N],
            all: 0,
        }
    }

    /// Keeps a line.
    pub fn push(&mut self, entry: Entry) {
        self.entries[(self.all % N as u64) as usize] = entry;
        self.all += 1;
    }

    /// The line with this number, counted from the first that there ever was, if it is not lost.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Entry> {
        let is_here = number < self.all && number >= self.first();
        is_here.then(|| &self.entries[(number % N as u64) as usize])
    }

    /// The number of the first line that is not lost.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.all.saturating_sub(N as u64)
    }

    /// The number that the next line will have.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.all
    }
}

impl<const N: usize> Default for Lines<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The last lines as a text, written line by line. The ring may go on meanwhile: what was lost before its turn
/// came is left out.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    next: u64,
    end: u64,
    format: Format,
    is_begun: bool,
}

impl Tail {
    /// The last `most` of the lines that are there now. As JSON they are an array.
    #[must_use]
    pub fn new<const N: usize>(lines: &Lines<N>, most: u64, format: Format) -> Self {
        Self {
            next: lines.end().saturating_sub(most),
            end: lines.end(),
            format,
            is_begun: false,
        }
    }

    /// The number of the line to write next, from `first` on, which is the first that is not lost.
    pub fn next(&mut self, first: u64) -> Option<u64> {
        let number = self.next.max(first);
        self.next = number + 1;
        (number < self.end).then_some(number)
    }

    /// Writes a line, or, with none left, the end. Says whether more follows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(
        &mut self,
        out: &mut dyn Write,
        entry: Option<&Entry>,
    ) -> Result<bool, fmt::Error> {
        let is_first = !core::mem::replace(&mut self.is_begun, true);
        out.write_str(match (self.format, is_first, entry) {
            (Format::Text, ..) => "",
            (Format::Json, true, Some(_)) => "[\n",
            (Format::Json, true, None) => "[]\n",
            (Format::Json, false, Some(_)) => ",\n",
            (Format::Json, false, None) => "\n]\n",
        })?;
        if let Some(entry) = entry {
            entry.write(out, self.format)?;
            if self.format == Format::Text {
                out.write_char('\n')?;
            }
        }
        Ok(entry.is_some())
    }
}
