//! The kernel's own faults: they stop the machine, say what and where, and leave with a code.
//!
//! `scenario=NAME` on the command line of a kernel built with the feature `scenarios` makes it misbehave
//! while it boots.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, Disk, End, Kernel, Lab, Machine};

use crate::load::{settled_memory, wait_for_memory};

scenarios![
    a_panic_stops_the_kernel_with_a_symbolised_backtrace,
    a_fault_of_the_kernel_stops_it_with_a_symbolised_backtrace,
    a_divide_error_of_the_kernel_stops_it,
    an_overflow_of_the_kernels_own_stack_stops_it,
    a_fault_inside_the_fault_handler_ends_in_last_words,
    a_kernel_that_hangs_is_ended_and_reported,
    a_triple_fault_of_the_kernel_is_told_from_a_power_off,
    a_kernel_with_nothing_to_do_for_tests_powers_off_cleanly,
    a_translation_that_panics_is_one_refused_module_and_not_the_end_of_the_machine,
    a_translation_that_panics_at_boot_is_one_module_left_out_and_the_others_serve,
];

/// Boots a kernel that misbehaves as `name` says, and sees it end.
fn ends(lab: &Lab, name: &str, end: End) -> Result<Machine> {
    let boot = Boot::new(Kernel::Scenarios).append(&format!("scenario={name}"));
    let mut machine = lab.boot(&boot)?;
    machine.ends_with(end)?;
    Ok(machine)
}

/// What the machine said has all of `words`.
fn says(machine: &Machine, words: &[&str]) -> Result<()> {
    let said = machine.serial.text();
    for word in words {
        ensure!(said.contains(word), "the log has no {word:?}");
    }
    Ok(())
}

/// The backtrace leads from one function to another, each with its place in the source.
fn leads_through(machine: &Machine, functions: &[(&str, &str)]) -> Result<()> {
    let report = machine.report.text();
    for (function, file) in functions {
        let found = report
            .lines()
            .any(|line| line.contains(function) && line.contains(&format!("{file}:")));
        ensure!(found, "the backtrace has no {function} in {file}");
    }
    Ok(())
}

fn a_panic_stops_the_kernel_with_a_symbolised_backtrace(lab: &Lab) -> Result<()> {
    let machine = ends(lab, "panic", End::Code(ExitCode::Panic))?;
    says(
        &machine,
        &["kernel panic", "scenario=panic", "rsp=0x", "backtrace: 0x"],
    )?;
    leads_through(
        &machine,
        &[("at_boot", "scenario.rs"), ("kernel_main", "main.rs")],
    )
}

fn a_fault_of_the_kernel_stops_it_with_a_symbolised_backtrace(lab: &Lab) -> Result<()> {
    let machine = ends(lab, "kernel-fault", End::Code(ExitCode::Panic))?;
    says(
        &machine,
        &[
            "kernel panic",
            "#PF",
            "cr2=0x1000000000",
            "rip=0x",
            "rax=0x",
            "backtrace: 0x",
        ],
    )?;
    leads_through(
        &machine,
        &[("kernel_fault", "scenario.rs"), ("kernel_main", "main.rs")],
    )
}

fn a_divide_error_of_the_kernel_stops_it(lab: &Lab) -> Result<()> {
    let machine = ends(lab, "kernel-divide-error", End::Code(ExitCode::Panic))?;
    says(&machine, &["kernel panic", "#DE"])
}

fn an_overflow_of_the_kernels_own_stack_stops_it(lab: &Lab) -> Result<()> {
    let machine = ends(lab, "stack-overflow", End::Code(ExitCode::Panic))?;
    says(&machine, &["kernel panic", "#PF"])
}

fn a_fault_inside_the_fault_handler_ends_in_last_words(lab: &Lab) -> Result<()> {
    let machine = ends(
        lab,
        "fault-in-fault-handler",
        End::Code(ExitCode::LastWords),
    )?;
    says(&machine, &["last words"])
}

fn a_kernel_that_hangs_is_ended_and_reported(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Scenarios).append("scenario=hang");
    let mut machine = lab.boot(&boot.limit(Duration::from_secs(10)))?;
    machine.ends_with(End::Timeout)?;
    leads_through(&machine, &[("hang", "scenario.rs")])
}

fn a_triple_fault_of_the_kernel_is_told_from_a_power_off(lab: &Lab) -> Result<()> {
    ends(lab, "triple-fault", End::TripleFault).map(drop)
}

fn a_kernel_with_nothing_to_do_for_tests_powers_off_cleanly(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Product).append("bench");
    lab.boot(&boot)?.ends_with(End::PowerOff)
}

/// A module whose translation panics, in a kernel that is built to. What works for one sandbox alone takes nothing
/// else with it, and its memory comes back.
fn a_translation_that_panics_is_one_refused_module_and_not_the_end_of_the_machine(
    lab: &Lab,
) -> Result<()> {
    let disk = lab.folder("disk")?.copy("fib.wasm", lab.example("fib")?)?;
    let boot = Boot::new(Kernel::Scenarios)
        .disk(disk.disk())
        .append("admin_token=a-token-of-the-scenarios memory_report=1");
    let machine = lab.serve(&boot)?;
    let deploy = |module: &[u8]| {
        let token = ("authorization", "Bearer a-token-of-the-scenarios");
        let client = machine.client();
        client.put("/admin/functions/fib", &[token], module)
    };
    let odd = wat::parse_str(PANICS)?;
    let panics = || -> Result<()> {
        let answer = deploy(&odd)?;
        answer.expect_status(422)?;
        let said = "/fib: the interpreter failed at translating it";
        ensure!(answer.text().starts_with(said), "{}", answer.text());
        machine.client().get("/fib?n=10")?.expect("55\n")
    };
    panics()?;
    says(&machine, &["panicked at kernel/src/engine/scenario.rs:"])?;
    let before = settled_memory(&machine)?;
    (0..20).try_for_each(|_| panics())?;
    wait_for_memory(&machine, &before)?;
    deploy(&fs::read(lab.example("echo")?)?)?.expect_status(200)?;
    machine.client().post("/fib", b"echoed")?.expect("echoed")
}

/// Its translation panics, in kernels built for scenarios.
const PANICS: &str = r#"(module (import "luge_scenario" "panic_while_made" (func))
    (memory (export "memory") 1) (func (export "_start")))"#;

fn a_translation_that_panics_at_boot_is_one_module_left_out_and_the_others_serve(
    lab: &Lab,
) -> Result<()> {
    let folder = lab
        .folder("disk")?
        .file("odd.wasm", wat::parse_str(PANICS)?)?
        .copy("fib.wasm", lab.example("fib")?)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Scenarios).disk(disk);
    let machine = lab.serve(&boot)?;
    says(
        &machine,
        &[
            "panicked at kernel/src/engine/scenario.rs:",
            "odd.wasm: left out: the interpreter failed at translating it, and the log says where",
            "functions: 1, modules left out: 1",
        ],
    )?;
    let client = machine.client();
    client.get("/readyz")?.expect("ready\n")?;
    client.get("/odd")?.expect_status(404)?;
    client.get("/fib?n=10")?.expect("55\n")?;
    let mut batch = lab.boot(&boot.append("batch"))?;
    batch.ends_with(End::Code(ExitCode::BatchFailed))?;
    says(&batch, &["1 passed, 1 failed"])
}
