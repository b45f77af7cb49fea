//! Negative controls: the harness is shown machines that go wrong, and must say so.
//!
//! Each passes only if the failure is reported, by the right name. A harness that overlooks them would
//! let everything else pass as well.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab, golden, process, stub};

scenarios![
    a_machine_that_hangs_is_ended_and_reported,
    a_triple_fault_is_told_from_a_power_off,
    a_code_of_the_kernel_is_told_from_a_power_off,
    a_machine_that_never_gets_ready_is_reported,
    a_text_that_differs_from_its_golden_file_is_reported,
];

/// A machine that runs nothing but `code`.
fn stub_boot(lab: &Lab, code: &[u8]) -> Result<Boot> {
    let loader: PathBuf = lab
        .folder("stub")?
        .file("stub", stub::image(code))?
        .path()
        .join("stub");
    fs::metadata(&loader).context("the stub was written")?;
    Ok(Boot::new(Kernel::File(loader.clone())).loader(loader))
}

fn a_machine_that_hangs_is_ended_and_reported(lab: &Lab) -> Result<()> {
    let code = stub::saying("hanging\n", stub::HANG);
    let mut machine = lab.boot(&stub_boot(lab, &code)?.limit(Duration::from_secs(3)))?;
    machine.line("that it hangs", |line| line == "hanging")?;
    let qemu = machine.qemu()?;
    machine.ends_with(End::Timeout)?;
    ensure!(!process::is_running(qemu), "QEMU outlived its machine");
    Ok(())
}

fn a_triple_fault_is_told_from_a_power_off(lab: &Lab) -> Result<()> {
    lab.boot(&stub_boot(lab, stub::TRIPLE_FAULT)?)?
        .ends_with(End::TripleFault)
}

fn a_code_of_the_kernel_is_told_from_a_power_off(lab: &Lab) -> Result<()> {
    let code = stub::exit_with(ExitCode::Panic.value());
    lab.boot(&stub_boot(lab, &code)?)?
        .ends_with(End::Code(ExitCode::Panic))
}

fn a_machine_that_never_gets_ready_is_reported(lab: &Lab) -> Result<()> {
    let code = stub::saying(
        "GET /readyz\n",
        &stub::exit_with(ExitCode::LastWords.value()),
    );
    let error = lab
        .serve(&stub_boot(lab, &code)?)
        .err()
        .context("the harness took it for ready")?;
    ensure!(format!("{error}").contains("did not say ready"), "{error}");
    ensure!(
        lab.last_words().contains("GET /readyz"),
        "what the machine said is not in the report"
    );
    Ok(())
}

fn a_text_that_differs_from_its_golden_file_is_reported(_: &Lab) -> Result<()> {
    let error = golden::check("control", "what nobody wrote down\n").err();
    let error = error.context("the difference was overlooked")?;
    ensure!(
        format!("{error:#}").contains("+ what nobody wrote down"),
        "{error:#}"
    );
    Ok(())
}
