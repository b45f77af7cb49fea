//! A guest's stderr in the kernel's log: so many lines a second, and nothing that harms a terminal.

use core::fmt;

use log::info;

use crate::arch::time::Instant;
use crate::sandbox::Sandbox;

/// Most lines in one [`PERIOD_NS`]. The serial port is slow, and everybody's.
const MOST_LINES: u32 = 32;
/// The time after which a guest may write again, in nanoseconds.
const PERIOD_NS: u64 = 1_000_000_000;

/// One guest's share of the log.
pub(super) struct LogLines {
    period_start: Instant,
    written: u32,
    dropped: u32,
}

impl LogLines {
    pub(super) const fn new() -> Self {
        Self {
            period_start: Instant::from_ns(0),
            written: 0,
            dropped: 0,
        }
    }

    /// Writes a line, or counts it. The first line after a silence says how many were dropped.
    pub(super) fn write(&mut self, sandbox: &Sandbox, line: &[u8], now: Instant) {
        if now.since(self.period_start) >= PERIOD_NS {
            self.report_dropped(sandbox);
            *self = Self {
                period_start: now,
                written: 0,
                dropped: 0,
            };
        }
        if self.written == MOST_LINES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.written += 1;
        info!(target: "guest", "{} #{}: {}", sandbox.name(), sandbox.id(), Harmless(line));
    }

    /// Says how many lines were dropped, if any were.
    pub(super) fn report_dropped(&mut self, sandbox: &Sandbox) {
        if self.dropped > 0 {
            let (name, id, dropped) = (sandbox.name(), sandbox.id(), self.dropped);
            info!(target: "guest", "{name} #{id}: ({dropped} more lines were dropped)");
        }
    }
}

/// Bytes of a guest as text that moves no cursor and sets no colour: control characters are escaped,
/// and so is what is not UTF-8.
struct Harmless<'a>(&'a [u8]);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() && character != '\t' {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    write!(f, "{character}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            Harmless("Grüße,\t日本".as_bytes()).to_string(),
            "Grüße,\t日本"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        let line = b"\x1b[31mred\0\x07\x7f\xc2\x9b";
        let escaped = "\\u{1b}[31mred\\u{0}\\u{7}\\u{7f}\\u{9b}";
        assert_eq!(Harmless(line).to_string(), escaped);
    }

    #[test]
    fn what_is_no_text_is_escaped_byte_by_byte() {
        assert_eq!(
            Harmless(b"a\xff\xfeb\xe3\x81").to_string(),
            "a\\xff\\xfeb\\xe3\\x81"
        );
    }

    #[test]
    fn a_flood_is_cut_off() {
        let sandbox = Sandbox::default();
        let mut lines = LogLines::new();
        let now = Instant::from_ns(PERIOD_NS);
        for _ in 0..100 {
            lines.write(&sandbox, b"line", now);
        }
        assert_eq!(
            (lines.written, lines.dropped),
            (MOST_LINES, 100 - MOST_LINES)
        );
        lines.write(&sandbox, b"line", Instant::from_ns(2 * PERIOD_NS));
        assert_eq!((lines.written, lines.dropped), (1, 0));
    }
}
