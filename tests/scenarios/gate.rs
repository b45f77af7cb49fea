//! The gate: host calls have a stack of the kernel's own, so that it does not matter how little is left of
//! the sandbox's.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, Disk, End, Kernel, Lab, Machine};
use luge_memory::layout::KERNEL_STACK_BYTES;
use serde_json::Value;

use crate::files::{answer_as_the_table_says, with_folder};
use crate::served::{AMPLE_US, route, spec};

scenarios![
    a_host_call_that_overflows_its_kernel_stack_stops_the_kernel_and_says_so,
    a_backtrace_leads_from_the_kernel_stack_to_the_guest,
    a_backtrace_leads_from_the_kernel_stack_to_native_code,
    a_panic_names_who_ran_what_happened_last_and_every_function,
    whatever_is_left_of_the_stack_all_that_ends_is_the_sandbox,
    whatever_is_left_of_the_stack_all_that_ends_is_the_sandbox_with_native_code,
    nothing_of_one_sandbox_is_left_in_anothers_registers,
    no_host_call_needs_half_of_its_stack,
];

/// A folder of functions: some of the examples, some of the hostile ones.
fn folder(lab: &Lab, examples: &[&str], hostile: &[&str]) -> Result<luge_harness::disk::Folder> {
    let names = examples.iter().chain(hostile);
    let routes: Vec<Value> = names.map(|name| small(route(name, AMPLE_US))).collect();
    let mut folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    for name in examples {
        folder = folder.copy(&format!("{name}.wasm"), lab.example(name)?)?;
    }
    for name in hostile {
        folder = folder.copy(&format!("{name}.wasm"), lab.hostile(name)?)?;
    }
    Ok(folder)
}

/// Memory for a few pages: there are two thousand runs of each.
fn small(mut route: Value) -> Value {
    route["max-memory"] = (1 << 20).into();
    route
}

fn interpreted(lab: &Lab, examples: &[&str], hostile: &[&str]) -> Result<Boot> {
    let disk = lab.plain_image(&folder(lab, examples, hostile)?)?;
    Ok(Boot::new(Kernel::Scenarios).disk(Disk::Image(disk)))
}

fn native(lab: &Lab, examples: &[&str], hostile: &[&str]) -> Result<Boot> {
    let disk = lab.native_image(&folder(lab, examples, hostile)?)?;
    let boot = Boot::new(Kernel::Scenarios).disk(Disk::Image(disk));
    Ok(boot.append("engine=wasmtime"))
}

/// Asks for a guest that brings the kernel down, and hears its last words.
fn brought_down(lab: &Lab, boot: &Boot, guest: &str) -> Result<Machine> {
    let mut machine = lab.serve(boot)?;
    let answer = machine.client().get(&format!("/{guest}"));
    ensure!(
        answer.is_err(),
        "a broken kernel must not answer: {answer:?}"
    );
    machine.ends_with(End::Code(ExitCode::Panic))?;
    Ok(machine)
}

fn a_host_call_that_overflows_its_kernel_stack_stops_the_kernel_and_says_so(
    lab: &Lab,
) -> Result<()> {
    let boot = interpreted(lab, &[], &["kernel-overflow"])?;
    let machine = brought_down(lab, &boot, "kernel-overflow")?;
    for words in [
        "kernel panic: #PF",
        ": the kernel stack of a host call overflowed",
        "part: KernelGuard",
    ] {
        ensure!(machine.serial.text().contains(words), "no {words:?}");
    }
    Ok(())
}

fn a_backtrace_leads_from_the_kernel_stack_to_the_guest(lab: &Lab) -> Result<()> {
    leads_to_the_guest(lab, &interpreted(lab, &[], &["kernel-fault"])?)
}

fn a_backtrace_leads_from_the_kernel_stack_to_native_code(lab: &Lab) -> Result<()> {
    leads_to_the_guest(lab, &native(lab, &[], &["kernel-fault"])?)
}

/// From the fault over the gate's frames and the guest's to the sandbox's first function.
fn leads_to_the_guest(lab: &Lab, boot: &Boot) -> Result<()> {
    let machine = brought_down(lab, boot, "kernel-fault")?;
    let trace: Vec<_> = machine.serial.lines();
    let trace: Vec<_> = trace
        .iter()
        .filter(|line| line.contains("backtrace: "))
        .collect();
    let guest = trace.iter().position(|line| line.contains(" (guest)"));
    let guest = guest.context("no guest code among the callers")?;
    ensure!(0 < guest && guest + 1 < trace.len(), "{trace:#?}");
    let report = machine.report.text();
    for function in ["kernel_fault", "sandbox/gate.rs", "dispatch::first"] {
        ensure!(report.contains(function), "the backtrace has no {function}");
    }
    Ok(())
}

