//! Machines that come to a bad end, and are started again.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab, process, stub};
use nix::sys::signal::Signal;

use crate::guests::{Engine, Guests};

scenarios![
    a_machine_that_panics_is_started_again_after_pauses_that_grow,
    a_machine_that_resets_itself_is_started_again,
    a_machine_whose_qemu_is_killed_serves_again,
    a_machine_that_ends_well_or_would_end_so_again_is_not_started_again,
    without_being_asked_for_no_machine_is_started_again,
];

/// A machine that runs nothing but `code`.
fn stub(lab: &Lab, code: &[u8]) -> Result<Boot> {
    let folder = lab.folder("stub")?.file("stub", stub::image(code))?;
    let loader: PathBuf = folder.path().join("stub");
    Ok(Boot::new(Kernel::File(loader.clone())).loader(loader))
}

fn panics() -> Vec<u8> {
    stub::exit_with(ExitCode::Panic.value())
}

/// What `qemu-run.sh` says before each start but the first.
const AGAIN: &str = "it is started again in";

fn a_machine_that_panics_is_started_again_after_pauses_that_grow(lab: &Lab) -> Result<()> {
    let mut machine = lab.boot(&stub(lab, &panics())?.switch("--restart"))?;
    for (restart, pause) in [(1, 1), (2, 2), (3, 4)] {
        let wanted = format!("status 33; {AGAIN} {pause} s (restart {restart})");
        let said = machine.report.wait_for(|line| line.contains(&wanted));
        said.with_context(|| wanted.clone())?;
    }
    machine.signal(Signal::SIGINT)?;
    machine.ends_with(End::Other(130))
}

fn a_machine_that_resets_itself_is_started_again(lab: &Lab) -> Result<()> {
    let machine = lab.boot(&stub(lab, stub::TRIPLE_FAULT)?.switch("--restart"))?;
    let twice = |line: &str| line.contains("status 3; ") && line.contains("(restart 2)");
    machine.report.wait_for(twice).context("a second start")?;
    Ok(())
}

fn a_machine_whose_qemu_is_killed_serves_again(lab: &Lab) -> Result<()> {
    let boot = Guests::new(lab, Engine::Wasmi)?.boot(lab)?;
    let machine = lab.serve(&boot.switch("--restart"))?;
    machine.client().get("/fib?n=20")?.expect("6765\n")?;
    let before = machine.serial.lines().len();
    process::kill_now(machine.qemu()?)?;
    machine.line_from(before, "ready once more", |line| line.contains("] ready"))?;
    machine.client().get("/fib?n=20")?.expect("6765\n")
}

fn a_machine_that_ends_well_or_would_end_so_again_is_not_started_again(lab: &Lab) -> Result<()> {
    let damaged = stub::exit_with(ExitCode::BadKernel.value());
    let mut machine = lab.boot(&stub(lab, &damaged)?.switch("--restart"))?;
    machine.ends_with(End::Code(ExitCode::BadKernel))?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");

    let asleep = stub::saying("asleep\n", stub::SLEEP);
    let mut machine = lab.boot(&stub(lab, &asleep)?.switch("--restart"))?;
    machine.line("that it sleeps", |line| line == "asleep")?;
    fs::write(
        lab.workshop().files_of(&machine).join("monitor.in"),
        "quit\n",
    )?;
    machine.ends_with(End::PowerOff)?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");
    Ok(())
}

fn without_being_asked_for_no_machine_is_started_again(lab: &Lab) -> Result<()> {
    let mut machine = lab.boot(&stub(lab, &panics())?)?;
    machine.ends_with(End::Code(ExitCode::Panic))?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");
    Ok(())
}
