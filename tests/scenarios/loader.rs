//! What the loader does with a kernel that it cannot load: a message, and a code of its own.

use std::fs;

use anyhow::{Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab};

scenarios![
    a_kernel_that_is_no_elf_is_refused_with_a_message,
    a_kernel_that_was_cut_off_is_refused_with_a_message,
    a_kernel_for_another_processor_is_refused_with_a_message,
    a_kernel_that_wants_to_lie_in_the_lower_half_is_refused_with_a_message,
];

/// Offset of `e_machine` in an ELF header (System V ABI, "ELF Header").
const MACHINE: usize = 18;
/// Offset of `e_phoff`, where the program headers start.
const PROGRAM_HEADERS: usize = 32;
/// Offset of `p_vaddr` in a program header.
const VIRTUAL_ADDRESS: usize = 16;

/// Boots the kernel after `damage` was done to it; the loader must refuse it and say why.
fn refuses(lab: &Lab, damage: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let mut kernel = fs::read(lab.workshop().kernel(&Kernel::Product)?)?;
    damage(&mut kernel);
    let path = lab
        .folder("kernel")?
        .file("kernel", kernel)?
        .path()
        .join("kernel");
    let mut machine = lab.boot(&Boot::new(Kernel::File(path)))?;
    machine.ends_with(End::Code(ExitCode::BadKernel))?;
    let said = machine.serial.text();
    ensure!(
        said.contains("loader: ") && said.contains("kernel"),
        "the loader does not say why: {said}"
    );
    Ok(())
}

fn a_kernel_that_is_no_elf_is_refused_with_a_message(lab: &Lab) -> Result<()> {
    refuses(lab, |kernel| kernel[..4].copy_from_slice(b"luge"))
}

fn a_kernel_that_was_cut_off_is_refused_with_a_message(lab: &Lab) -> Result<()> {
    refuses(lab, |kernel| kernel.truncate(kernel.len() / 3))
}

fn a_kernel_for_another_processor_is_refused_with_a_message(lab: &Lab) -> Result<()> {
    refuses(lab, |kernel| kernel[MACHINE] = 0xb7)
}

fn a_kernel_that_wants_to_lie_in_the_lower_half_is_refused_with_a_message(lab: &Lab) -> Result<()> {
    refuses(lab, |kernel| {
        let first = usize::from(kernel[PROGRAM_HEADERS]) + VIRTUAL_ADDRESS;
        kernel[first..first + 8].copy_from_slice(&0x40_0000_u64.to_le_bytes());
    })
}
