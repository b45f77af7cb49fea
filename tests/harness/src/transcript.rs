//! What a machine said: lines that one thread adds and others wait for.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The lines of one stream, from its beginning.
#[derive(Default)]
pub struct Transcript {
    lines: Mutex<Lines>,
    changed: Condvar,
    /// Whether nothing is read for the time being.
    is_stalled: Mutex<bool>,
    goes_on: Condvar,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    closed: bool,
}

impl Transcript {
    /// Follows a stream, on a thread of its own, until the stream ends.
    #[must_use]
    pub fn follow(stream: impl Read + Send + 'static) -> Arc<Transcript> {
        let transcript = Arc::new(Transcript::default());
        let writer = Arc::clone(&transcript);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            // A machine that goes wrong may send bytes that are no text; they must not end the reading.
            while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
                writer.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
                writer.wait_while_stalled();
            }
            writer.lock().closed = true;
            writer.changed.notify_all();
        });
        transcript
    }

    /// Stops reading, after the next line at the latest: whoever writes finds the stream full before long.
    pub fn stall(&self) {
        *self.stalled() = true;
    }

    /// Reads on.
    pub fn go_on(&self) {
        *self.stalled() = false;
        self.goes_on.notify_all();
    }

    fn stalled(&self) -> MutexGuard<'_, bool> {
        self.is_stalled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while_stalled(&self) {
        let stalled = self.goes_on.wait_while(self.stalled(), |stalled| *stalled);
        drop(stalled.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        self.lock().all.push(line);
        self.changed.notify_all();
    }

    /// Whether the stream has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().all.clone()
    }

    /// All lines so far as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line, from the beginning, of which `wanted` is true. Waits for it as long as the stream is
    /// open: whatever writes it has to come to an end.
    #[must_use]
    pub fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.wait_from(0, wanted).map(|(_, line)| line)
    }

    /// As [`wait_for`](Self::wait_for), from line `start` on, with the number of the line found.
    #[must_use]
    pub fn wait_from(
        &self,
        start: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<(usize, String)> {
        let mut seen = start;
        let mut lines = self.lock();
        loop {
            while seen < lines.all.len() {
                if wanted(&lines.all[seen]) {
                    return Some((seen, lines.all[seen].clone()));
                }
                seen += 1;
            }
            if lines.closed {
                return None;
            }
            lines = self.wait(lines);
        }
    }

    /// Waits until `holds` is true of all lines so far; false if the stream ends before.
    #[must_use]
    pub fn wait_until(&self, holds: impl Fn(&[String]) -> bool) -> bool {
        let mut lines = self.lock();
        while !holds(&lines.all) {
            if lines.closed {
                return false;
            }
            lines = self.wait(lines);
        }
        true
    }

    /// Waits for the stream to end, so that no line is missing.
    pub fn wait_closed(&self) {
        let mut lines = self.lock();
        while !lines.closed {
            lines = self.wait(lines);
        }
    }

    fn wait<'l>(&self, lines: MutexGuard<'l, Lines>) -> MutexGuard<'l, Lines> {
        let waited = self.changed.wait(lines);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_is_found_whether_it_came_before_or_after_the_question() {
        let transcript = Transcript::follow(&b"one\ntwo\n"[..]);
        let find = |wanted: &str| transcript.wait_for(|line| line == wanted);
        assert_eq!(find("two").as_deref(), Some("two"));
        assert_eq!(find("one").as_deref(), Some("one"));
    }

    #[test]
    fn the_end_of_the_stream_ends_the_waiting() {
        let transcript = Transcript::follow(&b"one\n"[..]);
        assert_eq!(transcript.wait_for(|line| line == "two"), None);
        assert!(!transcript.wait_until(|lines| lines.len() > 1));
        assert!(transcript.wait_until(|lines| lines.len() == 1));
    }

    #[test]
    fn a_reader_that_stalls_reads_nothing_until_it_goes_on() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let transcript = Transcript::follow(reader);
        writer.write_all(b"one\n").unwrap();
        assert!(transcript.wait_until(|lines| lines.len() == 1));
        transcript.stall();
        // One more may be read, since the thread may be waiting for it.
        writer.write_all(b"two\nthree\n").unwrap();
        thread::yield_now();
        assert!(transcript.lines().len() <= 2);
        transcript.go_on();
        assert!(transcript.wait_until(|lines| lines.len() == 3));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_end_the_reading() {
        let transcript = Transcript::follow(&b"\xff\xfe\nafter\n"[..]);
        assert!(transcript.wait_for(|line| line == "after").is_some());
    }
}
