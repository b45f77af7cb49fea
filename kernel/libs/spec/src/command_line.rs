//! The kernel's command line: `key=value` pairs and bare words, with blanks between them.
//!
//! | key | value | default |
//! |---|---|---|
//! | `log` | a level, or levels by module: `info,net=debug` | `info` |
//! | `log_format` | `text` or `json`: how lines of the log are written | `text` |
//! | `log_all_ends` | none, or `on`, `off`: log every trap and kill, however many there are | `off` |
//! | `batch` | none, or `on`, `off`: run every function once, then power off | `off` |
//! | `bench` | none, or `on`, `off`: measure the kernel's own work, then power off | `off` |
//! | `memory_report` | none, or `on`, `off`: log memory in use when idle, when it changed | `off` |
//! | `engine` | `wasmi`, or `wasmtime` for native code only | native code where there is some, else `wasmi` |
//! | `ip` | address and prefix of the network card | `10.0.2.15/24` |
//! | `gateway` | address of the router | `10.0.2.2` |
//! | `port` | TCP port of the only tenant, where the disk has no spec | 8080 |
//! | `operator_port` | TCP port of the pages that tell of all tenants: `/metrics`, `/trace`, ... | that of the first tenant |
//! | `operator_hosts` | names, separated by commas, under which a browser may ask for these pages; `*` is any. Addresses and `localhost` always may | none |
//! | `sched` | `edf`, `fifo`, `sjf` or `rr`: which sandbox gets the CPU | `edf` |
//! | `preempt` | none, or `on`, `off`: whether the CPU is taken from one sandbox for another | `on` |
//! | `quantum_us` | longest time that a sandbox runs while another is ready | 1000 |
//! | `admission` | none, or `on`, `off`: refuse what could not be done by its deadline | `on` |
//! | `replay` | none, or `on`, `off`: play the requests of the disk's `arrivals.txt`, then power off | `off` |
//! | `max_connections` | connections served at once | 128 |
//! | `keepalive_timeout_s` | how long a connection is kept with no request on it, in seconds; a balancer in front should give its own up before that | 75 |
//! | `answer_timeout_s` | how long a client may take for an answer in all, in seconds, without the time in which there is nothing to send to it | 600 |
//! | `admin_token` | what whoever deploys functions while the machine runs must know: 16 to 256 visible characters | none: nobody can |
//! | `watchdog` | none, or `on`, `off`: feed an IB700 watchdog while the dispatcher comes round, and take its NMI for the end | `off` |
//! | `scenario` | what to do wrong on purpose; kernels built for the tests only | none |
//! | `virtio_mmio.device` | `size@address:interrupt` of a virtio window; may be repeated | none |
//!
//! The last is Linux's parameter and notation (The kernel's command-line parameters,
//! "virtio_mmio.device"). A key given twice counts as given the second time, so that what a person
//! appends to a script's command line wins.
//!
//! Invariant: the kernel can boot on whatever [`parse`] returns. What could not be used comes back
//! as a [`Warning`], and its default stands.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use log::LevelFilter;
pub use luge_sched::Policy;

pub use crate::model::Engine;
use crate::nearest::nearest;

/// TCP port of the only tenant where a disk has no spec and the command line says nothing else.
pub const DEFAULT_PORT: u16 = 8080;

/// Every key that [`parse`] knows.
const KEYS: [&str; 24] = [
    "log",
    "log_format",
    "log_all_ends",
    "batch",
    "bench",
    "memory_report",
    "engine",
    "ip",
    "gateway",
    "port",
    "operator_port",
    "operator_hosts",
    "sched",
    "preempt",
    "quantum_us",
    "admission",
    "replay",
    "max_connections",
    "keepalive_timeout_s",
    "answer_timeout_s",
    "admin_token",
    "watchdog",
    "scenario",
    "virtio_mmio.device",
];

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object of JSON each.
    Json,
}

