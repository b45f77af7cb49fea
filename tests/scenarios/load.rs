//! Load: what one request leaves behind, the next two thousand show.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::http::Client;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine, process};
use luge_metrics::reader::read;

use crate::served::{AMPLE_US, clients, route, spec, wait_until};

scenarios![
    two_thousand_mixed_requests_leave_nothing_behind,
    nothing_of_one_request_is_readable_by_the_next,
    a_quantum_of_50_us_beside_an_endless_loop_changes_no_answer,
    an_idle_machine_leaves_the_hosts_processor_alone,
];

const REQUESTS: u64 = 2_000;
/// The deadline of the loop that must be there to the end.
const ENDLESS_US: u64 = 6 * AMPLE_US;
const CONCURRENCY: u64 = 16;

/// What is asked for, and what must come: a body, or an outcome. Every fifth is hostile.
type Case = (&'static str, &'static [u8], Expected);

#[derive(Clone, Copy)]
enum Expected {
    Body(&'static [u8]),
    Outcome(&'static str),
}

const GOOD: [Case; 4] = [
    ("/fib?n=12", b"", Expected::Body(b"144\n")),
    (
        "/echo",
        b"the same again",
        Expected::Body(b"the same again"),
    ),
    ("/empty", b"", Expected::Body(b"")),
    ("/fib?n=18", b"", Expected::Body(b"2584\n")),
];
const HOSTILE: [Case; 6] = [
    ("/unreachable", b"", Expected::Outcome("trap unreachable")),
    (
        "/divide",
        b"",
        Expected::Outcome("trap integer-divide-by-zero"),
    ),
    (
        "/reenter-into-guard",
        b"",
        Expected::Outcome("trap stack-overflow"),
    ),
    (
        "/wild-write",
        b"",
        Expected::Outcome("trap memory-out-of-bounds"),
    ),
    (
        "/out-of-memory",
        b"",
        Expected::Outcome("trap out-of-memory"),
    ),
    ("/exit3", b"", Expected::Outcome("exit 3")),
];

/// The request with this number; the fifth of each five is hostile, each kind in its turn.
fn case(number: u64) -> Case {
    let pick = |cases: &[Case], turn: u64| {
        cases[usize::try_from(turn).expect("it is small") % cases.len()]
    };
    match number % 5 {
        4 => pick(&HOSTILE, number / 5),
        place => pick(&GOOD, place),
    }
}

fn ask(client: &Client, number: u64) -> Result<()> {
    let (path, body, expected) = case(number);
    let response = client.post(path, body)?;
    let checked = match expected {
        Expected::Body(body) => response.expect(body),
        Expected::Outcome(outcome) => response.expect_outcome(outcome),
    };
    checked.with_context(|| format!("request {number}, {path}"))
}

/// Sends the requests with these numbers, `CONCURRENCY` at a time, each client on a connection of its own.
fn send(machine: &Machine, from: u64, to: u64) -> Result<()> {
    let next = AtomicU64::new(from);
    let run = |client: Client| -> Result<()> {
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= to {
                return Ok(());
            }
            ask(&client, number)?;
        }
    };
    let connected = clients(machine, CONCURRENCY)?;
    thread::scope(|scope| {
        let clients: Vec<_> = connected
            .into_iter()
            .map(|client| scope.spawn(|| run(client)))
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().ok().context("a client's thread")?)
    })
}

/// What the kernel has: free frames, bytes of its heap in use, and tickets that are out.
pub type Memory = (u64, u64, u64);

/// Slots of arenas that are in use at once: 16 sandboxes, and as many arenas as are parked at most.
const SLOTS: u64 = 16 + 64;
/// Page tables that stay with a slot: of its heap and of two large objects, a directory and a table each; and
/// as many again for stacks and for the tables above.
const TABLES: u64 = SLOTS * 12;

/// Waits until the kernel reports that `sandboxes` have ended.
pub fn wait_for_the_end_of(machine: &Machine, sandboxes: u64) -> Result<()> {
    let ended = format!("load: sandboxes={sandboxes} ");
    let what = format!("that {sandboxes} sandboxes have ended");
    machine.line(&what, |line| line.contains(&ended)).map(drop)
}

/// What begins a report of the kernel's on its memory.
pub const REPORT: &str = "memory: frames_free=";

/// What a report says.
fn memory(report: &str) -> Result<Memory> {
    Ok((
        number(report, "frames_free=")?,
        number(report, "heap_bytes=")?,
        number(report, "tickets=")?,
    ))
}

/// Waits until every connection is closed. Nobody else may have one open.
pub fn settle(machine: &Machine) -> Result<()> {
    let client = machine.client();
    // This one asks.
    wait_until(|| {
        let text = client.get("/metrics")?.text();
        let scrape = read(&text).map_err(|wrong| anyhow!("{wrong:?}"))?;
        Ok(scrape.sum("luge_connections", &[]) == 1.0)
    })
    .context("connections are open")?;
    drop(client);
    machine.comes_to(REPORT, |line| line.contains(" connections=0"))
}

