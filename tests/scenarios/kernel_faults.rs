//! The kernel's own faults: they stop the machine, say what and where, and leave with a code.
//!
//! `scenario=NAME` on the command line of a kernel built with the feature `scenarios` makes it misbehave
//! while it boots.

use std::time::Duration;

use anyhow::{Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab, Machine};

scenarios![
    a_panic_stops_the_kernel_with_a_symbolised_backtrace,
    a_fault_of_the_kernel_stops_it_with_a_symbolised_backtrace,
    a_divide_error_of_the_kernel_stops_it,
    an_overflow_of_the_kernels_own_stack_stops_it,
    a_fault_inside_the_fault_handler_ends_in_last_words,
    a_kernel_that_hangs_is_ended_and_reported,
    a_triple_fault_of_the_kernel_is_told_from_a_power_off,
    a_kernel_with_nothing_to_do_for_tests_powers_off_cleanly,
];

/// Boots a kernel that misbehaves as `name` says, and sees it end.
fn ends(lab: &Lab, name: &str, end: End) -> Result<Machine> {
    let boot = Boot::new(Kernel::Scenarios).append(&format!("scenario={name}"));
    let mut machine = lab.boot(&boot.limit(Duration::from_secs(20)))?;
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
    let mut machine = lab.boot(&boot.limit(Duration::from_secs(5)))?;
    machine.ends_with(End::Timeout)?;
    leads_through(&machine, &[("hang", "scenario.rs")])
}

fn a_triple_fault_of_the_kernel_is_told_from_a_power_off(lab: &Lab) -> Result<()> {
    ends(lab, "triple-fault", End::TripleFault).map(drop)
}

fn a_kernel_with_nothing_to_do_for_tests_powers_off_cleanly(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Product)
        .append("bench")
        .limit(Duration::from_secs(60));
    lab.boot(&boot)?.ends_with(End::PowerOff)
}
