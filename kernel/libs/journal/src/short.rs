//! Texts of bounded length, kept in place.

use core::fmt::{self, Formatter, Write};

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
