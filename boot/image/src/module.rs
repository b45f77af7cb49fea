//! Whether the kernel will run a module.

use luge_module::{Invalid, NoCommand, Saved, Slim, check_outline, slim, validate};
use thiserror::Error;

use crate::list::Bytes;

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

/// The longest module that can be made into one that the kernel reads, in bytes: what is left out may be most of it.
pub const LARGEST_TO_SLIM: u64 = 512 << 20;

/// A module as it is served, and what it saves.
pub struct Served {
    /// The module.
    pub bytes: Vec<u8>,
    /// What is left out.
    pub saved: Saved,
}

/// Checks a module as the kernel does, the cheap and telling things first, and makes it into what is served.
///
/// What is wrong is told with its place in `bytes`. Only its size, and how much it has of something, are looked at in what
/// is served.
pub fn serve(bytes: Vec<u8>) -> Result<Served, Unfit> {
    check_outline(&bytes)?;
    match validate(&bytes) {
        Ok(interface) => {
            interface.check_command()?;
            Ok(Served::of(bytes))
        }
        Err(Invalid::TooLarge(_) | Invalid::Excess { .. }) => {
            let served = Served::of(bytes);
            validate(&served.bytes)?.check_command()?;
            Ok(served)
        }
        Err(why) => Err(why.into()),
    }
}

/// Checks a module that is served as it is.
pub fn check(bytes: &[u8]) -> Result<(), Unfit> {
    check_outline(bytes)?;
    Ok(validate(bytes)?.check_command()?)
}

impl Served {
    /// Of a module that may be wrong: then as it is.
    pub fn of(bytes: Vec<u8>) -> Served {
        match slim(&bytes) {
            Some(Slim { wasm, saved }) => Served { bytes: wasm, saved },
            None => Served {
                bytes,
                saved: Saved::default(),
            },
        }
    }

    /// Says what it saves, if that is worth a line.
    pub fn report(&self, path: &str) {
        let Saved {
            custom_bytes,
            segments_before,
            segments_after,
        } = self.saved;
        let mut said = Vec::new();
        if custom_bytes >= WORTH_BYTES {
            let bytes = Bytes(custom_bytes as u64);
            said.push(format!(
                "{bytes} of custom sections that nobody reads are left out"
            ));
        }
        if segments_before - segments_after >= WORTH_SEGMENTS {
            said.push(format!(
                "{segments_before} data segments are joined to {segments_after}"
            ));
        }
        if !said.is_empty() {
            let served = Bytes(self.bytes.len() as u64);
            eprintln!("{path}: {}; {served} are served", said.join(", "));
        }
    }
}

/// From how many bytes on, and from how many data segments on, it is worth a line what a module saves.
const WORTH_BYTES: usize = 1024;
const WORTH_SEGMENTS: u32 = 16;
