//! Debugging with gdb: what `tests/gdb/luge.py` says of a machine that has stopped.

use std::thread;

use anyhow::{Context, Result, ensure};
use luge_harness::disk::Folder;
use luge_harness::{Boot, Disk, Gdb, Kernel, Lab, Machine, ports};

use crate::served::{AMPLE_US, route, spec, wait_until};

scenarios![
    gdb_stops_at_the_first_instruction_and_finds_kernel_main,
    gdb_says_what_runs_waits_and_faults_and_where,
    gdb_stops_where_the_interpreter_finds_a_trap,
    gdb_says_so_when_there_is_nothing_to_see_yet,
];

/// A machine that waits for gdb, and the port on which it does.
pub fn waiting(lab: &Lab, boot: Boot) -> Result<(Machine, u16)> {
    let port = ports::free()?;
    let boot = boot.switch("--gdb").switch("--gdb-port");
    let machine = lab.boot(&boot.switch(&port.to_string()))?;
    machine
        .report
        .wait_for(|line| line.contains("gdb"))
        .context("no invitation to start gdb")?;
    Ok((machine, port))
}

/// Sends a request to which nobody needs the answer.
pub fn ask(machine: &Machine, path: &str) {
    let (client, path) = (machine.client(), path.to_owned());
    thread::spawn(move || client.get(&path));
}

/// gdb has said all of `words`.
pub fn has_said(said: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(said.contains(word), "gdb has not said {word:?}:\n{said}");
    }
    Ok(())
}

/// What gdb said between the marks `one` and `other`, which it was told to print.
fn between<'s>(said: &'s str, one: &str, other: &str) -> Result<&'s str> {
    let mark = |name: &str| format!("-- {name}\n");
    let (_, rest) = said.split_once(&mark(one)).context("the first mark")?;
    let (part, _) = rest.split_once(&mark(other)).context("the second mark")?;
    Ok(part)
}

fn gdb_stops_at_the_first_instruction_and_finds_kernel_main(lab: &Lab) -> Result<()> {
    let (_machine, port) = waiting(lab, Boot::new(Kernel::Product))?;
    let commands = [
        "printf \"first is %#x\\n\", $pc",
        "break pvh_entry",
        "break kernel_main",
        "continue",
        "continue",
        "backtrace",
    ];
    let said = Gdb::attach(lab, &Kernel::Product, port, &commands)?.end()?;
    let words = [
        // The reset vector, 16 bytes below 4 GiB, of which gdb shows the offset in the segment.
        "first is 0xfff0",
        "Breakpoint 1, ",
        "in pvh_entry ()",
        ", kernel_main (",
        "kernel/src/main.rs:",
        "#1 ",
        "__impl_start",
    ];
    has_said(&said, &words)
}

/// A disk with native code of some examples and some hostile guests.
fn native_disk(lab: &Lab, examples: &[&str], hostile: &[&str]) -> Result<Boot> {
    let image = lab.native_image(&folder(lab, examples, hostile)?)?;
    Ok(Boot::new(Kernel::Product).disk(Disk::Image(image)))
}

fn folder(lab: &Lab, examples: &[&str], hostile: &[&str]) -> Result<Folder> {
    let names = examples.iter().chain(hostile);
    let routes: Vec<_> = names.map(|name| route(name, AMPLE_US)).collect();
    let mut folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    for name in examples {
        folder = folder.copy(&format!("{name}.wasm"), lab.example(name)?)?;
    }
    for name in hostile {
        folder = folder.copy(&format!("{name}.wasm"), lab.hostile(name)?)?;
    }
    Ok(folder)
}

/// Three sandboxes: one sleeps, one loops for ever and was preempted, one overflows its stack.
#[rustfmt::skip]
const LOOK_AROUND: [&str; 38] = [
    "luge break start loop", "continue", "delete",
    "luge break fault stack-overflow", "continue", "delete",
    "echo -- sandboxes\\n", "luge sandboxes",
    "echo -- sleeping\\n", "luge sandbox 1",
    "echo -- preempted\\n", "luge sandbox 2",
    "echo -- faulting\\n", "luge sandbox",
    "echo -- cpus\\n", "luge cpus",
    "echo -- queue\\n", "luge queue",
    "echo -- trace\\n", "luge trace 4",
    "echo -- symbols\\n", "luge symbols",
    "echo -- backtrace\\n", "backtrace 6", "backtrace -4",
    "echo -- guard\\n", "luge pt $cr2",
    "echo -- mapped\\n", "luge pt $rsp",
    "echo -- code\\n", "frame 3", "luge pt $rip",
    "echo -- next\\n", "luge break fault", "continue",
    "echo -- faults\\n", "luge faults",
    "echo -- end\\n",
];