/// A person has no address to look up: each line of the backtrace has a function, the guest's included.
fn a_panic_names_who_ran_what_happened_last_and_every_function(lab: &Lab) -> Result<()> {
    let machine = brought_down(lab, &native(lab, &[], &["kernel-panic"])?, "kernel-panic")?;
    for words in [
        "kernel panic at kernel/src/",
        "running: sandbox 1 (kernel-panic), host calls: 1",
        "trace: ",
        "sandbox 1 dispatch",
    ] {
        ensure!(machine.serial.text().contains(words), "no {words:?}");
    }
    let told = machine.serial.lines();
    let told = told.iter().filter(|line| line.starts_with("backtrace: 0x"));
    let report = machine.report.lines();
    let found: Vec<_> = report
        .iter()
        .filter(|line| line.starts_with("  0xffff"))
        .collect();
    ensure!(found.len() == told.count() && found.len() > 6, "{found:#?}");
    for line in &found {
        let name = line.trim_start().split_once("  ").map(|(_, name)| name);
        ensure!(
            name.is_some_and(|name| !name.contains("in no function")),
            "nameless: {line}"
        );
    }
    let compiled = found
        .iter()
        .any(|line| line.contains("wasm[0]::function[1]+0x"));
    ensure!(compiled, "no function of native code: {found:#?}");
    Ok(())
}

fn whatever_is_left_of_the_stack_all_that_ends_is_the_sandbox(lab: &Lab) -> Result<()> {
    starved(lab, |functions, hostile| {
        interpreted(lab, functions, hostile)
    })
}

fn whatever_is_left_of_the_stack_all_that_ends_is_the_sandbox_with_native_code(
    lab: &Lab,
) -> Result<()> {
    starved(lab, |functions, hostile| native(lab, functions, hostile))
}

/// The scenario runs each of these in stacks of all sizes: see `kernel/src/scenario/starved.rs`.
fn starved(lab: &Lab, boot: impl FnOnce(&[&str], &[&str]) -> Result<Boot>) -> Result<()> {
    let guests = [
        ("empty", "exit 0"),
        ("echo", "exit 0"),
        ("exit3", "exit 3"),
        ("grow", "exit 0"),
        ("unreachable", "trap unreachable"),
        ("memory-out-of-bounds", "trap memory-out-of-bounds"),
        ("out-of-memory", "trap out-of-memory"),
        ("reenter", "trap stack-overflow"),
    ];
    let names = guests.map(|(name, _)| name);
    let boot = boot(&names[..2], &names[2..])?
        .append("scenario=starved log=error,scenario=info,main=info")
        .limit(Duration::from_secs(300));
    let machine = lab.serve(&boot)?;
    for (name, outcome) in guests {
        let line = machine.line("the report of the scenario", |line| {
            line.contains(&format!("starved: {name}: "))
        })?;
        ensure!(line.ends_with(&format!("then {outcome}")), "{line}");
        // What never ends by itself has never enough.
        let endless = outcome == "trap stack-overflow";
        ensure!(line.contains(": 0 of ") == endless, "{line}");
    }
    let said = machine.serial.text();
    ensure!(!said.contains("error:"), "something else happened");
    Ok(())
}

/// At the first instruction, after every kind of end, and after a host call that waited.
fn nothing_of_one_sandbox_is_left_in_anothers_registers(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Scenarios).append("scenario=registers");
    let machine = lab.serve(&boot)?;
    machine.line("the report of the scenario", |line| {
        line.contains("registers: all looked at")
    })?;
    let found = |line: &String| line.contains("scenario::registers] error:");
    let found: Vec<_> = machine.serial.lines().into_iter().filter(found).collect();
    ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}

/// Those that read the disk go deepest.
fn no_host_call_needs_half_of_its_stack(lab: &Lab) -> Result<()> {
    let machine = lab.serve(&Boot::new(Kernel::Scenarios).disk(with_folder(lab)?.disk()))?;
    answer_as_the_table_says(lab, &machine)?;
    let lines = machine.serial.lines();
    let used = |line: &String| {
        let (_, rest) = line.split_once("host calls: ")?;
        let (bytes, _) = rest.split_once(" bytes of a kernel stack")?;
        bytes.parse::<u64>().ok()
    };
    let used = lines.iter().filter_map(used).max();
    let used = used.context("no host call was seen")?;
    ensure!(used < KERNEL_STACK_BYTES / 2, "{used} bytes were used");
    Ok(())
}
