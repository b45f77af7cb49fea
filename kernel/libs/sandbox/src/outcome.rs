//! How a sandbox ended.

use core::fmt;

use luge_trap::Trap;

/// How a sandbox ended. Its text is the value of the response header `luge-outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The program left by itself, with this code.
    Exit(u32),
    /// It was ended for what it did.
    Trap(Trap),
    /// Its deadline passed before it was done.
    OverDeadline,
    /// It used up its CPU time before it was done.
    OverBudget,
    /// Nobody waits for its answer any more.
    Cancelled,
    /// Its client took its answer slower than it may, or for longer.
    SlowReader,
    /// It left with success, and the file that was to be its answer is not there, or too long.
    NoResponseFile,
    /// It wrote more than its route's `max-response-bytes`.
    ResponseTooLong,
}

impl Outcome {
    /// Whether the program did what it was asked to, by its own account.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exit(0))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Trap(trap) => write!(f, "trap {trap}"),
            Self::OverDeadline => f.write_str("over-deadline"),
            Self::OverBudget => f.write_str("over-budget"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::SlowReader => f.write_str("slow-reader"),
            Self::NoResponseFile => f.write_str("no-response-file"),
            Self::ResponseTooLong => f.write_str("response-too-long"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use alloc::format;

    use super::*;

    #[test]
    fn an_outcome_reads_as_the_header_wants_it() {
        assert_eq!(format!("{}", Outcome::Exit(3)), "exit 3");
        assert_eq!(format!("{}", Outcome::Exit(u32::MAX)), "exit 4294967295");
        assert_eq!(
            format!("{}", Outcome::Trap(Trap::StackOverflow)),
            "trap stack-overflow"
        );
        assert_eq!(format!("{}", Outcome::OverDeadline), "over-deadline");
        assert_eq!(format!("{}", Outcome::OverBudget), "over-budget");
        assert_eq!(format!("{}", Outcome::Cancelled), "cancelled");
        assert_eq!(format!("{}", Outcome::SlowReader), "slow-reader");
        let missing = format!("{}", Outcome::NoResponseFile);
        assert_eq!(missing, "no-response-file");
        let cut = format!("{}", Outcome::ResponseTooLong);
        assert_eq!(cut, "response-too-long");
    }

    #[test]
    fn every_trap_reads_as_its_own_name() {
        for trap in Trap::ALL {
            assert_eq!(
                format!("{}", Outcome::Trap(trap)),
                format!("trap {}", trap.as_str())
            );
        }
    }

    #[test]
    fn only_exit_with_zero_is_a_success() {
        assert!(Outcome::Exit(0).is_success());
        let failures = [
            Outcome::Exit(1),
            Outcome::Trap(Trap::Unreachable),
            Outcome::OverDeadline,
            Outcome::OverBudget,
            Outcome::Cancelled,
            Outcome::SlowReader,
            Outcome::NoResponseFile,
            Outcome::ResponseTooLong,
        ];
        assert!(failures.iter().all(|outcome| !outcome.is_success()));
    }
}
