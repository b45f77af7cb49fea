//! Lines of the log on their way to a port that may be slower than those who write them.

use core::fmt;

/// A queue of at most `N` bytes, into which whole lines go and out of which bytes come.
///
/// A line that does not fit is left out whole. All zeros is an empty one, so that it takes no room in an
/// image.
#[derive(Debug)]
pub struct Outbox<const N: usize> {
    bytes: [u8; N],
    /// The place of the first byte that waits.
    first: usize,
    /// How many wait, of whole lines.
    waiting: usize,
    /// How many there are of the line that is being written, behind those.
    unfinished: usize,
    /// Whether that line has not fitted.
    is_too_long: bool,
}

/// A line that is being written. Dropped before [`Draft::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Draft<'a, const N: usize>(&'a mut Outbox<N>);

impl<const N: usize> Outbox<N> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            first: 0,
            waiting: 0,
            unfinished: 0,
            is_too_long: false,
        }
    }

    /// Begins a line. What was begun before and not finished is forgotten.
    pub fn draft(&mut self) -> Draft<'_, N> {
        self.unfinished = 0;
        self.is_too_long = false;
        Draft(self)
    }

    /// The first bytes that wait: some, if any do.
    #[must_use]
    pub fn next(&self) -> &[u8] {
        let end = N.min(self.first + self.waiting);
        &self.bytes[self.first..end]
    }

    /// The first `count` bytes of [`Self::next`] are gone.
    ///
    /// # Panics
    /// When so many do not wait.
    pub fn sent(&mut self, count: usize) {
        assert!(count <= self.waiting, "more is gone than has waited");
        self.first = (self.first + count) % N;
        self.waiting -= count;
    }

    /// How many bytes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn push(&mut self, text: &[u8]) {
        if self.is_too_long || text.len() > N - self.waiting - self.unfinished {
            self.is_too_long = true;
            return;
        }
        let begin = (self.first + self.waiting + self.unfinished) % N;
        let before_end = text.len().min(N - begin);
        let (head, tail) = text.split_at(before_end);
        self.bytes[begin..begin + head.len()].copy_from_slice(head);
        self.bytes[..tail.len()].copy_from_slice(tail);
        self.unfinished += text.len();
    }
}

impl<const N: usize> Default for Outbox<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Draft<'_, N> {
    /// Ends the line, which waits from here on. False if it did not fit.
    pub fn finish(self) -> bool {
        let Self(outbox) = self;
        outbox.push(b"\n");
        let fits = !outbox.is_too_long;
        if fits {
            outbox.waiting += outbox.unfinished;
        }
        outbox.unfinished = 0;
        fits
    }
}

impl<const N: usize> fmt::Write for Draft<'_, N> {
    /// Never fails: whether all has fitted, [`Draft::finish`] says.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push(text.as_bytes());
        Ok(())
    }
}