/// What the kernel is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most talkative level that is logged, for modules without an entry in `log_modules`.
    pub log: LevelFilter,
    /// Levels for single modules, by name, in the order given. The last match counts.
    pub log_modules: Vec<(String, LevelFilter)>,
    /// How lines of the log are written.
    pub log_format: LogFormat,
    /// Run every function of the disk once, report, and power off.
    pub batch: bool,
    /// Log every trap and kill, and not only some dozens of a route.
    pub log_all_ends: bool,
    /// Measure the kernel's own work, print the figures, and power off.
    pub bench: bool,
    /// Log the memory in use whenever the kernel is idle and it changed.
    pub memory_report: bool,
    /// Feed the watchdog while the dispatcher comes round.
    pub watchdog: bool,
    /// The engine that runs what the spec does not assign to one; if there is none either, native code
    /// runs where the disk has it, and the interpreter the rest.
    pub engine: Option<Engine>,
    /// This machine's address.
    pub ip: Ipv4Addr,
    /// How many leading bits of `ip` name the network: 0 to 32.
    pub prefix: u8,
    /// Where packets for other networks go.
    pub gateway: Ipv4Addr,
    /// TCP port of the only tenant where the disk has no spec.
    pub port: u16,
    /// TCP port of the pages that tell of all tenants; without it, they are at the first tenant's.
    pub operator_port: Option<u16>,
    /// Names under which these pages may be asked for, beside addresses and `localhost`.
    pub operator_hosts: Vec<String>,
    /// Which sandbox gets the CPU.
    pub sched: Policy,
    /// Whether the CPU is taken from one sandbox for another.
    pub preempt: bool,
    /// Longest time that a sandbox runs while another is ready, in microseconds.
    pub quantum_us: u32,
    /// Refuse what could not be done by its deadline.
    pub admission: bool,
    /// Play the requests that the disk lists, report, and power off.
    pub replay: bool,
    /// How many TCP connections are served at once.
    pub max_connections: u16,
    /// How long a connection is kept with no request on it, in seconds.
    pub keepalive_timeout_s: u16,
    /// How long a client may take for an answer in all, in seconds.
    pub answer_timeout_s: u32,
    /// What whoever deploys functions while the machine runs must know.
    pub admin_token: Option<String>,
    /// Name of a scenario of the tests.
    pub scenario: Option<String>,
    /// Where virtio devices may be, in the order given.
    pub virtio_mmio: Vec<VirtioMmio>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            log: LevelFilter::Info,
            log_modules: Vec::new(),
            log_format: LogFormat::Text,
            log_all_ends: false,
            batch: false,
            bench: false,
            memory_report: false,
            watchdog: false,
            engine: None,
            ip: Ipv4Addr::new(10, 0, 2, 15),
            prefix: 24,
            gateway: Ipv4Addr::new(10, 0, 2, 2),
            port: DEFAULT_PORT,
            operator_port: None,
            operator_hosts: Vec::new(),
            sched: Policy::default(),
            preempt: true,
            quantum_us: 1000,
            admission: true,
            replay: false,
            max_connections: 128,
            keepalive_timeout_s: 75,
            answer_timeout_s: 600,
            admin_token: None,
            scenario: None,
            virtio_mmio: Vec::new(),
        }
    }
}

/// A window of registers behind which there may be a virtio device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioMmio {
    /// Length of the window in bytes.
    pub size: u64,
    /// Physical address of its first byte.
    pub base: u64,
    /// Its interrupt, as a global system interrupt.
    pub gsi: u32,
}

/// Something on the command line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// No such key.
    UnknownKey {
        /// The key as written.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The key is known and the value is not one for it.
    BadValue {
        /// The key.
        key: &'static str,
        /// The value as written; empty if there was none.
        value: String,
        /// What was expected instead.
        expected: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::UnknownKey { key, nearest } => {
                write!(f, "command line: unknown key \"{key}\", passed over")?;
                nearest.map_or(Ok(()), |n| write!(f, " (did you mean \"{n}\"?)"))
            }
            Warning::BadValue {
                key,
                value,
                expected,
            } => write!(
                f,
                "command line: {key}: expected {expected}, found \"{value}\"; passed over"
            ),
        }
    }
}

/// Reads the kernel's command line. Whatever it is, the kernel can go on with what comes back.
pub fn parse(line: &str) -> (Options, Vec<Warning>) {
    let mut options = Options::default();
    let mut warnings = Vec::new();
    for word in line.split_ascii_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let Some(key) = KEYS.into_iter().find(|k| *k == key) else {
            let nearest = nearest(key, &KEYS);
            warnings.push(Warning::UnknownKey {
                key: key.to_owned(),
                nearest,
            });
            continue;
        };
        if let Err(expected) = options.set(key, word, value) {
            // A secret is no less one for being too short.
            let value = if key == "admin_token" { "..." } else { value };
            warnings.push(Warning::BadValue {
                key,
                value: value.to_owned(),
                expected,
            });
        }
    }
    (options, warnings)
}

/// What a value was expected to be, in words that follow "expected".
type Expected = &'static str;

