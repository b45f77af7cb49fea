//! What the kernel asks of its loader: the section `.bootloader-config`.
//!
//! `bootloader_api` defines the section; this module reads it and says which wishes the loader
//! cannot grant. A wish without which the kernel would look for something that is not there is
//! refused; a wish that only makes things nicer is skipped with a warning.

use core::fmt;

use bootloader_api::BootloaderConfig;
use bootloader_api::config::Mapping;
use heapless::Vec;

/// The section of the kernel ELF that holds the configuration.
pub const SECTION: &str = ".bootloader-config";

/// Where the API's version lies in the section: behind the UUID of 16 bytes.
const VERSION: core::ops::Range<usize> = 16..23;

/// Why the configuration cannot be honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The kernel has no such section: it was not built with `entry_point!`.
    Absent,
    /// The bytes are not a configuration; `bootloader_api` says why.
    Invalid(&'static str),
    /// The kernel was built with another version of `bootloader_api`, so `BootInfo` may differ.
    Version {
        /// Major, minor and patch version that the kernel was built with.
        found: [u16; 3],
    },
    /// The kernel relies on a recursive page table.
    RecursivePageTable,
    /// The stack that the kernel asks for is empty or its size has no end in pages.
    StackSize {
        /// The size asked for, in bytes.
        bytes: u64,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Absent => f.write_str("no such section"),
            Self::Invalid(reason) => f.write_str(reason),
            Self::Version {
                found: [major, minor, patch],
            } => {
                write!(
                    f,
                    "built with bootloader_api {major}.{minor}.{patch}, which is not ours"
                )
            }
            Self::RecursivePageTable => f.write_str("recursive page tables are not offered"),
            Self::StackSize { bytes } => write!(f, "kernel_stack_size of {bytes} bytes"),
        }
    }
}

/// A wish that is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Random addresses: the dynamic ones come out the same at every boot.
    Aslr,
    /// A fixed base: the kernel is linked at its addresses already.
    KernelBase,
    /// A framebuffer: there is none.
    Framebuffer,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aslr => "aslr: dynamic addresses are the same at every boot",
            Self::KernelBase => "kernel_base: the kernel stays where it is linked",
            Self::Framebuffer => "framebuffer: there is none",
        })
    }
}

/// Reads the section.
///
/// # Errors
/// See [`ConfigError`].
pub fn read(section: &[u8]) -> Result<BootloaderConfig, ConfigError> {
    let config = BootloaderConfig::deserialize(section).map_err(ConfigError::Invalid)?;
    let ours = BootloaderConfig::new_default().serialize();
    let found = section.get(VERSION).unwrap_or_default();
    if ours.get(VERSION) != Some(found) {
        let part = |at: usize| u16::from_le_bytes([found[at], found[at + 1]]);
        return Err(ConfigError::Version {
            found: [part(0), part(2), part(4)],
        });
    }
    if config.mappings.page_table_recursive.is_some() {
        return Err(ConfigError::RecursivePageTable);
    }
    Ok(config)
}

/// The wishes of `config` that are skipped.
#[must_use]
pub fn skipped(config: &BootloaderConfig) -> Vec<Skipped, 3> {
    let mappings = &config.mappings;
    let wishes = [
        (mappings.aslr, Skipped::Aslr),
        (
            mappings.kernel_base != Mapping::Dynamic,
            Skipped::KernelBase,
        ),
        (wants_framebuffer(config), Skipped::Framebuffer),
    ];
    wishes
        .into_iter()
        .filter(|(wished, _)| *wished)
        .map(|(_, wish)| wish)
        .collect()
}

#[expect(deprecated, reason = "a kernel may still ask for it here")]
fn wants_framebuffer(config: &BootloaderConfig) -> bool {
    let size = &config.frame_buffer;
    config.mappings.framebuffer != Mapping::Dynamic
        || size.minimum_framebuffer_height.is_some()
        || size.minimum_framebuffer_width.is_some()
}
