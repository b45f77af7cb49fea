//! Shares: what one tenant takes, and what is left for the others where nothing is configured. The load is played by the kernel
//! itself in virtual time, so that a figure here is the same on every host.

use anyhow::{Result, ensure};
use luge_harness::replay::{Replay, Report, Request};
use luge_harness::{Lab, ports};
use serde_json::{Value, json};

use crate::promises::tenant;
use crate::served::{SECOND_US, route_with};

scenarios![
    sleepers_of_one_tenant_leave_others_places_of_sandboxes,
    a_tenant_that_is_alone_has_all_places_of_sandboxes,
];

/// More than the machine has places for.
const SLEEPERS: u32 = 1_100;
const PLACES: usize = 1_024;
/// By then all of them are here, and they sleep for longer.
const SETTLED_US: u64 = 2 * SECOND_US;

/// A tenant whose requests sleep, and take little memory.
fn sleepers() -> Value {
    let keys = json!({ "stack-size": 32 << 10, "expected-execution-us": 1_000 });
    let sleep = route_with("sleep", 60 * SECOND_US, &keys);
    tenant("sleepers", 8080, &[sleep])
}

/// Another one, with a route of this name.
fn neighbour(name: &str) -> Result<Value> {
    let mut empty = route_with(name, SECOND_US, &json!({ "expected-execution-us": 2_000 }));
    empty["path"] = "empty.wasm".into();
    Ok(tenant(name, ports::free()?, &[empty]))
}

/// A replay for these tenants in which the first one's sleepers come one by one, on a machine with memory for all of them.
fn replay(lab: &Lab, tenants: &[Value]) -> Result<Replay> {
    let mut replay = Replay::new(Value::from(tenants))
        .module("sleep.wasm", lab.example("sleep")?)
        .memory("1G");
    if tenants.len() > 1 {
        replay = replay.module("empty.wasm", lab.example("empty")?);
    }
    for sleeper in 0..SLEEPERS {
        replay.client(u64::from(sleeper) * 500, 1, "/sleep 8000");
    }
    Ok(replay)
}

fn slept(report: &Report) -> usize {
    let done = |request: &&Request| request.end == "exit 0";
    report.of("/sleep").filter(done).count()
}

/// One of the others has a reservation, one has none.
fn sleepers_of_one_tenant_leave_others_places_of_sandboxes(lab: &Lab) -> Result<()> {
    let mut reserved = neighbour("reserved")?;
    reserved["max-budget-us"] = 4_000.into();
    reserved["replenishment-period-us"] = 10_000.into();
    let mut replay = replay(lab, &[sleepers(), reserved, neighbour("plain")?])?;
    for number in 0..20 {
        let start_us = SETTLED_US + number * 50_000;
        replay.client(start_us, 1, "/reserved");
        replay.client(start_us, 1, "/plain");
    }
    let report = replay.play(lab, "")?;
    for route in ["/reserved", "/plain"] {
        let done = report.of(route).filter(|request| request.end == "exit 0");
        ensure!(done.count() == 20, "{route}: {:?}", report.counts[route]);
    }
    // Each of the three has a third of one half for sure.
    let slept = slept(&report);
    ensure!(
        (PLACES * 2 / 3 - 1..PLACES * 2 / 3 + 2).contains(&slept),
        "{slept} slept at once"
    );
    Ok(())
}

fn a_tenant_that_is_alone_has_all_places_of_sandboxes(lab: &Lab) -> Result<()> {
    let slept = slept(&replay(lab, &[sleepers()])?.play(lab, "")?);
    // The programs of the disk have a place each.
    ensure!(
        (PLACES - 4..=PLACES).contains(&slept),
        "{slept} slept at once"
    );
    Ok(())
}
