//! The first serial port, where the kernel's log goes.
//!
//! The log never waits for its reader. [`line()`] puts a whole line into a queue and counts what does not fit
//! ([`DROPPED`]). The kernel's own lines, which no sandbox waits for, make themselves room as long as the port takes
//! bytes. Until [`defer`] is called, a line is sent at once, as far as the port takes it without a long pause. From then
//! on the dispatcher sends a little at a time with [`send_some`], and everything before it halts.
//!
//! [`write()`] is for those whose output is what the machine was started for, and waits. [`last_words`] sends what is
//! queued and its own text after that, unless the port takes nothing any more.
//!
//! The port is at 0x3f8 on every PC (COM1).

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use luge_journal::Outbox;
use luge_metrics::Counter;
use uart_16550::backend::PioBackend;
use uart_16550::{Config, Uart16550};

use super::lock::Lock;
use super::time::Instant;
use super::{apic, per_cpu};

const COM1: u16 = 0x3f8;
/// How much of the log may wait for the port, in bytes.
pub const QUEUE_BYTES: usize = 64 << 10;
/// How often a port is looked at that takes nothing before it is given up, each look being about a microsecond: at
/// 9,600 baud its FIFO is empty after 17 ms.
const PATIENCE: u32 = 200_000;
/// What is free in the queue when the kernel goes on that has had more to say than fitted, in bytes.
const ROOM: usize = 4 << 10;
/// How soon the dispatcher gets to what a running sandbox has logged, in nanoseconds.
const SOON_NS: u64 = 1_000_000;
/// How many bytes are sent at once: what fits into the port's FIFO.
const AT_ONCE: usize = 16;
/// How often that is done between two looks at the clock.
const BETWEEN_LOOKS: usize = 4;

static PORT: Lock<Serial> = Lock::new(Serial {
    port: None,
    queue: Outbox::new(),
    is_stuck: false,
});
/// Whether the dispatcher is what sends.
static IS_DEFERRED: AtomicBool = AtomicBool::new(false);
/// Lines that were left out, because the port was too slow.
pub static DROPPED: Counter = Counter::new();

struct Serial {
    port: Option<Uart16550<PioBackend>>,
    queue: Outbox<QUEUE_BYTES>,
    /// It was given up, and has taken nothing since.
    is_stuck: bool,
}

/// How far [`send_some`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing waits.
    All,
    /// Some waits, and the port takes more.
    Some,
    /// Some waits, and the port takes nothing now.
    Busy,
}

/// Sets the port up. Without one, nothing is said anywhere.
pub fn init() {
    // SAFETY: 0x3f8 is COM1 on every PC, and nobody else in the kernel touches it.
    let Ok(mut port) = (unsafe { Uart16550::new_port(COM1) }) else {
        return;
    };
    if port.init(Config::default()).is_ok() {
        PORT.lock().port = Some(port);
    }
}

/// From here on the dispatcher sends what is queued.
pub fn defer() {
    IS_DEFERRED.store(true, Relaxed);
}

/// Queues the line that `text` writes. A line that is logged while this formats another on the same CPU is left out:
/// whatever it is, formatting has said it before.
pub fn line(text: impl Fn(&mut dyn Write) -> fmt::Result) {
    let Some(mut serial) = PORT.try_lock() else {
        return;
    };
    let is_sandbox = per_cpu::this().running.load(Relaxed);
    let mut fits = serial.queue(&text);
    if !fits && !is_sandbox {
        // The kernel itself has much to say, as of many routes, and may take its time as long as the port takes any.
        serial.make_room();
        fits = serial.queue(&text);
    }
    if !fits {
        DROPPED.count();
    }
    if !IS_DEFERRED.load(Relaxed) {
        serial.send_all();
    } else if is_sandbox {
        // Who runs alone would not be interrupted before it ends.
        apic::hurry_timer(SOON_NS);
    }
}

/// Whether the queue is at most half full.
#[must_use]
pub fn has_room() -> bool {
    PORT.lock().queue.waiting() <= QUEUE_BYTES / 2
}

/// Sends what is queued, for about `most_ns` nanoseconds.
pub fn send_some(most_ns: u64) -> Sent {
    let mut serial = PORT.lock();
    if serial.queue.waiting() == 0 {
        return Sent::All;
    }
    let end = Instant::now().plus_ns(most_ns);
    loop {
        for _ in 0..BETWEEN_LOOKS {
            if serial.send() == 0 {
                return Sent::Busy;
            }
            if serial.queue.waiting() == 0 {
                return Sent::All;
            }
        }
        if Instant::now() >= end {
            return Sent::Some;
        }
    }
}

/// Sends all that is queued, unless the port takes nothing any more. For the end of the machine.
pub fn flush() {
    // Whoever has the port speaks last words.
    if let Some(mut serial) = PORT.try_lock() {
        serial.send_all();
    }
}

/// Writes all of `text` after what is queued, waiting for the port as long as it takes.
pub fn write(text: &str) {
    let mut serial = PORT.lock();
    while serial.queue.waiting() > 0 && serial.port.is_some() {
        serial.send();
    }
    if let Some(port) = serial.port.as_mut() {
        port.send_bytes_exact(text.as_bytes());
    }
}

/// Writes `text` after what is queued, unless the port takes nothing any more.
pub fn last_words(text: &str) {
    let mut serial = PORT.lock();
    serial.send_all();
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let sent = serial.patiently(|port| port.send_bytes(rest));
        if sent == 0 {
            return;
        }
        rest = &rest[sent..];
    }
}

/// Takes the port by force, for last words: whoever held it will never run again.
///
/// # Safety
/// The caller must never return to the code that may hold the port.
pub unsafe fn seize() {
    // SAFETY: the caller promises that the holder, if any, is gone for good.
    unsafe { PORT.seize() };
}

impl Serial {
    /// Puts a line into the queue. False if it does not fit.
    fn queue(&mut self, text: &impl Fn(&mut dyn Write) -> fmt::Result) -> bool {
        let mut draft = self.queue.draft();
        // Writing to a queue cannot fail.
        let _ = text(&mut draft);
        draft.finish()
    }

    /// Sends until there is room for some lines, or the port takes nothing now.
    fn make_room(&mut self) {
        while self.queue.waiting() > QUEUE_BYTES - ROOM && self.send() > 0 {}
    }

    /// Sends the first bytes that wait, if the port takes any now. Says how many.
    fn send(&mut self) -> usize {
        let Some(port) = self.port.as_mut() else {
            // There is nobody to whom anything could be said.
            self.queue.sent(self.queue.next().len());
            return usize::MAX;
        };
        let next = self.queue.next();
        let sent = port.send_bytes(&next[..next.len().min(AT_ONCE)]);
        self.queue.sent(sent);
        sent
    }

    /// Sends all that is queued, unless the port takes nothing any more.
    fn send_all(&mut self) {
        while self.queue.waiting() > 0 {
            if self.send() > 0 {
                self.is_stuck = false;
            } else if self.patiently(|port| usize::from(port.ready_to_send().is_ok())) == 0 {
                return;
            }
        }
    }

    /// Tries until `send` says that something was taken, and gives a port up that takes nothing for long. One that was
    /// given up is tried once.
    fn patiently(&mut self, send: impl Fn(&mut Uart16550<PioBackend>) -> usize) -> usize {
        let Some(port) = self.port.as_mut() else {
            return 0;
        };
        let tries = if self.is_stuck { 1 } else { PATIENCE };
        let sent = (0..tries).map(|_| send(port)).find(|sent| *sent > 0);
        self.is_stuck = sent.is_none();
        sent.unwrap_or(0)
    }
}
