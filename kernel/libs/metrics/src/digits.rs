//! Numbers as text. The formatting of `core` takes several times as long as it does to write the digits down, and most
//! lines of a scrape end in a number.

use core::fmt::{self, Display, Formatter};

/// What a sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// So many.
    Number(u64),
    /// So many nanoseconds, as a number of seconds.
    Duration(Seconds),
}

/// A duration in nanoseconds as a number of seconds, with nothing lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u64);

const NS_PER_SECOND: u64 = 1_000_000_000;
/// Digits behind the point of a number of seconds.
const PLACES: usize = 9;

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<Seconds> for Value {
    fn from(seconds: Seconds) -> Self {
        Self::Duration(seconds)
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut digits = Digits::new();
        digits.seconds(self.0);
        f.write_str(digits.text())
    }
}

/// A short text that is written from its end to its beginning, as one finds the digits of a number.
///
/// Invariant: all of its bytes are ASCII.
pub(crate) struct Digits {
    bytes: [u8; Self::MOST],
    begin: usize,
}

impl Digits {
    /// The digits of the largest number, a point, an end of line, and what ends the labels before it.
    const MOST: usize = 25;

    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; Self::MOST],
            begin: Self::MOST,
        }
    }

    /// Puts an ASCII character before the others.
    pub(crate) const fn put(&mut self, byte: u8) {
        self.begin -= 1;
        self.bytes[self.begin] = byte;
    }

    /// Puts the digits of a number before the others: at least so many.
    const fn number(&mut self, mut number: u64, least: usize) {
        let end = self.begin;
        while number > 0 || end - self.begin < least {
            self.put(b'0' + (number % 10) as u8);
            number /= 10;
        }
    }

    fn seconds(&mut self, ns: u64) {
        self.number(ns % NS_PER_SECOND, PLACES);
        self.put(b'.');
        self.number(ns / NS_PER_SECOND, 1);
    }

    /// As [`seconds`](Self::seconds), without what a person would leave out.
    pub(crate) fn short_seconds(&mut self, ns: u64) {
        let (mut rest, mut places) = (ns % NS_PER_SECOND, PLACES);
        while places > 0 && rest.is_multiple_of(10) {
            rest /= 10;
            places -= 1;
        }
        if places > 0 {
            self.number(rest, places);
            self.put(b'.');
        }
        self.number(ns / NS_PER_SECOND, 1);
    }

    pub(crate) fn value(&mut self, value: Value) {
        match value {
            Value::Number(number) => self.number(number, 1),
            Value::Duration(Seconds(ns)) => self.seconds(ns),
        }
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.bytes[self.begin..]).expect("it is ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Digits)) -> alloc::string::String {
        let mut digits = Digits::new();
        write(&mut digits);
        digits.text().into()
    }

    #[test]
    fn numbers_are_written_as_core_does() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        let around = powers.flat_map(|power| [power - 1, power, power + 1]);
        for number in around.chain([u64::MAX - 1, u64::MAX]) {
            assert_eq!(
                text(|digits| digits.value(number.into())),
                alloc::format!("{number}")
            );
        }
    }

    #[test]
    fn the_longest_line_ends_fit() {
        for value in [Value::Number(u64::MAX), Value::Duration(Seconds(u64::MAX))] {
            let written = text(|digits| {
                digits.put(b'\n');
                digits.value(value);
                b" }\"".iter().for_each(|byte| digits.put(*byte));
            });
            assert!(written.starts_with("\"} 18446744073") && written.ends_with("1615\n"));
        }
    }

    #[test]
    fn a_bound_has_the_digits_that_a_person_would_write() {
        for (ns, wanted) in [
            (0, "0"),
            (1, "0.000000001"),
            (10_000, "0.00001"),
            (25_000, "0.000025"),
            (2_500_000_000, "2.5"),
            (1_000_000_000, "1"),
            (10_000_000_000, "10"),
            (10_020_000_000, "10.02"),
        ] {
            assert_eq!(text(|digits| digits.short_seconds(ns)), wanted);
        }
    }
}