fn gdb_says_what_runs_waits_and_faults_and_where(lab: &Lab) -> Result<()> {
    let hostile = ["loop", "stack-overflow", "integer-divide-by-zero"];
    let boot = native_disk(lab, &["sleep"], &hostile)?.append("engine=wasmtime");
    let (machine, port) = waiting(lab, boot)?;
    let gdb = Gdb::attach(lab, &Kernel::Product, port, &LOOK_AROUND)?;
    machine.ready()?;
    ask(&machine, "/sleep?ms=500000");
    let client = machine.client();
    wait_until(|| Ok(client.get("/trace")?.text().contains("block")))?;
    ask(&machine, "/loop");
    gdb.says("sandbox 2 (loop) starts")?;
    ask(&machine, "/stack-overflow");
    gdb.says("-- next")?;
    ask(&machine, "/integer-divide-by-zero");
    let said = gdb.end()?;
    check_sandboxes(&said)?;
    check_schedule(&said)?;
    check_pages(&said)?;
    check_faults(&said)
}

fn check_sandboxes(said: &str) -> Result<()> {
    let sandboxes = between(said, "sandboxes", "sleeping")?;
    let row = |words: [&str; 3]| {
        let mut rows = sandboxes.lines();
        ensure!(
            rows.any(|row| words.iter().all(|word| row.contains(word))),
            "no row with {words:?}:\n{sandboxes}"
        );
        Ok(())
    };
    row(["sleep", "blocked until", "in a host call"])?;
    row(["loop", "queued", "524288"])?;
    row(["stack-overflow", "running", "524288"])?;
    has_said(sandboxes, &["3 alive"])?;
    // From the host call on the kernel's stack, through the gate and native code, to the sandbox's first function.
    let sleeping = [
        "sandbox 1 (sleep): blocked until",
        "linear memory: ",
        "backtrace:",
        "arch::switch::call_on",
        "wasm_to_array_trampoline",
        "wasm[0]::function[",
        "first at kernel/src/sandbox/dispatch.rs:",
    ];
    in_order(between(said, "sleeping", "preempted")?, &sleeping)?;
    // What was interrupted has no frame that a return address leads to.
    let preempted = [
        "sandbox 2 (loop): queued",
        "preempted ",
        "arch::interrupts::save_and_call",
        "wasm[0]::function[0]",
        "array_to_wasm_trampoline",
        "first at kernel/src/sandbox/dispatch.rs:",
    ];
    in_order(between(said, "preempted", "faulting")?, &preempted)?;
    let faulting = [
        "sandbox 3 (stack-overflow): running",
        "stack: 524288 bytes in use, never more than 524288, of 524288",
        "arch::traps::save_and_judge",
        "wasm[0]::function[0]::deeper",
        " frames more ",
        "wasm[0]::function[0]::deeper",
        "first at kernel/src/sandbox/dispatch.rs:",
    ];
    in_order(between(said, "faulting", "cpus")?, &faulting)
}

/// `text` has all of `words`, one behind the other.
pub fn in_order(text: &str, words: &[&str]) -> Result<()> {
    let mut rest = text;
    for word in words {
        let found = rest.split_once(word);
        (_, rest) = found.with_context(|| format!("no {word:?} where it belongs:\n{text}"))?;
    }
    Ok(())
}

fn check_schedule(said: &str) -> Result<()> {
    let cpus = between(said, "cpus", "queue")?;
    has_said(cpus, &["cpu 0: runs sandbox 3 (stack-overflow)"])?;
    let queue = between(said, "queue", "trace")?;
    has_said(
        queue,
        &["policy edf: 1 wait", "1. sandbox 2 (loop): group "],
    )?;
    let trace = ["sandbox 2", "preempt", "sandbox 3", "dispatch", "4 of "];
    in_order(between(said, "trace", "symbols")?, &trace)
}

