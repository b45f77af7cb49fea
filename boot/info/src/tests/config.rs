//! The kernel's wishes: which are read, skipped and refused.

use bootloader_api::BootloaderConfig;
use bootloader_api::config::Mapping;

use crate::config::{self, ConfigError, Skipped};
use crate::tests::sample;

#[test]
fn a_configuration_is_read_as_it_was_written() {
    let wished = sample::config();
    assert_eq!(config::read(&wished.serialize()), Ok(wished));
}

#[test]
fn bytes_that_are_no_configuration_are_refused() {
    assert_eq!(config::read(&[]), Err(ConfigError::Invalid("invalid len")));
    let mut bytes = sample::config().serialize();
    bytes[0] ^= 1;
    assert_eq!(
        config::read(&bytes),
        Err(ConfigError::Invalid("invalid UUID"))
    );
}

#[test]
fn a_kernel_built_with_another_version_of_the_interface_is_refused() {
    let mut bytes = sample::config().serialize();
    bytes[16..22].copy_from_slice(&[1, 0, 2, 0, 3, 0]);
    assert_eq!(
        config::read(&bytes),
        Err(ConfigError::Version { found: [1, 2, 3] })
    );
}

#[test]
fn a_kernel_that_relies_on_a_recursive_table_is_refused() {
    let mut wished = sample::config();
    wished.mappings.page_table_recursive = Some(Mapping::Dynamic);
    assert_eq!(
        config::read(&wished.serialize()),
        Err(ConfigError::RecursivePageTable)
    );
}

#[test]
fn the_default_configuration_has_nothing_to_skip() {
    assert!(config::skipped(&BootloaderConfig::new_default()).is_empty());
}

#[test]
fn each_wish_that_is_not_granted_is_named() {
    let mut wished = sample::config();
    wished.mappings.aslr = true;
    assert_eq!(config::skipped(&wished)[..], [Skipped::Aslr]);
    wished.mappings.kernel_base = Mapping::FixedAddress(0);
    wished.mappings.framebuffer = Mapping::FixedAddress(0);
    let all = [Skipped::Aslr, Skipped::KernelBase, Skipped::Framebuffer];
    assert_eq!(config::skipped(&wished)[..], all);
}
