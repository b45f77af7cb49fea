//! Whether the kernel will run a module.

use luge_module::{Invalid, NoCommand, check_outline, validate};
use thiserror::Error;

/// The longest module that the kernel reads, in bytes.
pub const LARGEST: u64 = luge_module::LARGEST as u64;

/// Why a module will not run.
#[derive(Debug, Error)]
pub enum Unfit {
    /// It is no module.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It is a module for something else.
    #[error(transparent)]
    NoCommand(#[from] NoCommand),
}

/// Checks a module as the kernel does, the cheap and telling things first.
pub fn check(bytes: &[u8]) -> Result<(), Unfit> {
    check_outline(bytes)?;
    Ok(validate(bytes)?.check_command()?)
}