impl Options {
    /// Takes one pair over. `word` is the whole of it, so that `batch` and `batch=` differ.
    fn set(&mut self, key: &str, word: &str, value: &str) -> Result<(), Expected> {
        match key {
            "log" => (self.log, self.log_modules) = log_levels(value)?,
            "log_format" => self.log_format = log_format(value)?,
            "log_all_ends" => self.log_all_ends = flag(word, key, value)?,
            "batch" => self.batch = flag(word, key, value)?,
            "bench" => self.bench = flag(word, key, value)?,
            "watchdog" => self.watchdog = flag(word, key, value)?,
            "memory_report" => self.memory_report = flag(word, key, value)?,
            "engine" => self.engine = Some(engine(value)?),
            "ip" => (self.ip, self.prefix) = network(value)?,
            "gateway" => self.gateway = value.parse().map_err(|_| "an IPv4 address")?,
            "port" => self.port = number(value, 1..=65535, "a port, 1 to 65535")?,
            "operator_port" => {
                self.operator_port = Some(number(value, 1..=65535, "a port, 1 to 65535")?);
            }
            "operator_hosts" => {
                let names = value.split(',').filter(|name| !name.is_empty());
                self.operator_hosts = names.map(String::from).collect();
            }
            "sched" => {
                self.sched = Policy::from_name(value).ok_or("edf, fifo, sjf or rr")?;
            }
            "preempt" => self.preempt = flag(word, key, value)?,
            "admission" => self.admission = flag(word, key, value)?,
            "replay" => self.replay = flag(word, key, value)?,
            "quantum_us" => {
                self.quantum_us = number(value, 10..=1_000_000, "microseconds, 10 to 1000000")?;
            }
            "max_connections" => {
                self.max_connections = number(value, 1..=4096, "a number from 1 to 4096")?;
            }
            "keepalive_timeout_s" => {
                self.keepalive_timeout_s = number(value, 1..=3600, "seconds, 1 to 3600")?;
            }
            "answer_timeout_s" => {
                self.answer_timeout_s = number(value, 1..=86400, "seconds, 1 to 86400")?;
            }
            "admin_token" => self.admin_token = Some(admin_token(value)?),
            "scenario" if value.is_empty() => return Err("the name of a scenario"),
            "scenario" => self.scenario = Some(value.to_owned()),
            _ => self
                .virtio_mmio
                .push(virtio_mmio(value).ok_or("SIZE@ADDRESS:INTERRUPT")?),
        }
        Ok(())
    }
}

/// `info`, `info,net=debug` or `net=debug`.
fn log_levels(value: &str) -> Result<(LevelFilter, Vec<(String, LevelFilter)>), Expected> {
    const EXPECTED: Expected =
        "off, error, warn, info, debug or trace, or such levels by module: info,net=debug";
    let mut general = LevelFilter::Info;
    let mut modules = Vec::new();
    for item in value.split(',') {
        let (module, level) = item.rsplit_once('=').unwrap_or(("", item));
        let level = level.parse().map_err(|_| EXPECTED)?;
        match (item.contains('='), module) {
            (false, _) => general = level,
            (true, "") => return Err(EXPECTED),
            (true, module) => modules.push((module.to_owned(), level)),
        }
    }
    Ok((general, modules))
}

fn log_format(value: &str) -> Result<LogFormat, Expected> {
    match value {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("text or json"),
    }
}

/// A bare word is a yes; with a value, the value counts.
fn flag(word: &str, key: &str, value: &str) -> Result<bool, Expected> {
    if word == key { Ok(true) } else { switch(value) }
}

fn switch(value: &str) -> Result<bool, Expected> {
    match value {
        "on" | "1" => Ok(true),
        "off" | "0" => Ok(false),
        _ => Err("on or off"),
    }
}

fn engine(value: &str) -> Result<Engine, Expected> {
    match value {
        "wasmi" => Ok(Engine::Wasmi),
        "wasmtime" => Ok(Engine::Wasmtime),
        _ => Err("wasmi or wasmtime"),
    }
}

/// What cannot be guessed, and can stand in a header.
fn admin_token(value: &str) -> Result<String, Expected> {
    let sound = (16..=256).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    sound
        .then(|| value.to_owned())
        .ok_or("16 to 256 visible characters")
}

/// `10.0.2.15/24`.
fn network(value: &str) -> Result<(Ipv4Addr, u8), Expected> {
    const EXPECTED: Expected = "an IPv4 address and its prefix: 10.0.2.15/24";
    let (address, prefix) = value.split_once('/').ok_or(EXPECTED)?;
    Ok((
        address.parse().map_err(|_| EXPECTED)?,
        number(prefix, 0..=32, EXPECTED)?,
    ))
}

/// A decimal number in a range.
fn number<N: TryFrom<u64>>(
    value: &str,
    range: RangeInclusive<u64>,
    expected: Expected,
) -> Result<N, Expected> {
    let number = value
        .parse()
        .ok()
        .filter(|n| range.contains(n))
        .ok_or(expected)?;
    N::try_from(number).map_err(|_| expected)
}

/// `512@0xfeb00000:16`; Linux lets a number that tells the device apart follow, after a colon.
fn virtio_mmio(value: &str) -> Option<VirtioMmio> {
    let (size, rest) = value.split_once('@')?;
    let mut rest = rest.split(':');
    let base = quantity(rest.next()?)?;
    let gsi = rest.next()?.parse().ok()?;
    let size = quantity(size)?;
    base.checked_add(size)?;
    (size >= MMIO_REGISTERS).then_some(VirtioMmio { size, base, gsi })
}

/// Bytes before the device's own configuration: Virtual I/O Device (VIRTIO) Version 1.2, "MMIO
/// Device Register Layout" (4.2.2).
const MMIO_REGISTERS: u64 = 0x100;

/// A decimal or hexadecimal number, with `K` or `M` behind it for its multiples by 1024 and 1024².
fn quantity(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let number = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    number.ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests;