/// What the kernel reports of its memory when every connection is closed: each holds some.
pub fn settled_memory(machine: &Machine) -> Result<Memory> {
    settle(machine)?;
    memory(&last_report(machine)?)
}

/// Waits until the kernel has as much memory as `before`: what connections hold goes when they are closed.
pub fn wait_for_memory(machine: &Machine, before: &Memory) -> Result<()> {
    let is_as_before = |report: &str| memory(report).is_ok_and(|now| now == *before);
    machine
        .comes_to(REPORT, is_as_before)
        .with_context(|| format!("free frames, heap bytes, tickets: {before:?} before"))
}

fn last_report(machine: &Machine) -> Result<String> {
    let lines = machine.serial.lines();
    let mut newest = lines.iter().rev();
    let last = newest.find(|line| line.contains(REPORT));
    last.cloned()
        .context("the kernel did not report its memory")
}

/// How far the kernel's heap is mapped, in bytes, by its last report.
pub fn heap_mapped(machine: &Machine) -> Result<u64> {
    number(&last_report(machine)?, "heap_mapped=")
}

/// The number behind `key` in a line.
fn number(line: &str, key: &str) -> Result<u64> {
    let (_, rest) = line
        .split_once(key)
        .with_context(|| format!("no {key} in {line}"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("{key} in {line}"))
}

fn two_thousand_mixed_requests_leave_nothing_behind(lab: &Lab) -> Result<()> {
    let machine = serve_everything(lab, "")?;
    send(&machine, 0, 100)?;
    wait_for_the_end_of(&machine, 100)?;
    let before = settled_memory(&machine)?;
    send(&machine, 100, 100 + REQUESTS)?;
    wait_for_the_end_of(&machine, 100 + REQUESTS)?;
    let tables = number(&last_report(&machine)?, " tables=")?;
    ensure!(
        tables <= TABLES,
        "{tables} page tables, for {SLOTS} slots at most"
    );
    wait_for_memory(&machine, &before)
}

/// With twenty times the preemptions, nothing of an engine's or the kernel's may be found half-done: a
/// lock that a preempted or ended sandbox holds would stop all others of its module.
fn a_quantum_of_50_us_beside_an_endless_loop_changes_no_answer(lab: &Lab) -> Result<()> {
    let machine = serve_everything(lab, "quantum_us=50")?;
    let endless = machine.client();
    let looping = thread::spawn(move || endless.get("/loop"));
    send(&machine, 0, REQUESTS)?;
    ensure!(!looping.is_finished(), "the loop ended before the requests");
    Ok(())
}

/// One guest fills 4 MiB, the next looks for anything in as much; the frames are the same ones.
fn nothing_of_one_request_is_readable_by_the_next(lab: &Lab) -> Result<()> {
    let guests = ["leave-behind", "look-around"];
    let mut folder = lab.folder("disk")?;
    for name in guests {
        folder = folder.copy(&format!("{name}.wasm"), lab.hostile(name)?)?;
    }
    let machine = lab.serve(&Boot::new(Kernel::Scenarios).disk(folder.disk()))?;
    let client = machine.client();
    for turn in 0..50 {
        for name in guests {
            let response = client.get(&format!("/{name}"))?;
            response
                .expect_status(200)
                .with_context(|| format!("{name}, turn {turn}"))?;
        }
    }
    Ok(())
}

fn serve_everything(lab: &Lab, append: &str) -> Result<Machine> {
    let good = ["fib", "echo", "empty"];
    let hostile = [
        "unreachable",
        "divide",
        "reenter-into-guard",
        "wild-write",
        "out-of-memory",
        "exit3",
        "loop",
    ];
    let deadline_us = |name: &str| if name == "loop" { ENDLESS_US } else { AMPLE_US };
    let routes: Vec<_> = good
        .iter()
        .chain(&hostile)
        .map(|name| route(name, deadline_us(name)))
        .collect();
    let mut folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    for name in good {
        folder = folder.copy(&format!("{name}.wasm"), lab.example(name)?)?;
    }
    for name in hostile {
        folder = folder.copy(&format!("{name}.wasm"), lab.hostile(name)?)?;
    }
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Scenarios)
        .disk(disk)
        .append(&format!("memory_report=1 {append}"));
    lab.serve(&boot.limit(Duration::from_secs(300)))
}

fn an_idle_machine_leaves_the_hosts_processor_alone(lab: &Lab) -> Result<()> {
    let disk = lab
        .folder("disk")?
        .copy("fib.wasm", lab.example("fib")?)?
        .disk();
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    machine.client().get("/fib?n=10")?.expect("55\n")?;
    let qemu = machine.qemu()?;
    let watched = Duration::from_secs(5);
    let before = process::cpu_time(qemu)?;
    // Host's time: what is measured is processor time, and a busy host makes that no longer.
    thread::sleep(watched);
    let used = process::cpu_time(qemu)? - before;
    ensure!(
        used < watched / 10,
        "{used:?} of processor time in {watched:?} of idleness"
    );
    Ok(())
}
