//! What is told of a stack in linear memory that ran out.

use core::fmt::{self, Display, Formatter};

/// A stack in linear memory, that of C, C++, Rust and Zig, which a program has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearStack {
    /// How large it is in bytes.
    pub bytes: u32,
    /// Whether that is its size, and not only the most that it can be.
    pub is_exact: bool,
    /// Whether its pointer is known to have left it, and not only an address to be where that leads.
    pub is_certain: bool,
}

impl LinearStack {
    /// A size that is more likely to be enough, in bytes: four times as much, and at least 1 MiB.
    #[must_use]
    pub fn advised_bytes(self) -> u32 {
        const LEAST: u32 = 1 << 20;
        const MOST: u32 = 1 << 30;
        let wanted = self.bytes.saturating_mul(4).clamp(LEAST, MOST);
        wanted.next_power_of_two()
    }
}

/// A sentence for who builds the program.
impl Display for LinearStack {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (bytes, advised) = (self.bytes, self.advised_bytes());
        let at_most = if self.is_exact { "" } else { "at most " };
        let ran_out = if self.is_certain {
            "ran out"
        } else {
            "has probably run out"
        };
        write!(
            f,
            "the stack in linear memory ({at_most}{bytes} bytes) {ran_out}: link with \
             -Wl,-z,stack-size={advised}"
        )
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_stack_that_ran_out_is_said_with_what_to_do() {
        let certain = LinearStack {
            bytes: 65_536,
            is_exact: true,
            is_certain: true,
        };
        assert_eq!(
            certain.to_string(),
            "the stack in linear memory (65536 bytes) ran out: link with -Wl,-z,stack-size=1048576"
        );
        let probable = LinearStack {
            bytes: 1_048_000,
            is_exact: false,
            is_certain: false,
        };
        assert_eq!(
            probable.to_string(),
            "the stack in linear memory (at most 1048000 bytes) has probably run out: link with \
             -Wl,-z,stack-size=4194304"
        );
    }

    #[test]
    fn the_advice_is_always_a_size_that_there_can_be() {
        for bytes in [0, 1, 1 << 20, u32::MAX] {
            let stack = LinearStack {
                bytes,
                is_exact: true,
                is_certain: true,
            };
            assert!((1 << 20..=1 << 30).contains(&stack.advised_bytes()));
        }
    }
}
