//! What is told to whoever waits.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::time::Instant;

use clap::ValueEnum;

use crate::list::Bytes;

/// When progress is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// If somebody looks: standard error is a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Tells progress on standard error, or keeps it to itself.
#[derive(Clone, Copy)]
pub struct Progress {
    is_told: bool,
}

/// A step that has begun. Its line ends with it, one way or the other.
pub struct Step {
    is_told: bool,
    began: Instant,
}

impl Progress {
    /// Tells when it should.
    pub fn new(when: When) -> Progress {
        let is_told = match when {
            When::Auto => stderr().is_terminal(),
            When::Always => true,
            When::Never => false,
        };
        Progress { is_told }
    }

    /// Says what is being done now, in a line that is not ended yet.
    pub fn begin(self, what: impl fmt::Display) -> Step {
        if self.is_told {
            eprint!("{what} ...");
        }
        Step {
            is_told: self.is_told,
            began: Instant::now(),
        }
    }
}

impl Step {
    /// So much came of it.
    pub fn end(mut self, bytes: u64) {
        if self.is_told {
            let seconds = self.began.elapsed().as_secs_f64();
            eprintln!(" {} in {seconds:.1} s", Bytes(bytes));
        }
        self.is_told = false;
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.is_told {
            eprintln!(" failed");
        }
    }
}
