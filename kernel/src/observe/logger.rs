//! The log: one line per event on the serial port, with time, CPU, module and level.
//!
//! ```text
//! [    0.001234 cpu0 trap ] sandbox 3 ended: memory out of bounds at 0x1000
//! ```
//! The level is chosen for all modules, and for single ones, on the kernel's command line.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::Ordering::Relaxed;

use log::{LevelFilter, Log, Metadata, Record};
use spin::Once;

use crate::arch::{per_cpu, serial, time::Instant};

struct SerialLog;

static LOG: SerialLog = SerialLog;
static LEVELS: Once<Levels> = Once::new();

struct Levels {
    general: LevelFilter,
    modules: Vec<(String, LevelFilter)>,
}

/// Starts the log at level info. Nothing is allocated.
pub fn init() {
    log::set_max_level(LevelFilter::Info);
    log::set_logger(&LOG).expect("the logger is set once, at boot");
}

/// Chooses levels: a general one and those of single modules.
pub fn set_levels(general: LevelFilter, modules: Vec<(String, LevelFilter)>) {
    let most = modules
        .iter()
        .map(|(_, level)| *level)
        .max()
        .unwrap_or(general)
        .max(general);
    LEVELS.call_once(|| Levels { general, modules });
    log::set_max_level(most);
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
        let name = short_name(metadata.target());
        let own = levels
            .modules
            .iter()
            .find(|(module, _)| name == module || name.split("::").next() == Some(module.as_str()));
        metadata.level() <= own.map_or(levels.general, |(_, level)| *level)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let name = short_name(record.target());
        line(format_args!(
            "{name:<8}] {}{}",
            mark(record.level()),
            record.args()
        ));
    }

    fn flush(&self) {}
}

fn mark(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error: ",
        log::Level::Warn => "warning: ",
        _ => "",
    }
}

/// Writes a line with time and CPU in front, whatever the level.
pub fn line(text: fmt::Arguments<'_>) {
    let now = Instant::now().as_ns() / 1_000;
    let cpu = per_cpu::this().number.load(Relaxed);
    let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
    // Writing to the port cannot fail.
    let _ = writeln!(Port, "[{seconds:>5}.{micros:06} cpu{cpu} {text}");
}

/// The serial port as a writer.
pub struct Port;

impl Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        serial::write(text);
        Ok(())
    }
}
