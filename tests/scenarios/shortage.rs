//! Machines that run out of memory, or have as little as may be: requests are refused, and the machine goes on.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::http::Raw;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};

use crate::guests::text;
use crate::load::{settled_memory, wait_for_memory};
use crate::served::{AMPLE_US, route, spec, wait_until};

scenarios![
    clients_that_take_all_memory_are_refused_and_the_machine_goes_on,
    a_kernel_that_has_no_memory_left_refuses_requests_and_goes_on,
    whatever_a_request_is_refused_of_memory_it_is_answered_and_nothing_is_lost,
    the_least_memory_that_may_be_asked_for_serves,
];

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
