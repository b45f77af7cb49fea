//! Negative controls: the harness is shown machines that go wrong, and must say so.
//!
//! Each passes only if the failure is reported, by the right name. A harness that overlooks them would
//! let everything else pass as well.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab, golden, process, stub};

use crate::catalogue::machine::Catalogue;
use crate::catalogue::named;
use crate::guests::Engine;

scenarios![
    a_machine_that_hangs_is_ended_and_reported,
    a_machine_that_sleeps_for_ever_is_ended_and_reported,
    a_machine_that_the_host_leaves_little_time_is_not_taken_for_one_that_hangs,
    a_triple_fault_is_told_from_a_power_off,
    a_code_of_the_kernel_is_told_from_a_power_off,
    a_machine_that_never_gets_ready_is_reported,
    a_text_that_differs_from_its_golden_file_is_reported,
    an_overflow_brings_a_kernel_down_whose_page_faults_have_no_stack,
    a_stack_whose_guard_is_mapped_fails_the_catalogue,
    a_guard_that_begins_too_late_fails_the_catalogue,
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

/// It uses no processor time, so that only the time in which it does nothing can end it.
fn a_machine_that_sleeps_for_ever_is_ended_and_reported(lab: &Lab) -> Result<()> {
    let boot = stub_boot(lab, &stub::saying("asleep\n", stub::SLEEP))?;
    let mut machine = lab.boot(&boot.limit(Duration::from_secs(3)))?;
    machine.line("that it sleeps", |line| line == "asleep")?;
    machine.ends_with(End::Timeout)?;
    let report = machine.report.text();
    ensure!(report.contains("3 seconds without any work"), "{report}");
    Ok(())
}

/// The machine computes for a moment and ends by itself. Stopped again and again, it gets as little of a processor as
/// on a host that is busy with much else: its limit passes on the wall, and not in its own time.
fn a_machine_that_the_host_leaves_little_time_is_not_taken_for_one_that_hangs(
    lab: &Lab,
) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(10);
    const STOPPED: Duration = Duration::from_millis(170);
    const RUNNING: Duration = Duration::from_millis(30);
    let code = stub::computing(&stub::exit_with(ExitCode::Panic.value()));
    let boot = stub_boot(lab, &stub::saying("computing\n", &code))?;
    let mut machine = lab.boot(&boot.limit(LIMIT))?;
    machine.line("that it computes", |line| line == "computing")?;
    let qemu = machine.qemu()?;
    // Host's time: it is what must make no difference.
    let begun = Instant::now();
    while process::is_running(qemu) && begun.elapsed() < LIMIT * 5 / 4 {
        process::stop(qemu)?;
        std::thread::sleep(STOPPED);
        process::go_on(qemu)?;
        std::thread::sleep(RUNNING); // Host's time, too.
    }
    ensure!(process::is_running(qemu), "it got through too soon to tell");
    machine.ends_with(End::Code(ExitCode::Panic))
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

/// A case of the catalogue that overflows the native stack, in each engine.
const OVERFLOWS: [(Engine, &str); 2] = [
    (Engine::Wasmi, "fill-stack"),
    (Engine::Wasmtime, "stack-overflow"),
];

/// With 0 as the IST entry of #PF the fault cannot be delivered on a stack that has no room. Faults that leave
/// room still end their sandbox.
fn an_overflow_brings_a_kernel_down_whose_page_faults_have_no_stack(lab: &Lab) -> Result<()> {
    for (engine, name) in OVERFLOWS {
        let cases = [named("wild-write"), named(name)];
        let mut catalogue = Catalogue::serve(lab, engine, &cases, "scenario=no-page-fault-stack")?;
        catalogue.check(cases[0])?;
        let error = catalogue.check_alone(cases[1]).err();
        error.context("the kernel survived it")?;
        catalogue
            .machine
            .ends_with(End::Code(ExitCode::LastWords))?;
        let said = catalogue.machine.serial.text();
        ensure!(said.contains("#DF"), "{engine:?}: it was no double fault");
    }
    Ok(())
}

/// An overflow that no guard stops goes on through what lies below, which is the kernel's.
fn a_stack_whose_guard_is_mapped_fails_the_catalogue(lab: &Lab) -> Result<()> {
    for (engine, name) in OVERFLOWS {
        let case = named(name);
        let mut catalogue = Catalogue::serve(lab, engine, &[case], "scenario=mapped-guards")?;
        let error = catalogue.check_alone(case).err();
        error.with_context(|| format!("{engine:?}: it was overlooked"))?;
        catalogue.machine.ends_with(End::Code(ExitCode::Panic))?;
        let said = catalogue.machine.serial.text();
        let beyond = "the kernel stack of a host call overflowed";
        ensure!(said.contains(beyond), "{engine:?}: the guard held it up");
    }
    Ok(())
}

/// Where the guard begins a little too late, the sandbox still ends by the right name, and the log says that
/// it got too far.
fn a_guard_that_begins_too_late_fails_the_catalogue(lab: &Lab) -> Result<()> {
    for (engine, name) in OVERFLOWS {
        let case = named(name);
        let catalogue = Catalogue::serve(lab, engine, &[case], "scenario=narrow-guards")?;
        let error = catalogue.check_alone(case).err();
        let error = error.with_context(|| format!("{engine:?}: it was overlooked"))?;
        ensure!(
            format!("{error:#}").contains("bytes beyond the stack"),
            "{engine:?}: {error:#}"
        );
    }
    Ok(())
}
