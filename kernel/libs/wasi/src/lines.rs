//! Stderr is the log: bytes in, lines out.

use crate::Host;

/// Longest line that reaches the log in one piece, in bytes. Longer ones are broken.
pub(crate) const LONGEST: usize = 512;

/// Collects bytes until they are a line. It never allocates: the context of a sandbox that is ended
/// is dropped without a destructor, and a call may be abandoned half-way.
pub(crate) struct Lines {
    bytes: [u8; LONGEST],
    used: usize,
}

impl Lines {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            used: 0,
        }
    }

    /// Stops at the end of a line if the command is not wanted any more.
    pub(crate) fn write(&mut self, bytes: &[u8], host: &mut impl Host) {
        for &byte in bytes {
            let is_end = byte == b'\n';
            if (is_end || self.used == LONGEST) && !self.emit(host) {
                return;
            }
            if !is_end {
                self.bytes[self.used] = byte;
                self.used += 1;
            }
        }
    }

    /// Whether no line is begun.
    pub(crate) const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Gives out what is left of a line without an end.
    pub(crate) fn flush(&mut self, host: &mut impl Host) {
        if !self.is_empty() {
            let _ = self.emit(host);
        }
    }

    /// Gives a line out, after which others may run. False if the command is not wanted any more.
    fn emit(&mut self, host: &mut impl Host) -> bool {
        let line = &self.bytes[..self.used];
        host.write_log(line.strip_suffix(b"\r").unwrap_or(line));
        self.used = 0;
        host.breathe()
    }
}
