//! The log: one line per event on the serial port, with time, CPU, module and level; the last are kept for
//! `/logs`.
//!
//! ```text
//! [    0.001234 cpu0 trap ] sandbox 3 ended: memory out of bounds at 0x1000
//! ```
//! The level is chosen for all modules, and for single ones, on the kernel's command line, and so is whether
//! lines are JSON. What a guest writes has its sandbox and its name beside the text, as key-value pairs of `log`.
//!
//! Invariant: a line is whole in the port's queue, or out, when whoever logs it goes on, and last words send what is
//! queued first; so nothing is missing before a panic but what did not fit, which is counted.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::Ordering::Relaxed;

use log::kv::{Key, Value};
use log::{Level, LevelFilter, Log, Metadata, Record};
use luge_journal::{Entry, Format, Guest, Levels, Line, Lines, Tail};
use luge_spec::command_line::LogFormat;
use spin::Once;

use super::text::{Rest, Text};
use crate::arch::lock::Lock;
use crate::arch::{per_cpu, serial, time::Instant};
use crate::functions::Table;

/// How many lines are kept.
pub const KEPT: usize = 512;

struct SerialLog;

static LOG: SerialLog = SerialLog;
static LEVELS: Once<Levels> = Once::new();
static FORMAT: Once<Format> = Once::new();
static LINES: Lock<Lines<KEPT>> = Lock::new(Lines::new());

/// Starts the log at level info. Nothing is allocated.
pub fn init() {
    log::set_max_level(LevelFilter::Info);
    log::set_logger(&LOG).expect("the logger is set once, at boot");
}

/// Chooses levels: a general one and those of single modules.
pub fn set_levels(general: LevelFilter, modules: Vec<(String, LevelFilter)>) {
    let levels = LEVELS.call_once(|| Levels::new(general, modules));
    log::set_max_level(levels.most());
}

/// Chooses how lines are written from here on.
pub fn set_format(format: LogFormat) {
    FORMAT.call_once(|| match format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    });
}

/// The part of a module's path that a person wants: `luge_kernel::arch::apic` is `apic`, what
/// another crate logs has the crate's name.
fn short_name(target: &str) -> &str {
    match target.strip_prefix("luge_kernel") {
        Some(rest) => {
            let rest = rest.strip_prefix("::").unwrap_or("main");
            rest.strip_prefix("arch::")
                .or(rest.strip_prefix("mm::"))
                .unwrap_or(rest)
        }
        None => target,
    }
}

impl Log for SerialLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let Some(levels) = LEVELS.get() else {
            return metadata.level() <= LevelFilter::Info;
        };
        levels.allow(short_name(metadata.target()), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let values = record.key_values();
        let number = values.get(Key::from("sandbox"));
        let name = values.get(Key::from("function"));
        let guest = number
            .as_ref()
            .and_then(Value::to_u64)
            .map(|sandbox| Guest {
                sandbox,
                name: name
                    .as_ref()
                    .and_then(Value::to_borrowed_str)
                    .unwrap_or_default(),
            });
        let line = Line {
            guest,
            ..line_now(record.level(), short_name(record.target()), *record.args())
        };
        // What is formatted here may log by itself, so the lock comes after.
        let entry = Entry::of(&line);
        LINES.lock().push(entry);
        write(&line);
    }

    fn flush(&self) {}
}

fn line_now<'a>(level: Level, module: &'a str, text: fmt::Arguments<'a>) -> Line<'a> {
    Line {
        at_ns: Instant::now().as_ns(),
        cpu: per_cpu::this().number.load(Relaxed),
        level,
        module,
        guest: None,
        text,
    }
}

fn write(line: &Line<'_>) {
    let format = FORMAT.get().copied().unwrap_or_default();
    serial::line(|out| line.write(out, format));
}

/// Writes a line of last words, whatever the level, without a lock.
pub fn last_words(level: Level, text: fmt::Arguments<'_>) {
    let format = FORMAT.get().copied().unwrap_or_default();
    // Writing to the port cannot fail.
    let _ = line_now(level, "panic", text).write(&mut LastPort, format);
    let _ = LastPort.write_char('\n');
}

/// Writes a line with time and CPU in front, whatever the level and the format.
pub fn line(text: fmt::Arguments<'_>) {
    let now = Instant::now().as_ns() / 1_000;
    let cpu = per_cpu::this().number.load(Relaxed);
    let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
    // Writing to the port cannot fail.
    let _ = writeln!(Port, "[{seconds:>5}.{micros:06} cpu{cpu} {text}");
}

/// The serial port as a writer that waits for it.
pub struct Port;

/// The serial port as a writer of last words.
pub struct LastPort;

impl Write for LastPort {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        serial::last_words(text);
        Ok(())
    }
}

impl Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        serial::write(text);
        Ok(())
    }
}

/// The last lines, as far as they are written.
pub struct LastLines(Tail);

impl LastLines {
    /// The last `most` of the lines that were logged up to now.
    #[must_use]
    pub fn now(most: u64, format: Format) -> Self {
        Self(Tail::new(&LINES.lock(), most, format))
    }
}

impl Text for LastLines {
    fn write_next(&mut self, out: &mut dyn Write, _: &Table) -> Result<Rest, fmt::Error> {
        let entry = {
            let lines = LINES.lock();
            let number = self.0.next(lines.first());
            number.and_then(|number| lines.get(number).copied())
        };
        let has_more = self.0.write(out, entry.as_ref())?;
        Ok(if has_more { Rest::More } else { Rest::Nothing })
    }
}
