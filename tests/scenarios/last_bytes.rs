//! What happens at the very end of a stack: a guest of native code goes down to any depth that it is told.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use luge_harness::{Lab, Machine};
use serde_json::json;

use crate::catalogue::fault::{self, Code, Fault, Logged, Touched};
use crate::guests::{Engine, Guests, text};

scenarios![
    a_host_call_at_the_last_bytes_of_the_stack_works_or_is_an_overflow,
    the_timer_at_the_last_bytes_of_the_stack_is_an_overflow,
];

/// The smallest stack that a route may ask for, in bytes.
const STACK: u32 = 32 << 10;
/// A level takes at least so many bytes.
const LEVEL: u32 = 16;
/// What a guest does at the depth that it was told.
const CALL_THE_HOST: u32 = 0;
const GO_BACK: u32 = 1;
/// Longer than the timer may be late.
const STAY: u32 = 1_000_000_000;

/// How a descent ended.
#[derive(Clone, Debug)]
enum Descent {
    /// The guest came back.
    Worked,
    /// By an overflow that the kernel found in software.
    Refused,
    /// By an overflow into the guard; the line of the log.
    Faulted(String),
}

fn serve(lab: &Lab, append: &str) -> Result<Machine> {
    let guests = Guests::new(lab, Engine::Wasmtime)?;
    let guests = guests.text_with("descend", text::DESCEND, json!({ "stack-size": STACK }))?;
    lab.serve(&guests.boot(lab)?.append("log_all_ends").append(append))
}

/// Has the guest go down `depth` levels and do something there.
fn descend(machine: &Machine, depth: u32, there: u32) -> Result<Descent> {
    let start = machine.serial.lines().len();
    let input = [depth.to_le_bytes(), there.to_le_bytes()].concat();
    let response = machine.client().post("/descend", &input)?;
    if response.status == 200 {
        return Ok(Descent::Worked);
    }
    response.expect_outcome("trap stack-overflow")?;
    let ended = |line: &str| line.contains("(descend) ended: trap stack-overflow");
    machine.line_from(start, "how it ended", ended)?;
    let mut lines = machine.serial.lines().into_iter().skip(start);
    let fault = lines.find(|line| line.contains("(descend) fault: trap stack-overflow: "));
    Ok(fault.map_or(Descent::Refused, Descent::Faulted))
}

/// The greatest depth from which the guest comes back, if it does nothing there.
fn deepest(machine: &Machine) -> Result<u32> {
    let (mut works, mut fails) = (0, STACK / LEVEL);
    while fails - works > 1 {
        let depth = works.midpoint(fails);
        match descend(machine, depth, GO_BACK)? {
            Descent::Worked => works = depth,
            _ => fails = depth,
        }
    }
    Ok(works)
}

/// Wherever the stack ends, at the kernel's own check, in the engine's code on the way to it, or in the
/// guest's before, it is the guest that has overflowed.
fn a_host_call_at_the_last_bytes_of_the_stack_works_or_is_an_overflow(lab: &Lab) -> Result<()> {
    let machine = serve(lab, "")?;
    let executor = fault::executor(lab)?;
    let deepest = deepest(&machine)?;
    ensure!(deepest > 100, "only {deepest} levels");
    let (mut worked, mut refused, mut faulted) = (0, 0, [0, 0]);
    for depth in (deepest / 4..=deepest + 3).step_by(3) {
        match descend(&machine, depth, CALL_THE_HOST)? {
            Descent::Worked => {
                ensure!(refused == 0, "it works again at depth {depth}");
                worked += 1;
            }
            Descent::Refused => {
                ensure!(faulted == [0, 0], "it is refused again at depth {depth}");
                refused += 1;
            }
            Descent::Faulted(line) => {
                faulted[usize::from(overflowed_in(&line, &executor)? == Code::Kernel)] += 1;
            }
        }
    }
    ensure!(
        worked > 0 && refused > 0 && faulted.iter().all(|count| *count > 0),
        "{worked} worked, {refused} were refused, {faulted:?} faulted in the guest and the engine"
    );
    Ok(())
}

/// With so little left that no interrupt fits, the first one overflows the stack: with the frame that the
/// processor pushes, or with what the interrupt's first instructions save.
fn the_timer_at_the_last_bytes_of_the_stack_is_an_overflow(lab: &Lab) -> Result<()> {
    let machine = serve(lab, "quantum_us=50")?;
    let executor = fault::executor(lab)?;
    let deepest = deepest(&machine)?;
    let (mut by_the_processor, mut by_instructions) = (0, 0);
    for above in 0..12 {
        let Descent::Faulted(line) = descend(&machine, deepest - above, STAY)? else {
            bail!("{above} levels above the deepest there was room for an interrupt");
        };
        match overflowed_in(&line, &executor)? {
            Code::Kernel => by_instructions += 1,
            _ => by_the_processor += 1,
        }
    }
    ensure!(
        by_the_processor > 0 && by_instructions > 0,
        "{by_the_processor} by the processor's push, {by_instructions} by instructions"
    );
    Ok(())
}

/// Checks that this is the line of an overflow into the guard, in the guest's code or in the kernel's, and
/// says which.
fn overflowed_in(line: &str, executor: &Range<u64>) -> Result<Code> {
    let logged = Logged::parse(line)?;
    let expect = |code| {
        let fault = Fault {
            exception: "#PF",
            code,
            touched: Touched::StackGuard,
        };
        logged.expect(&fault, executor, u64::from(STACK))
    };
    if expect(Code::Native).is_ok() {
        return Ok(Code::Native);
    }
    expect(Code::Kernel).with_context(|| line.to_owned())?;
    Ok(Code::Kernel)
}
