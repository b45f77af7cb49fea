//! Load: what one request leaves behind, the next two thousand show.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::http::{Client, Raw};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine, process};
use luge_metrics::reader::read;

use crate::guests::text;
use crate::served::{AMPLE_US, clients, route, spec, wait_until};

scenarios![
    two_thousand_mixed_requests_leave_nothing_behind,
    nothing_of_one_request_is_readable_by_the_next,
    a_quantum_of_50_us_beside_an_endless_loop_changes_no_answer,
    an_idle_machine_leaves_the_hosts_processor_alone,
    clients_that_take_all_memory_are_refused_and_the_machine_goes_on,
    a_kernel_that_has_no_memory_left_refuses_requests_and_goes_on,
    whatever_a_request_is_refused_of_memory_it_is_answered_and_nothing_is_lost,
    the_least_memory_that_may_be_asked_for_serves,
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

/// Sandboxes take all memory that guests may have; then bodies and heads that do not end want the kernel's own.
fn clients_that_take_all_memory_are_refused_and_the_machine_goes_on(lab: &Lab) -> Result<()> {
    let sleeper = |name: &str, stack_bytes: u32| {
        let mut route = route(name, AMPLE_US);
        route["path"] = "sleep.wasm".into();
        route["stack-size"] = stack_bytes.into();
        route
    };
    let routes = [
        sleeper("large", 8 << 20),
        sleeper("small", 512 << 10),
        route("echo", AMPLE_US),
    ];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let folder = folder.copy("sleep.wasm", lab.example("sleep")?)?;
    let disk = folder.copy("echo.wasm", lab.example("echo")?)?.disk();
    let boot = Boot::new(Kernel::Product).disk(disk);
    let boot = boot.append("max_connections=160");
    let machine = lab.serve(&boot.switch("--memory").switch("40M"))?;

    let mut open = Vec::new();
    for (name, count) in [("large", 2), ("small", 8)] {
        for _ in 0..count {
            let mut raw = Raw::connect(machine.port())?;
            raw.send(format!("GET /{name}?500000 HTTP/1.1\r\nhost: luge\r\n\r\n"))?;
            open.push(raw);
        }
    }
    wait_until(|| {
        if machine.client().get("/small?0")?.status == 503 {
            return Ok(true);
        }
        let mut raw = Raw::connect(machine.port())?;
        raw.send("GET /small?500000 HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        open.push(raw);
        Ok(false)
    })
    .context("guests do not fill the memory")?;
    let part = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        let mut raw = Raw::connect(machine.port())?;
        raw.send("POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 4000000\r\n\r\n")?;
        // It may be refused, and closed, while it is being sent.
        let _ = raw.send(&part);
        open.push(raw);
    }
    open.extend(half_requests(&machine, 60));
    machine.client().get("/healthz")?.expect("ok\n")?;
    drop(open);
    wait_until(|| Ok(machine.client().get("/small?0")?.status == 200))
        .context("the memory does not come back")
}

/// Connections with requests that take as much of the kernel's heap as may be: all values of a query that there may be,
/// and nearly all of a body that is too short for address space of its own. One may be refused while it is being sent.
fn half_requests(machine: &Machine, count: usize) -> Vec<Raw> {
    let query = "abcdefghijklmnopqrstuvwxyz0123&".repeat(250);
    let head = format!("POST /echo?{query} HTTP/1.1\r\nhost: luge\r\ncontent-length: 4000\r\n\r\n");
    let begun = (0..count).filter_map(|_| {
        let mut raw = Raw::connect(machine.port()).ok()?;
        let _ = raw.send(&head).and_then(|()| raw.send([b'x'; 3_999]));
        // Host's time: QEMU's network lets one connection wait, and one that comes at once after another waits a second.
        thread::sleep(Duration::from_millis(5));
        Some(raw)
    });
    begun.collect()
}

/// Takes so many frames that as many as its number says are left, counts, and gives them back.
fn holder(left: u32) -> Vec<u8> {
    text::module(&format!(
        "(import \"luge_scenario\" \"hold_frames\" (func $hold (param i32)))
         (import \"luge_scenario\" \"give_frames_back\" (func $give_back))
         (func (export \"_start\") (local $turn i32)
            (call $hold (i32.const {left}))
            (local.set $turn (i32.const 200000000))
            (loop $spin
                (local.set $turn (i32.sub (local.get $turn) (i32.const 1)))
                (br_if $spin (local.get $turn)))
            (call $give_back))"
    ))
}

/// So many frames are left to the kernel: next to none; or a few more than those with which it serves as usual.
const LEFT: [u32; 2] = [100, 2_100];

fn a_kernel_that_has_no_memory_left_refuses_requests_and_goes_on(lab: &Lab) -> Result<()> {
    let names = LEFT.map(|left| format!("hold-{left}"));
    let mut routes = vec![route("echo", AMPLE_US)];
    routes.extend(names.iter().map(|name| route(name, AMPLE_US)));
    let mut folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    for (name, left) in names.iter().zip(LEFT) {
        folder = folder.file(&format!("{name}.wasm"), holder(left))?;
    }
    let folder = folder.copy("echo.wasm", lab.example("echo")?)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let boot = Boot::new(Kernel::Scenarios).disk(disk);
    let machine = lab.serve(&boot.append("memory_report=1"))?;
    for name in &names {
        // Again, if the host left nobody the time to ask while they were held.
        let mut tries = (0..20).map(|_| asked_while_held(&machine, name));
        let was_asked = tries.find(|tried| !matches!(tried, Ok(false)));
        was_asked.with_context(|| format!("nobody asked in time, {name}"))??;
        wait_until(|| Ok(machine.client().post("/echo", b"c")?.status == 200))?;
    }
    Ok(())
}

/// Whether a request was answered while a holder held frames: then it was refused.
fn asked_while_held(machine: &Machine, name: &str) -> Result<bool> {
    let holder = machine.client();
    let path = format!("/{name}");
    let held_before = machine.serial.text().matches("frames are held, ").count();
    let held = thread::spawn(move || holder.get(&path));
    wait_until(|| Ok(machine.serial.text().matches("frames are held, ").count() > held_before))?;
    let open = half_requests(machine, 100);
    let answer = machine.client().post("/echo", b"b")?;
    let was_held = !held.is_finished();
    if was_held {
        answer.expect_status(503)?;
    }
    held.join().ok().context("its thread")??.expect("")?;
    drop(open);
    Ok(was_held)
}

/// Has the kernel refuse the next of all requests for memory, and ends with 1 if the one before never came.
const REFUSER: &str = "
    (import \"luge_scenario\" \"refuse_next\" (func $next (result i32)))
    (func (export \"_start\") (if (i32.eqz (call $next)) (then (call $exit (i32.const 1)))))";

fn whatever_a_request_is_refused_of_memory_it_is_answered_and_nothing_is_lost(
    lab: &Lab,
) -> Result<()> {
    let folder = lab
        .folder("disk")?
        .file("refuser.wasm", text::module(REFUSER))?;
    let folder = folder.copy("echo.wasm", lab.example("echo")?)?;
    let routes = [route("echo", AMPLE_US), route("refuser", AMPLE_US)];
    let folder = folder.file("functions.json", spec(&routes))?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let machine = lab.serve(
        &Boot::new(Kernel::Scenarios)
            .disk(disk)
            .append("memory_report=1"),
    )?;
    let body = vec![b'x'; 40_000];
    let ask = || machine.client().post("/echo?some&words", &body);
    ask()?.expect(&body)?;
    let before = settled_memory(&machine)?;
    let (mut points, mut refused) = (0, 0);
    loop {
        let armed = machine.client().get("/refuser");
        if armed.is_ok_and(|answer| answer.outcome() == Some("exit 1")) {
            break;
        }
        // A connection may also be closed.
        if let Ok(answer) = ask() {
            ensure!([200, 500, 503].contains(&answer.status), "{answer:?}");
            refused += u32::from(answer.status != 200);
        }
        points += 1;
        ensure!(points < 1_000, "there is no end to it");
    }
    println!("{points} requests for memory were refused, {refused} requests with them");
    // Most are granted at the second try, once what waits to be used again has made way.
    ensure!(points > 9 && refused > 0, "{refused} of {points}");
    ask()?;
    ask()?.expect(&body)?;
    wait_for_memory(&machine, &before)
}

fn the_least_memory_that_may_be_asked_for_serves(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    let boot = Boot::new(Kernel::Product).disk(disk);
    let machine = lab.serve(&boot.switch("--memory").switch("40M"))?;
    for _ in 0..100 {
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}
