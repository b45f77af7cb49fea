//! Shares: what one tenant takes, and what is left for the others where nothing is configured. Most of the load is played by the
//! kernel itself in virtual time, so that a figure here is the same on every host.

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Client, Raw};
use luge_harness::replay::{Replay, Report, Request};
use luge_harness::{Boot, Disk, Kernel, Lab, ports};
use serde_json::{Value, json};

use crate::guests::{Engine, text};
use crate::promises::{cpu_us, tenant};
use crate::served::{AMPLE_US, SECOND_US, route, route_with};

scenarios![
    sleepers_of_one_tenant_leave_others_places_of_sandboxes,
    a_tenant_that_is_alone_has_all_places_of_sandboxes,
    beside_twelve_endless_loops_a_second_another_tenants_work_is_done_nearly_as_soon_as_alone,
    beside_a_flood_of_one_tenant_all_of_anothers_work_within_its_share_is_done,
    a_tenant_beside_idle_ones_is_refused_nothing_that_the_machine_can_do,
    who_takes_all_memory_that_it_gets_leaves_another_tenant_its_share_in_each_engine,
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

/// Of a kind that takes longer than is booked for it at first, twice a second. Its route's deadline is that of the loops.
fn beside_twelve_endless_loops_a_second_another_tenants_work_is_done_nearly_as_soon_as_alone(
    lab: &Lab,
) -> Result<()> {
    const WORK: &str = "/work 29";
    const DEADLINE_US: u64 = 2_500_000;
    const END_US: u64 = 4 * SECOND_US;
    let route = |name: &str| {
        let mut route = route_with(name, DEADLINE_US, &json!({}));
        route["path"] = "fib.wasm".into();
        route
    };
    let tenants = [
        tenant("loops", 8080, &[route("endless")]),
        tenant("other", ports::free()?, &[route("work")]),
    ];
    let alone_us = cpu_us(lab, WORK)?;
    ensure!((100_000..300_000).contains(&alone_us), "{alone_us} us");
    let mut replay = Replay::new(Value::from(&tenants[..])).module("fib.wasm", lab.example("fib")?);
    for start_us in (0..END_US).step_by(1_000_000 / 12) {
        replay.client(start_us, 1, "/endless 47");
    }
    for start_us in (SECOND_US / 2..END_US).step_by(500_000) {
        replay.client(start_us, 1, WORK);
    }
    let report = replay.play(lab, "")?;
    let work: Vec<_> = report.of("/work").collect();
    let done = work.iter().filter(|request| request.end == "exit 0");
    ensure!(done.count() == work.len(), "{work:?}");
    let mut took_us: Vec<_> = work.iter().map(|request| request.took_us).collect();
    took_us.sort_unstable();
    let median_us = took_us[took_us.len() / 2];
    println!("{took_us:?} us beside them, {alone_us} us alone");
    ensure!(
        median_us < alone_us + alone_us / 4,
        "{took_us:?} us beside them, {alone_us} us alone"
    );
    // None of the loops came to an end by itself, and some were let in each second.
    let loops = report
        .of("/endless")
        .filter(|request| request.is_admitted());
    let ended: Vec<_> = loops.map(|request| &*request.end).collect();
    ensure!(
        ended.len() >= 12 && ended.iter().all(|end| *end == "over-deadline"),
        "{ended:?}"
    );
    Ok(())
}

/// What takes some 30 ms, and two tenants that are busy with it.
const PIECE: &str = "25";
const PIECE_US: u64 = 30_000;

fn two_busy_tenants(lab: &Lab) -> Result<Replay> {
    let busy = |name: &str| {
        let keys = json!({ "expected-execution-us": PIECE_US });
        let mut route = route_with(name, SECOND_US / 2, &keys);
        route["path"] = "fib.wasm".into();
        route
    };
    let tenants = [
        tenant("flood", 8080, &[busy("flood")]),
        tenant("steady", ports::free()?, &[busy("steady")]),
    ];
    Ok(Replay::new(Value::from(&tenants[..])).module("fib.wasm", lab.example("fib")?))
}

/// One asks for three times what there is, the other for four tenths, when there is no room any more.
fn beside_a_flood_of_one_tenant_all_of_anothers_work_within_its_share_is_done(
    lab: &Lab,
) -> Result<()> {
    let mut replay = two_busy_tenants(lab)?;
    for start_us in (0..2 * SECOND_US).step_by(10_000) {
        replay.client(start_us, 1, &format!("/flood {PIECE}"));
    }
    for start_us in (SECOND_US / 2..2 * SECOND_US).step_by(75_000) {
        replay.client(start_us, 1, &format!("/steady {PIECE}"));
    }
    let report = replay.play(lab, "")?;
    let done = |route| report.of(route).filter(|request| request.end == "exit 0");
    let steady = report.of("/steady").count();
    ensure!(done("/steady").count() == steady, "{:?}", report.counts);
    let busy_us = (done("/steady").count() + done("/flood").count()) as u64 * PIECE_US;
    ensure!(busy_us * 10 > 2 * SECOND_US * 8, "{:?}", report.counts);
    ensure!(report.tickets == 0, "{} tickets are out", report.tickets);
    Ok(())
}

fn a_tenant_beside_idle_ones_is_refused_nothing_that_the_machine_can_do(lab: &Lab) -> Result<()> {
    let mut replay = two_busy_tenants(lab)?;
    for start_us in (0..SECOND_US).step_by(34_000) {
        replay.client(start_us, 1, &format!("/flood {PIECE}"));
    }
    let report = replay.play(lab, "")?;
    let done = report
        .of("/flood")
        .filter(|request| request.end == "exit 0");
    ensure!(done.count() == report.requests.len(), "{:?}", report.counts);
    Ok(())
}

/// Takes all memory that it gets, says so, and never ends.
const HOG: &str = "(data (i32.const 32) \"full\\0a\")
    (func (export \"_start\")
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (i32.store (i32.const 0) (i32.const 32))
        (i32.store (i32.const 4) (i32.const 5))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
        (loop $stay (br $stay)))";

fn who_takes_all_memory_that_it_gets_leaves_another_tenant_its_share_in_each_engine(
    lab: &Lab,
) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let port = ports::free()?;
        let hog = route_with("hog", AMPLE_US, &json!({ "max-memory": 1 << 30 }));
        let tenants = [
            tenant("hog", 8080, &[hog]),
            tenant("other", port, &[route("echo", AMPLE_US)]),
        ];
        let folder = lab.folder("disk")?;
        let folder = folder.file("functions.json", Value::from(&tenants[..]).to_string())?;
        let folder = folder.file("hog.wasm", text::module(HOG))?;
        let folder = folder.copy("echo.wasm", lab.example("echo")?)?;
        let image = match engine {
            Engine::Wasmi => lab.plain_image(&folder)?,
            Engine::Wasmtime => lab.native_image(&folder)?,
        };
        let boot = Boot::new(Kernel::Scenarios).disk(Disk::Image(image));
        let boot = boot.append(engine.parameter());
        let machine = lab.serve(&boot.switch("--memory").switch("96M"))?;
        let mut hog = Raw::connect(machine.port())?;
        hog.send("GET /hog HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        machine.line("that it has all that it gets", |line| {
            line.ends_with("full")
        })?;
        for _ in 0..8 {
            let response = Client::new(port).post("/echo", b"here")?;
            response
                .expect("here")
                .with_context(|| format!("{engine:?}"))?;
        }
    }
    Ok(())
}
