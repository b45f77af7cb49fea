//! Guests that misbehave, and a neighbour that finishes with the right answer. Those that are ended by a trap
//! are in the catalogue (`catalogue.rs`); here are the others, and some by the kernel as it is shipped.
use anyhow::{Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab};

use crate::served::{AMPLE_US, beside_a_neighbour, disk_with, machine_with};

/// The deadline of guests that do not.
const SHORT_US: u64 = 300_000;

/// Scenarios of guests that end with an outcome of their own: the kernel, the guest and the outcome.
macro_rules! outcomes {
    ($($rule:ident: $kernel:ident, $guest:literal => $outcome:literal,)*) => {
        $(fn $rule(lab: &Lab) -> Result<()> {
            let machine = machine_with(lab, Kernel::$kernel, $guest, AMPLE_US)?;
            beside_a_neighbour(&machine, concat!("/", $guest))?.expect_outcome($outcome)
        })*
        scenarios![
            $($rule,)*
            an_endless_loop_is_ended_at_its_deadline_and_holds_nobody_up,
            a_guest_that_fills_memory_for_ever_is_ended_at_its_deadline_and_holds_nobody_up,
            every_allocation_of_a_sandbox_may_fail_and_ends_that_sandbox_alone,
            a_guest_that_floods_its_output_is_ended_and_holds_nobody_up,
            a_guest_that_grows_its_memory_is_told_no_at_its_limit,
            a_fault_of_the_kernel_in_a_host_call_stops_the_kernel,
            a_panic_of_the_kernel_in_a_host_call_stops_the_kernel,
            a_fault_in_the_fault_handler_ends_in_last_words,
            no_page_is_both_writable_and_executable,
        ];
    };
}

outcomes! {
    an_exit_code_is_reported: Product, "exit3" => "exit 3",
    a_recursion_without_end_overflows_the_guests_stack: Product, "stack-overflow" => "trap stack-overflow",
    an_unreachable_that_is_reached_is_named: Product, "unreachable" => "trap unreachable",
}

fn an_endless_loop_is_ended_at_its_deadline_and_holds_nobody_up(lab: &Lab) -> Result<()> {
    let machine = machine_with(lab, Kernel::Product, "loop", SHORT_US)?;
    beside_a_neighbour(&machine, "/loop")?.expect_status(504)
}

/// Its time passes in the engine's `memset`, where there is no guest code.
fn a_guest_that_fills_memory_for_ever_is_ended_at_its_deadline_and_holds_nobody_up(
    lab: &Lab,
) -> Result<()> {
    let machine = machine_with(lab, Kernel::Product, "fill-loop", SHORT_US)?;
    beside_a_neighbour(&machine, "/fill-loop")?.expect_status(504)
}

fn every_allocation_of_a_sandbox_may_fail_and_ends_that_sandbox_alone(lab: &Lab) -> Result<()> {
    let disk = disk_with(lab, "exit3", AMPLE_US)?;
    let boot = Boot::new(Kernel::Scenarios)
        .disk(disk)
        .append("scenario=failing-allocations");
    let machine = lab.serve(&boot)?;
    for (function, outcome) in [("exit3", "exit 3"), ("fib", "exit 0"), ("echo", "exit 0")] {
        let line = machine.line("the report of the scenario", |line| {
            line.contains(&format!("failing allocations: {function}:"))
        })?;
        ensure!(line.ends_with(&format!("then {outcome}")), "{line}");
        ensure!(
            !line.contains(": 0 points"),
            "nothing was made to fail: {line}"
        );
    }
    let odd = machine.serial.text().contains(" failed: ");
    ensure!(!odd, "a failure had another end than out of memory");
    Ok(())
}

fn a_guest_that_floods_its_output_is_ended_and_holds_nobody_up(lab: &Lab) -> Result<()> {
    let machine = machine_with(lab, Kernel::Product, "chatty", SHORT_US)?;
    // The response has begun long before it is cut off, so all that can be seen is how it ends.
    let _ = beside_a_neighbour(&machine, "/chatty");
    beside_a_neighbour(&machine, "/fib?n=10")?.expect("55\n")
}

fn a_guest_that_grows_its_memory_is_told_no_at_its_limit(lab: &Lab) -> Result<()> {
    let machine = machine_with(lab, Kernel::Product, "grow", AMPLE_US)?;
    beside_a_neighbour(&machine, "/grow")?.expect_status(200)
}

/// Asks for a guest that makes the kernel itself fault, and sees the machine end.
fn stops_the_kernel(lab: &Lab, guest: &str, code: ExitCode, words: &str) -> Result<()> {
    let mut machine = machine_with(lab, Kernel::Scenarios, guest, AMPLE_US)?;
    let answer = machine.client().get(&format!("/{guest}"));
    ensure!(
        answer.is_err(),
        "a kernel that is broken must not answer: {answer:?}"
    );
    machine.ends_with(End::Code(code))?;
    ensure!(
        machine.serial.text().contains(words),
        "the log has no {words:?}"
    );
    ensure!(
        machine.report.text().contains("kernel/src/"),
        "the backtrace is not symbolised"
    );
    Ok(())
}

fn a_fault_of_the_kernel_in_a_host_call_stops_the_kernel(lab: &Lab) -> Result<()> {
    stops_the_kernel(lab, "kernel-fault", ExitCode::Panic, "kernel panic")
}

fn a_panic_of_the_kernel_in_a_host_call_stops_the_kernel(lab: &Lab) -> Result<()> {
    stops_the_kernel(lab, "kernel-panic", ExitCode::Panic, "kernel panic")
}

fn a_fault_in_the_fault_handler_ends_in_last_words(lab: &Lab) -> Result<()> {
    stops_the_kernel(
        lab,
        "fault-in-fault-handler",
        ExitCode::LastWords,
        "last words",
    )
}

fn no_page_is_both_writable_and_executable(lab: &Lab) -> Result<()> {
    let disk = disk_with(lab, "exit3", AMPLE_US)?;
    let machine = lab.serve(
        &Boot::new(Kernel::Scenarios)
            .disk(disk)
            .append("scenario=audit"),
    )?;
    let audit = machine.line("what the audit of the page tables found", |line| {
        line.contains("Audit {")
    })?;
    ensure!(
        ["both: 0", "writable_elsewhere: 0", "lower_half: 0"]
            .iter()
            .all(|none| audit.contains(none)),
        "{audit}"
    );
    Ok(())
}
