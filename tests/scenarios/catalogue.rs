//! The fault catalogue: every way in which a guest can be ended by force, in both engines.
//!
//! [`table`] says of each case how it ends and what the processor had to do with it; [`fault`] checks what
//! the log says of that. A case runs while a neighbour is in the middle of a computation, whose result must
//! be right, and afterwards memory must be what it was: all cases run once, so that pools are filled, and
//! then again.

pub mod fault;
pub mod machine;
mod table;

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_trap::Trap;
use serde_json::json;

use crate::guests::{Engine, Guests, text};
use machine::Catalogue;
pub use table::{Case, named};

scenarios![
    every_case_of_the_catalogue_ends_as_it_says_in_the_interpreter,
    every_case_of_the_catalogue_ends_as_it_says_as_native_code,
    every_name_of_a_trap_is_in_the_catalogue,
    two_faults_back_to_back_end_two_sandboxes,
    a_hundred_thousand_faults_leave_nothing_behind,
];

fn every_case_of_the_catalogue_ends_as_it_says_in_the_interpreter(lab: &Lab) -> Result<()> {
    twice(lab, Engine::Wasmi)
}

fn every_case_of_the_catalogue_ends_as_it_says_as_native_code(lab: &Lab) -> Result<()> {
    twice(lab, Engine::Wasmtime)
}

fn twice(lab: &Lab, engine: Engine) -> Result<()> {
    let cases: Vec<&Case> = table::CASES
        .iter()
        .filter(|case| case.expected(engine).is_some())
        .collect();
    let catalogue = Catalogue::serve(lab, engine, &cases, "quantum_us=50")?;
    for case in &cases {
        catalogue.check(case).with_context(|| case.name)?;
    }
    let level = catalogue.memory()?;
    for case in &cases {
        let again = || format!("{}, the second time", case.name);
        catalogue.check(case).with_context(again)?;
        catalogue.memory_is(&level).with_context(again)?;
    }
    Ok(())
}

/// Traps of guests that throw, which the interpreter does not run.
const OF_NATIVE_CODE: [Trap; 2] = [Trap::UncaughtException, Trap::NullReference];

fn every_name_of_a_trap_is_in_the_catalogue(_: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let has = |trap: &Trap| engine == Engine::Wasmtime || !OF_NATIVE_CODE.contains(trap);
        for trap in Trap::ALL.into_iter().filter(has) {
            let has_trap = |case: &Case| case.expected(engine).is_some_and(|end| end.trap == trap);
            ensure!(
                table::CASES.iter().any(has_trap),
                "no case of {engine:?} ends with {trap}"
            );
        }
    }
    Ok(())
}

/// Both wait for the CPU while a neighbour has it, and then fault one after the other.
fn two_faults_back_to_back_end_two_sandboxes(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let cases = ["fill-stack", "divide"].map(named);
        let catalogue = Catalogue::serve(lab, engine, &cases, "")?;
        let start = catalogue.machine.serial.lines().len();
        let neighbour = catalogue.begin_a_computation()?;
        let [first, second] = cases.map(|case| {
            let client = catalogue.machine.client();
            thread::spawn(move || client.get(&format!("/{}", case.name)))
        });
        for (asked, case) in [first, second].into_iter().zip(cases) {
            let response = asked.join().ok().context("a client's thread")??;
            let end = case.expected(engine).context("it is for both engines")?;
            response.expect_outcome(&format!("trap {}", end.trap))?;
        }
        neighbour.finish()?;
        // The log may come later than the answers.
        let both_ended = |lines: &[String]| {
            let lines = lines[start..].iter();
            lines.filter(|line| line.contains(" ended: trap ")).count() == 2
        };
        ensure!(
            catalogue.machine.serial.wait_until(both_ended),
            "the machine has ended"
        );
        let lines = catalogue.machine.serial.lines();
        let faults = lines[start..]
            .iter()
            .filter(|line| line.contains(" fault: "));
        ensure!(faults.count() == 2, "{engine:?}: not one fault each");
    }
    Ok(())
}

/// Cases of all the exceptions there are, by compiled code and by stand-ins.
const MIXED: [&str; 14] = [
    "stack-overflow",
    "integer-divide-by-zero",
    "integer-overflow",
    "memory-out-of-bounds",
    "indirect-call-to-null",
    "bad-signature",
    "unreachable",
    "fill-stack",
    "wild-write",
    "raise-7",
    "raise-12",
    "raise-13",
    "raise-16",
    "raise-19",
];

/// No frame, byte of the heap, slot of virtual memory is lost, each ends as it did first, and a guest that
/// looks for what others left finds nothing.
fn a_hundred_thousand_faults_leave_nothing_behind(lab: &Lab) -> Result<()> {
    let mut guests = Guests::none(lab, Engine::Wasmtime)?.text("traces", text::DATA_TRACES)?;
    for case in MIXED.map(named) {
        guests = case.add_to(guests, lab, json!({ "stack-size": 64 << 10 }))?;
    }
    let boot = guests
        .boot(lab)?
        .append("scenario=many-faults log=error,scenario=info,main=info");
    let machine = lab.serve(&boot.limit(Duration::from_secs(1_800)))?;
    let said = machine.serial.text();
    ensure!(!said.contains("error:"), "something else was reported");
    let count = |name: &str| -> Result<u64> {
        let (_, rest) = said
            .split_once(&format!("many faults: {name} "))
            .with_context(|| format!("no count of {name}"))?;
        let number = rest.split_whitespace().next().context("a count")?;
        Ok(number.parse()?)
    };
    for exception in ["#DE", "#UD", "#NM", "#SS", "#GP", "#PF", "#MF", "#XM"] {
        ensure!(count(exception)? > 1000, "too few {exception}");
    }
    let total = said.lines().find_map(|line| {
        let (_, rest) = line.split_once("many faults: ")?;
        rest.split_once(" in ")?.0.parse().ok()
    });
    let total: u64 = total.context("the report of the scenario")?;
    ensure!(total >= 100_000, "only {total} faults");
    machine.client().get("/traces")?.expect("")
}
