//! Exceptions of the processor where no sandbox can be ended for them: the kernel says its last words.
//!
//! The other half, the same exceptions in guest code, is in the catalogue.

use anyhow::{Context, Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab, Machine};

use crate::guests::{Engine, Guests, text};

scenarios![
    every_exception_in_a_host_call_stops_the_kernel,
    every_exception_outside_of_sandboxes_stops_the_kernel,
    an_exception_that_no_guest_raises_stops_the_kernel_even_from_guest_code,
];

/// What ring 0 can raise: all that can end a sandbox but #AC.
const RAISED: [(u8, &str); 8] = [
    (0, "#DE"),
    (6, "#UD"),
    (7, "#NM"),
    (12, "#SS"),
    (13, "#GP"),
    (14, "#PF"),
    (16, "#MF"),
    (19, "#XM"),
];

/// The machine panics, and says why and by what exception.
fn panics(mut machine: Machine, exception: &str, why: &str) -> Result<()> {
    machine.ends_with(End::Code(ExitCode::Panic))?;
    let said = machine.serial.text();
    for words in [exception, why, "kernel panic"] {
        ensure!(said.contains(words), "the log has no {words:?}");
    }
    Ok(())
}

/// Boots a machine with one guest, which calls `import` with `number`, and asks for it.
fn ask(lab: &Lab, engine: Engine, import: &str, number: u8) -> Result<Machine> {
    let fields = text::calling(import, &format!("(i32.const {number})"));
    let machine = Guests::new(lab, engine)?
        .text("raise", &fields)?
        .serve(lab)?;
    let answer = machine.client().get("/raise");
    ensure!(answer.is_err(), "the kernel went on: {answer:?}");
    Ok(machine)
}

/// The instruction is where guest code is, so that what makes the difference is the host call.
fn every_exception_in_a_host_call_stops_the_kernel(lab: &Lab) -> Result<()> {
    let engines = [Engine::Wasmi, Engine::Wasmtime];
    for ((number, exception), engine) in RAISED.into_iter().zip(engines.into_iter().cycle()) {
        ask(lab, engine, "raise_in_host_call", number)
            .and_then(|machine| panics(machine, exception, "in a host call"))
            .context(exception)?;
    }
    Ok(())
}

fn every_exception_outside_of_sandboxes_stops_the_kernel(lab: &Lab) -> Result<()> {
    for (number, exception) in RAISED {
        let boot = Boot::new(Kernel::Scenarios).append(&format!("scenario=raise-{number}"));
        panics(lab.boot(&boot)?, exception, "no sandbox was running").context(exception)?;
    }
    Ok(())
}

fn an_exception_that_no_guest_raises_stops_the_kernel_even_from_guest_code(
    lab: &Lab,
) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let machine = ask(lab, engine, "raise", 3)?;
        panics(machine, "#BP", "no exception of guest code")?;
    }
    Ok(())
}
