//! A program that uses up its stack in linear memory is told so, with what to do.

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Kernel, Lab};
use serde_json::{Value, json};

use crate::served::{extend, route, spec};

scenarios![
    a_deep_program_in_the_interpreter_is_told_that_its_stack_ran_out,
    a_deep_program_in_native_code_is_told_that_its_stack_ran_out,
];

const AMPLE_US: u64 = 60_000_000;
const DEEP: &str = "deep-recursion";
/// It leaves its memory in another way.
const OTHER: &str = "memory-out-of-bounds";
/// What is advised, and what all sentences have in common.
const ADVICE: &str = ": link with -Wl,-z,stack-size=1048576";
const ABOUT: &str = "the stack in linear memory (at most ";

fn a_deep_program_in_the_interpreter_is_told_that_its_stack_ran_out(lab: &Lab) -> Result<()> {
    is_told(lab, "wasmi", "ran out")
}

/// The address alone does not prove it.
fn a_deep_program_in_native_code_is_told_that_its_stack_ran_out(lab: &Lab) -> Result<()> {
    is_told(lab, "wasmtime", "has probably run out")
}

fn is_told(lab: &Lab, engine: &str, how: &str) -> Result<()> {
    let mut tenants: Value = {
        let routes = [route(DEEP, AMPLE_US), route(OTHER, AMPLE_US)];
        serde_json::from_str(&spec(&routes))?
    };
    extend(&mut tenants[0], &json!({ "fault-reports": true }));
    let folder = lab
        .folder("disk")?
        .file("functions.json", tenants.to_string())?;
    let folder = folder.copy(&format!("{DEEP}.wasm"), lab.hostile(DEEP)?)?;
    let folder = folder.copy(&format!("{OTHER}.wasm"), lab.hostile(OTHER)?)?;
    let disk = match engine {
        "wasmi" => folder.disk(),
        _ => Disk::Image(lab.native_image(&folder)?),
    };
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.append(&format!("engine={engine}")))?;
    let client = machine.client();
    client.get(&format!("/{DEEP}?levels=20"))?.expect("20\n")?;

    let response = client.get(&format!("/{OTHER}"))?;
    response.expect_outcome("trap memory-out-of-bounds")?;
    ensure!(!response.text().contains(ABOUT), "{}", response.text());

    let response = client.get(&format!("/{DEEP}"))?;
    response.expect_outcome("trap memory-out-of-bounds")?;
    let is_said = |text: &str| text.contains(ABOUT) && text.ends_with(&format!("{how}{ADVICE}"));
    let body = response.text();
    ensure!(body.lines().any(is_said), "the answer: {body}");
    machine.line("that the stack ran out", is_said)?;

    let faults: Value = serde_json::from_slice(&client.get("/faults.json")?.body)?;
    let faults = faults.as_array().context("a list of faults")?;
    let said = |route: &str| {
        let fault = faults.iter().find(|fault| fault["route"] == route);
        fault.map(|fault| fault["advice"].clone())
    };
    let deep = said(&format!("/{DEEP}")).context("the fault")?;
    ensure!(deep.as_str().is_some_and(is_said), "{deep}");
    let other = said(&format!("/{OTHER}")).context("the other fault")?;
    ensure!(other.is_null(), "{other}");
    Ok(())
}
