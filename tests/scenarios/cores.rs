//! `--core`: what is left of a machine that came to a bad end.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, Disk, End, Gdb, Kernel, Lab, Machine};

use crate::debugger::has_said;

scenarios![
    a_core_of_a_panic_shows_what_ran,
    every_bad_end_keeps_its_status_and_leaves_a_core,
    a_good_end_leaves_no_core,
    gdb_says_so_when_the_core_is_of_another_kernel,
];

/// A core of a machine that boots as `boot` says.
fn with_core(lab: &Lab, boot: &Boot) -> Result<(Machine, PathBuf)> {
    let core = lab.folder("core")?.path().join("luge.core");
    let place = core.display().to_string();
    let boot = boot.clone().switch("--core").switch(&place);
    Ok((lab.boot(&boot.switch("--memory").switch("64M"))?, core))
}

fn a_core_of_a_panic_shows_what_ran(lab: &Lab) -> Result<()> {
    let folder = lab
        .folder("disk")?
        .copy("sleep.wasm", lab.example("sleep")?)?
        .copy("kernel-panic.wasm", lab.hostile("kernel-panic")?)?;
    let boot = Boot::new(Kernel::Scenarios).disk(Disk::Image(lab.native_image(&folder)?));
    let (mut machine, core) = with_core(lab, &boot.append("engine=wasmtime"))?;
    machine.ready()?;
    let (client, patient) = (machine.client(), machine.client());
    let sleeper = std::thread::spawn(move || patient.get("/sleep?ms=9000"));
    ensure!(client.get("/kernel-panic").is_err(), "it answers");
    machine.ends_with(End::Code(ExitCode::Panic))?;
    drop(sleeper.join());
    let report = machine.report.text();
    ensure!(report.contains("gdb -c "), "no word of the core: {report}");
    let commands = [
        "luge sandboxes",
        "luge sandbox",
        "luge trace",
        "luge pt $rsp",
        "luge symbols",
        "backtrace -8",
    ];
    let said = Gdb::on_core(lab, &Kernel::Scenarios, &core, &commands)?.end()?;
    let words = [
        "kernel-panic         running, in a host call",
        "announce_end",
        "on_panic at kernel/src/observe/last_words.rs:",
        "arch::switch::call_on",
        "wasm[0]::function[1]+0x",
        "first at kernel/src/sandbox/dispatch.rs:",
        "dispatch\n",
        " is mapped: data that is written",
        "the stack for host calls of sandbox ",
        "2 modules of native code",
        "first_entry",
    ];
    has_said(&said, &words)
}

fn every_bad_end_keeps_its_status_and_leaves_a_core(lab: &Lab) -> Result<()> {
    let (panic, last_words) = (End::Code(ExitCode::Panic), End::Code(ExitCode::LastWords));
    let ends = [
        ("panic", panic, ["on_panic", "kernel_main"]),
        ("kernel-fault", panic, ["kernel_fault (", "kernel_main"]),
        // The outer fault's frame was on the same stack, and is lost.
        (
            "fault-in-fault-handler",
            last_words,
            ["on_kernel_fault", "inside_the_handler"],
        ),
        (
            "triple-fault",
            End::TripleFault,
            ["kernel_fault (", "kernel_main"],
        ),
        ("hang", End::Timeout, ["hang (", "kernel_main"]),
    ];
    for (scenario, end, functions) in ends {
        let boot = Boot::new(Kernel::Scenarios).append(&format!("scenario={scenario}"));
        let boot = match end {
            End::Timeout => boot.limit(Duration::from_secs(15)),
            _ => boot,
        };
        let (mut machine, core) = with_core(lab, &boot)?;
        machine.ends_with(end)?;
        let commands = ["backtrace", "luge where", "luge cpus"];
        let said = Gdb::on_core(lab, &Kernel::Scenarios, &core, &commands)?.end()?;
        has_said(&said, &functions)?;
        has_said(&said, &["cpu 0: runs the dispatcher"])?;
    }
    Ok(())
}

fn a_good_end_leaves_no_core(lab: &Lab) -> Result<()> {
    let disk = lab
        .folder("disk")?
        .copy("empty.wasm", lab.example("empty")?)?
        .disk();
    let boot = Boot::new(Kernel::Product).disk(disk).switch("--batch");
    let (mut machine, core) = with_core(lab, &boot)?;
    machine.ends_with(End::PowerOff)?;
    ensure!(!core.exists(), "there is a core");
    Ok(())
}

/// A control: what gdb reads by the wrong landmarks would look right for long.
fn gdb_says_so_when_the_core_is_of_another_kernel(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Scenarios).append("scenario=panic");
    let (mut machine, core) = with_core(lab, &boot)?;
    machine.ends_with(End::Code(ExitCode::Panic))?;
    let cases = [
        (Kernel::Product, "the machine runs another kernel than "),
        (
            Kernel::File(lab.workshop().loader()?),
            "this is no kernel of Luge's",
        ),
    ];
    for (kernel, words) in cases {
        let said = Gdb::on_core(lab, &kernel, &core, &["luge cpus"])?.end()?;
        has_said(&said, &[words])?;
        ensure!(!said.contains("cpu 0: "), "it reads the core all the same");
    }
    Ok(())
}
