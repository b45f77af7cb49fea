//! The names under which a sandbox's end by trap is reported.

use core::fmt;

/// Why a sandbox was ended by force. The names are part of the contract with the outside: they
/// stand in the response header `luge-outcome: trap NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trap {
    /// The native stack ran into its guard, or the engine's own stack limit was reached.
    StackOverflow,
    /// An integer was divided by zero.
    IntegerDivideByZero,
    /// A quotient does not fit, as in `i32::MIN / -1`.
    IntegerOverflow,
    /// An access outside linear memory.
    MemoryOutOfBounds,
    /// An access outside a table.
    TableOutOfBounds,
    /// `call_indirect` through an empty table entry.
    IndirectCallToNull,
    /// `call_indirect` of a function of another type.
    BadSignature,
    /// The `unreachable` instruction, which is also how most guests abort.
    Unreachable,
    /// A float that no integer of the target type can hold, or a NaN.
    BadConversionToInteger,
    /// The sandbox asked for more memory than its limit.
    OutOfMemory,
    /// The processor refused an instruction of guest code for another reason (#GP, #SS, #AC, ...).
    ///
    /// No WebAssembly program can cause this through a correct engine.
    ProcessorException,
    /// The guest threw an exception that none of its functions catches.
    UncaughtException,
    /// `throw_ref` of a null reference.
    NullReference,
}

impl Trap {
    /// Every trap there is, in the order of the contract.
    pub const ALL: [Self; 13] = [
        Self::StackOverflow,
        Self::IntegerDivideByZero,
        Self::IntegerOverflow,
        Self::MemoryOutOfBounds,
        Self::TableOutOfBounds,
        Self::IndirectCallToNull,
        Self::BadSignature,
        Self::Unreachable,
        Self::BadConversionToInteger,
        Self::OutOfMemory,
        Self::ProcessorException,
        Self::UncaughtException,
        Self::NullReference,
    ];

    /// What the values mean, for a debugger.
    pub const MEANING: [(&'static str, usize); 13] = [
        ("trap.stack-overflow", Self::StackOverflow as usize),
        (
            "trap.integer-divide-by-zero",
            Self::IntegerDivideByZero as usize,
        ),
        ("trap.integer-overflow", Self::IntegerOverflow as usize),
        (
            "trap.memory-out-of-bounds",
            Self::MemoryOutOfBounds as usize,
        ),
        ("trap.table-out-of-bounds", Self::TableOutOfBounds as usize),
        (
            "trap.indirect-call-to-null",
            Self::IndirectCallToNull as usize,
        ),
        ("trap.bad-signature", Self::BadSignature as usize),
        ("trap.unreachable", Self::Unreachable as usize),
        (
            "trap.bad-conversion-to-integer",
            Self::BadConversionToInteger as usize,
        ),
        ("trap.out-of-memory", Self::OutOfMemory as usize),
        (
            "trap.processor-exception",
            Self::ProcessorException as usize,
        ),
        ("trap.uncaught-exception", Self::UncaughtException as usize),
        ("trap.null-reference", Self::NullReference as usize),
    ];

    /// The name as the outside knows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StackOverflow => "stack-overflow",
            Self::IntegerDivideByZero => "integer-divide-by-zero",
            Self::IntegerOverflow => "integer-overflow",
            Self::MemoryOutOfBounds => "memory-out-of-bounds",
            Self::TableOutOfBounds => "table-out-of-bounds",
            Self::IndirectCallToNull => "indirect-call-to-null",
            Self::BadSignature => "bad-signature",
            Self::Unreachable => "unreachable",
            Self::BadConversionToInteger => "bad-conversion-to-integer",
            Self::OutOfMemory => "out-of-memory",
            Self::ProcessorException => "processor-exception",
            Self::UncaughtException => "uncaught-exception",
            Self::NullReference => "null-reference",
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::format;

    use super::*;

    #[test]
    fn a_debugger_is_told_the_same_names() {
        for (trap, (name, number)) in Trap::ALL.into_iter().zip(Trap::MEANING) {
            assert_eq!(name, format!("trap.{trap}"));
            assert_eq!(number, trap as usize);
        }
    }
}
