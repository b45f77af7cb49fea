//! Tickets: limits, who is told to come again, and that each promise comes back however its request ends.

use anyhow::{Result, ensure};
use luge_harness::http::Raw;
use luge_harness::{Lab, Machine};
use serde_json::json;

use crate::load::REPORT;
use crate::promises::{LONG, fib, replay, tenant};
use crate::served::{
    AMPLE_US, SECOND_US, extend, machine_of, route, route_with, spec, wait_for_sandboxes,
    wait_until,
};

scenarios![
    every_ticket_comes_back_however_a_request_ends,
    a_client_that_leaves_takes_its_sandbox_with_it,
    a_limit_of_a_route_is_429_and_says_when_to_come_again,
    each_limit_of_a_route_and_of_a_tenant_refuses_what_is_beyond_it,
];

/// A request whose sandbox sleeps until its client leaves.
const LONG_SLEEP: &str = "GET /sleep?ms=500000 HTTP/1.1\r\nhost: luge\r\n\r\n";

/// Waits until the kernel reports that nothing is promised any more.
pub fn wait_for_all_tickets(machine: &Machine) -> Result<()> {
    machine.comes_to(REPORT, |line| {
        line.contains(" arenas=0 ") && line.contains(" tickets=0 ")
    })
}

fn every_ticket_comes_back_however_a_request_ends(lab: &Lab) -> Result<()> {
    let routes = [
        route("fib", AMPLE_US),
        route("unreachable", AMPLE_US),
        route("exit3", AMPLE_US),
        route("loop", SECOND_US / 5),
        route_with("fill-loop", AMPLE_US, &json!({ "max-exec-us": 50_000 })),
        route_with("sleep", AMPLE_US, &json!({ "max-concurrency": 1 })),
        // No machine of these has room for so much, so it is let in and then finds none.
        route_with("echo", AMPLE_US, &json!({ "stack-size": 8 << 20 })),
    ];
    let machine = machine_of(lab, &spec(&routes), "memory_report=1")?;
    let client = machine.client();
    let status = |path: &str, expected: u16| client.get(path)?.expect_status(expected);
    status("/fib?n=10", 200)?;
    status("/unreachable", 500)?;
    status("/exit3", 500)?;
    status("/loop", 504)?;
    status("/fill-loop", 504)?;
    // One sleeps, so that a second one is refused; then its client leaves.
    let mut sleeper = Raw::connect(machine.port())?;
    sleeper.send(LONG_SLEEP)?;
    wait_for_sandboxes(&client, "/sleep", 1)?;
    status("/sleep?ms=0", 429)?;
    drop(sleeper);
    wait_until(|| Ok(client.get("/sleep?ms=0")?.status == 200))?;
    // Stacks of 8 MiB, until there is no memory for another one.
    let mut open = Vec::new();
    wait_until(|| {
        let mut raw = Raw::connect(machine.port())?;
        raw.send("POST /echo HTTP/1.1\r\nhost: luge\r\ncontent-length: 1\r\n\r\n1")?;
        open.push(raw);
        Ok(open.len() >= 8)
    })?;
    drop(open);
    status("/fib?n=10", 200)?;
    wait_for_all_tickets(&machine)
}

fn a_client_that_leaves_takes_its_sandbox_with_it(lab: &Lab) -> Result<()> {
    let routes = [
        route_with("loop", AMPLE_US, &json!({ "max-concurrency": 2 })),
        route("fib", AMPLE_US),
    ];
    let machine = machine_of(
        lab,
        &spec(&routes),
        "memory_report=1 log=info,sandbox=debug",
    )?;
    // One of them runs, and the other waits or runs in its turn.
    let mut loops = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::connect(machine.port())?;
        raw.send("GET /loop HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        loops.push(raw);
    }
    let client = machine.client();
    wait_for_sandboxes(&client, "/loop", 2)?;
    client.get("/loop")?.expect_status(429)?;
    drop(loops);
    machine.line("that the loops were cancelled", |line| {
        line.contains("(loop) ended: cancelled")
    })?;
    wait_for_all_tickets(&machine)
}

fn a_limit_of_a_route_is_429_and_says_when_to_come_again(lab: &Lab) -> Result<()> {
    let keys = json!({ "max-concurrency": 1 });
    let routes = [route_with("sleep", AMPLE_US, &keys), route("fib", AMPLE_US)];
    let machine = machine_of(lab, &spec(&routes), "")?;
    let mut sleeper = Raw::connect(machine.port())?;
    sleeper.send(LONG_SLEEP)?;
    let client = machine.client();
    wait_for_sandboxes(&client, "/sleep", 1)?;
    let refused = client.get("/sleep?ms=0")?;
    refused.expect_status(429)?;
    ensure!(refused.header("retry-after") == Some("1"), "{refused:?}");
    client.get("/fib?n=10")?.expect("55\n")?;
    drop(sleeper);
    wait_until(|| Ok(client.get("/sleep?ms=0")?.status == 200))
}

/// Five arrive at once, of which there may be two. Memory is what each may take by its limits: 1 MiB of its own,
/// a stack of 512 KiB, 512 KiB below `/tmp`; so in 4.5 MiB there is room for two.
fn each_limit_of_a_route_and_of_a_tenant_refuses_what_is_beyond_it(lab: &Lab) -> Result<()> {
    let none = json!({});
    let limits = [
        (json!({ "max-concurrency": 2 }), none.clone()),
        (json!({ "max-queue": 2 }), none.clone()),
        (none.clone(), json!({ "max-concurrency": 2 })),
        (none.clone(), json!({ "max-queue": 2 })),
        (none, json!({ "max-memory": 9 << 19 })),
    ];
    for (of_route, of_tenant) in limits {
        let mut route = fib("long", 10_000_000, 33_000);
        route["max-memory"] = (1 << 20).into();
        route["max-scratch-bytes"] = (512 << 10).into();
        extend(&mut route, &of_route);
        let mut tenant = tenant("main", 8080, &[route]);
        extend(&mut tenant, &of_tenant);
        let mut replay = replay(lab, &[tenant])?;
        (0..5).for_each(|_| replay.client(0, 1, LONG));
        let counts = replay.play(lab, "")?.counts["/long"];
        ensure!(
            (counts.admitted, counts.refused) == (2, 3),
            "route {of_route}, tenant {of_tenant}: {counts:?}"
        );
    }
    Ok(())
}
