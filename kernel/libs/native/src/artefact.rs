//! The file that native code travels in: a head of fixed size, then the engine's own format.
//!
//! ```text
//!  0  16  "luge native code"
//! 16   4  VERSION, little-endian
//! 20   4  LEVEL, little-endian: what the code needs of the processor
//! 24   8  length of the code in bytes, little-endian
//! 32  32  SHA-256 of the module that the code was made from
//! 64  32  SHA-256 of the code
//! 96      the code
//! ```
//!
//! The digests tell what was damaged or mixed up. They prove nothing about who made the file: whoever
//! writes the disk writes them too (`kernel/docs/threat-model.md`).

extern crate alloc;

use alloc::string::String;
use core::fmt;

use sha2::{Digest as _, Sha256};

/// Bytes of the head.
pub const HEAD_BYTES: usize = 96;
/// The format, and the meaning of [`crate::settings`]. Changes with either.
pub const VERSION: u32 = 1;
/// x86-64-v2: [`crate::settings::FEATURES`].
pub const LEVEL: u32 = 2;

const MAGIC: [u8; 16] = *b"luge native code";

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Why a file is not the native code of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It does not begin as such files do.
    NotAnArtefact,
    /// Of another version of the format; which.
    OtherVersion(u32),
    /// For another level of processors; which.
    OtherLevel(u32),
    /// Shorter or longer than it says: what it says, and what there is, in bytes of code.
    OtherLength {
        /// What the head says.
        said: u64,
        /// What follows it.
        found: u64,
    },
    /// The code is not what was written.
    Damaged,
    /// Made from another module.
    OtherModule,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnArtefact => f.write_str("it is no file of native code"),
            Self::OtherVersion(version) => {
                write!(f, "its format has version {version}, not {VERSION}")
            }
            Self::OtherLevel(level) => {
                write!(f, "it is for processors of level {level}, not {LEVEL}")
            }
            Self::OtherLength { said, found } => {
                write!(
                    f,
                    "it says that it has {said} bytes of code, and has {found}"
                )
            }
            Self::Damaged => f.write_str("it is damaged: its code has another digest"),
            Self::OtherModule => f.write_str("it was made from another module"),
        }
    }
}

impl core::error::Error for Unfit {}

/// Where the native code of a module lies, beside it: `fib.cwasm` for `fib.wasm`.
#[must_use]
pub fn path(module: &str) -> String {
    let stem = module.strip_suffix(".wasm").unwrap_or(module);
    [stem, ".cwasm"].concat()
}

/// The digest of a module or of code.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The head of the file for `code`, made from `module`.
#[must_use]
pub fn head(module: &[u8], code: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..16].copy_from_slice(&MAGIC);
    head[16..20].copy_from_slice(&VERSION.to_le_bytes());
    head[20..24].copy_from_slice(&LEVEL.to_le_bytes());
    head[24..32].copy_from_slice(&(code.len() as u64).to_le_bytes());
    head[32..64].copy_from_slice(&digest(module));
    head[64..96].copy_from_slice(&digest(code));
    head
}

/// The code in `file`, if it is whole and was made from `module`.
///
/// # Errors
/// [`Unfit`]: the first thing that is wrong with it.
pub fn open<'f>(file: &'f [u8], module: &[u8]) -> Result<&'f [u8], Unfit> {
    let (head, code) = file
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or(Unfit::NotAnArtefact)?;
    if head[..16] != MAGIC {
        return Err(Unfit::NotAnArtefact);
    }
    let version = number(&head[16..20]);
    if version != u64::from(VERSION) {
        return Err(Unfit::OtherVersion(version as u32));
    }
    let level = number(&head[20..24]);
    if level != u64::from(LEVEL) {
        return Err(Unfit::OtherLevel(level as u32));
    }
    let (said, found) = (number(&head[24..32]), code.len() as u64);
    if said != found {
        return Err(Unfit::OtherLength { said, found });
    }
    if head[32..64] != digest(module) {
        return Err(Unfit::OtherModule);
    }
    if head[64..96] != digest(code) {
        return Err(Unfit::Damaged);
    }
    Ok(code)
}

/// The code in a `file` that [`open`] has found good before.
///
/// # Errors
/// [`Unfit::NotAnArtefact`] if it is too short to be one.
pub fn code(file: &[u8]) -> Result<&[u8], Unfit> {
    file.get(HEAD_BYTES..).ok_or(Unfit::NotAnArtefact)
}

/// A little-endian number of at most eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
