//! The last lines of the log.

use core::fmt::{self, Arguments, Display, Formatter, Write};

use log::Level;

use crate::{Escaping, Text};

/// How much of a line's text is kept, in bytes.
const TEXT_BYTES: usize = 216;
/// How much of a module's name is.
const MODULE_BYTES: usize = 16;

/// A line's beginning, kept in place.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// When it was written.
    pub at_ns: u64,
    /// On which CPU.
    pub cpu: u32,
    /// How important it is.
    pub level: Level,
    module: Short<MODULE_BYTES>,
    text: Short<TEXT_BYTES>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object of JSON each.
    Json,
}

/// A line that is about to be written.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// When.
    pub at_ns: u64,
    /// On which CPU.
    pub cpu: u32,
    /// How important it is.
    pub level: Level,
    /// What part of the kernel writes it.
    pub module: &'a str,
    /// What it says.
    pub text: Arguments<'a>,
}

impl Written<'_> {
    /// Writes the line, and its end.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write, format: Format) -> fmt::Result {
        let (seconds, micros) = (self.at_ns / 1_000_000_000, self.at_ns / 1_000 % 1_000_000);
        let Self {
            cpu,
            level,
            module,
            text,
            ..
        } = self;
        if format == Format::Text {
            let mark = match level {
                Level::Error => "error: ",
                Level::Warn => "warning: ",
                _ => "",
            };
            return writeln!(
                out,
                "[{seconds:>5}.{micros:06} cpu{cpu} {module:<8}] {mark}{text}"
            );
        }
        write!(
            out,
            "{{\"at_s\":{seconds}.{micros:06},\"cpu\":{cpu},\"level\":\"{}\",\"module\":{},\"text\":\"",
            Lower(*level),
            Text(module),
        )?;
        Escaping(&mut *out).write_fmt(*text)?;
        out.write_str("\"}\n")
    }
}

struct Lower(Level);

impl Display for Lower {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut letters = self.0.as_str().chars();
        letters.try_for_each(|letter| f.write_char(letter.to_ascii_lowercase()))
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
        let none = Entry {
            at_ns: 0,
            cpu: 0,
            level: Level::Trace,
            module: Short::EMPTY,
            text: Short::EMPTY,
        };
        Self {
            entries: [none; N],
            all: 0,
        }
    }

    /// Keeps a line, up to the length that is kept.
    pub fn push(&mut self, line: &Written<'_>) {
        let entry = &mut self.entries[(self.all % N as u64) as usize];
        self.all += 1;
        (entry.at_ns, entry.cpu, entry.level) = (line.at_ns, line.cpu, line.level);
        entry.module = Short::EMPTY;
        entry.text = Short::EMPTY;
        // What does not fit is cut off, and that is no error.
        let _ = entry.module.write_str(line.module);
        let _ = entry.text.write_fmt(line.text);
    }

    /// Writes the last `most` lines that are at least so important, the oldest first.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(
        &self,
        out: &mut impl Write,
        level: Level,
        most: usize,
        format: Format,
    ) -> fmt::Result {
        let there = self.all.min(N as u64);
        let numbers =
            || (self.all - there..self.all).map(|n| &self.entries[(n % N as u64) as usize]);
        let wanted = |entry: &&Entry| entry.level <= level;
        let passed_over = numbers().filter(wanted).count().saturating_sub(most);
        for entry in numbers().filter(wanted).skip(passed_over) {
            let line = Written {
                at_ns: entry.at_ns,
                cpu: entry.cpu,
                level: entry.level,
                module: entry.module.get(),
                text: format_args!("{}", entry.text.get()),
            };
            line.write(out, format)?;
        }
        Ok(())
    }
}

impl<const N: usize> Default for Lines<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A text of at most `N` bytes, in place. What is too long ends with three dots.
#[derive(Clone, Copy)]
pub(crate) struct Short<const N: usize> {
    bytes: [u8; N],
    length: usize,
    is_cut: bool,
}

impl<const N: usize> Short<N> {
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; N],
        length: 0,
        is_cut: false,
    };

    pub(crate) fn get(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get(), f)
    }
}

impl<const N: usize> Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Ok(());
        }
        let room = N - self.length;
        let fits = text.len() <= room;
        let mut end = if fits { text.len() } else { room };
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.length..self.length + end].copy_from_slice(&text.as_bytes()[..end]);
        self.length += end;
        if !fits {
            self.cut();
        }
        Ok(())
    }
}

impl<const N: usize> Short<N> {
    fn cut(&mut self) {
        const DOTS: &str = "...";
        self.is_cut = true;
        let mut end = self.length.min(N - DOTS.len());
        while !self.get().is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[end..end + DOTS.len()].copy_from_slice(DOTS.as_bytes());
        self.length = end + DOTS.len();
    }
}