fn check_pages(said: &str) -> Result<()> {
    let guard = [
        "root ",
        "not present",
        " is not mapped",
        "it belongs to sandbox 3 (stack-overflow)",
        "guard: yes, the guard of its stack",
    ];
    in_order(between(said, "guard", "mapped")?, &guard)?;
    let mapped = [
        "no-execute",
        " is mapped: data that is written",
        "guard: no",
    ];
    in_order(between(said, "mapped", "code")?, &mapped)?;
    let code = ["deeper", " is mapped: code;", "native code", "guard: no"];
    in_order(between(said, "code", "next")?, &code)
}

fn check_faults(said: &str) -> Result<()> {
    let first = [
        "sandbox 3 (stack-overflow) faults: #PF at rip=0x",
        "in wasm[0]::function[0]::deeper+0x",
        "it touched sandbox 3 (stack-overflow): the guard of its stack",
        "524288 bytes of its stack are in use",
    ];
    in_order(said, &first)?;
    let symbols = between(said, "symbols", "backtrace")?;
    has_said(
        symbols,
        &["1 with names of their own", "modules of native code"],
    )?;
    // gdb's own backtrace, through what the exception pushed.
    let backtrace = [
        "on_fault",
        "save_and_judge",
        "wasm[0]::function[0]::deeper ()",
        "first_entry",
    ];
    in_order(between(said, "backtrace", "guard")?, &backtrace)?;
    let next = [
        "sandbox 4 (integer-divide-by-zero) faults: #DE at rip=0x",
        "in wasm[0]::function[0]+0x",
    ];
    in_order(between(said, "next", "faults")?, &next)?;
    // The second is not over yet.
    let faults = [
        "sandbox 3 (stack-overflow): trap stack-overflow: #PF at rip=0x",
        "524288 bytes of stack used",
        "1 of 1 since boot",
    ];
    in_order(between(said, "faults", "end")?, &faults)
}

fn gdb_stops_where_the_interpreter_finds_a_trap(lab: &Lab) -> Result<()> {
    let disk = folder(lab, &["sleep"], &["unreachable", "loop"])?.disk();
    let (machine, port) = waiting(lab, Boot::new(Kernel::Product).disk(disk))?;
    let commands = [
        "luge break start loop",
        "luge break fault",
        "continue",
        "continue",
        "luge sandbox 1",
        "luge sandbox 2",
        "luge break start sleep",
        "continue",
        "luge faults",
        "luge symbols",
    ];
    let gdb = Gdb::attach(lab, &Kernel::Product, port, &commands)?;
    machine.ready()?;
    ask(&machine, "/loop");
    gdb.says("sandbox 1 (loop) starts")?;
    ask(&machine, "/unreachable");
    gdb.says("sandbox 2 (unreachable) traps: unreachable")?;
    ask(&machine, "/sleep?ms=1");
    let words = [
        "its engine found that in software",
        "sandbox 1 (loop): queued",
        "large object (the interpreter's linear memory is one): 65536 bytes",
        "arch::interrupts::save_and_call",
        "(the interpreter, for a guest)",
        "sandbox 2 (unreachable): running",
        "sandbox 3 (sleep) starts",
        "sandbox 2 (unreachable): trap unreachable: found by its engine, in software",
        "0 modules of native code",
    ];
    in_order(&gdb.end()?, &words)
}

fn gdb_says_so_when_there_is_nothing_to_see_yet(lab: &Lab) -> Result<()> {
    let (_machine, port) = waiting(lab, Boot::new(Kernel::Product))?;
    let commands = [
        "luge sandboxes",
        "luge nonsense",
        "luge sandbox one",
        "luge break",
        "luge pt",
        "help luge",
    ];
    let words = [
        "the kernel has not come up yet",
        "there is no luge nonsense; help luge lists what there is",
        "'one' is not the number of a sandbox",
        "luge break start [ROUTE], or luge break fault [ROUTE]",
        "for instance: luge pt $rsp",
        "luge faults",
    ];
    has_said(
        &Gdb::attach(lab, &Kernel::Product, port, &commands)?.end()?,
        &words,
    )
}
