//! What a machine said: lines that one thread adds and others wait for.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The lines of one stream, from its beginning.
#[derive(Default)]
pub struct Transcript {
    lines: Mutex<Lines>,
    changed: Condvar,
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
            }
            writer.lock().closed = true;
            writer.changed.notify_all();
        });
        transcript
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        self.lock().all.push(line);
        self.changed.notify_all();
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

    /// The first line, from the beginning, of which `wanted` is true. Waits for it at most until
    /// `deadline`, and no longer than the stream is open.
    #[must_use]
    pub fn wait_for(&self, deadline: Instant, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.wait_from(0, deadline, wanted).map(|(_, line)| line)
    }

    /// As [`wait_for`](Self::wait_for), from line `start` on, with the number of the line found.
    #[must_use]
    pub fn wait_from(
        &self,
        start: usize,
        deadline: Instant,
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
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.closed || left == Duration::ZERO {
                return None;
            }
            lines = self
                .changed
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits, at most until `deadline`, for the stream to end, so that no line is missing.
    pub fn wait_closed(&self, deadline: Instant) {
        let lines = self.lock();
        let left = deadline.saturating_duration_since(Instant::now());
        let _ = self
            .changed
            .wait_timeout_while(lines, left, |lines| !lines.closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn a_line_is_found_whether_it_came_before_or_after_the_question() {
        let transcript = Transcript::follow(&b"one\ntwo\n"[..]);
        assert_eq!(
            transcript.wait_for(soon(), |line| line == "two").as_deref(),
            Some("two")
        );
        assert_eq!(
            transcript.wait_for(soon(), |line| line == "one").as_deref(),
            Some("one")
        );
    }

    #[test]
    fn the_end_of_the_stream_ends_the_waiting() {
        let transcript = Transcript::follow(&b"one\n"[..]);
        let start = Instant::now();
        assert_eq!(transcript.wait_for(soon(), |line| line == "two"), None);
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_end_the_reading() {
        let transcript = Transcript::follow(&b"\xff\xfe\nafter\n"[..]);
        assert!(
            transcript
                .wait_for(soon(), |line| line == "after")
                .is_some()
        );
    }
}
