//! Promises: deadlines, budgets, reservations, and who is let in. What has to do with load is played by the
//! kernel itself in virtual time, so that a figure here is the same on every host.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Client, Raw, Response, status_of};
use luge_harness::replay::{Replay, Report, Request, percent};
use luge_harness::{Lab, Machine};
use serde_json::{Value, json};

use crate::guests::{Engine, Guests};
use crate::served::{machine_of, route, spec};

scenarios![
    an_endless_loop_is_ended_within_its_budget_and_a_quantum_in_each_engine,
    at_95_percent_of_load_no_deadline_is_missed_where_first_in_misses_a_third,
    at_twice_the_load_who_is_let_in_is_done_in_time_and_the_others_know_at_once,
    reserved_work_takes_as_long_beside_a_flood_as_alone,
    the_time_that_is_charged_is_the_time_that_passes,
    every_ticket_comes_back_however_a_request_ends,
    a_client_that_leaves_takes_its_sandbox_with_it,
    a_sandbox_that_runs_alone_is_not_interrupted,
    the_trace_is_one_that_viewers_read,
    who_may_go_on_after_a_deadline_does_and_is_counted,
    who_is_late_beside_one_that_is_not_preempted_goes_on_and_so_does_that_one,
    a_limit_of_a_route_is_429_and_says_when_to_come_again,
    what_could_not_be_done_in_time_is_429_unless_admission_is_off,
    every_policy_serves_with_and_without_preemption,
];

const BUDGET_US: u64 = 20_000;
const QUANTUM_US: u64 = 1_000;

// --- Budgets -----------------------------------------------------------------------------------------

/// A loop in `_start`, and one in the module's start function, which runs before there is an instance.
const LOOP: &str = "(func (export \"_start\") (loop $l (br $l)))";
const LOOP_AT_START: &str = "(start $endless) (func (export \"_start\"))
    (func $endless (loop $l (br $l)))";
/// One that spends its time in host calls.
const LOOP_OF_CALLS: &str = "(func (export \"_start\") (loop $l (drop (call $random (i32.const 0) (i32.const 65536))) (br $l)))";

fn an_endless_loop_is_ended_within_its_budget_and_a_quantum_in_each_engine(
    lab: &Lab,
) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let budget = || json!({ "max-exec-us": BUDGET_US });
        let boot = Guests::new(lab, engine)?
            .text_with("loop", LOOP, budget())?
            .text_with("start", LOOP_AT_START, budget())?
            .text_with("calls", LOOP_OF_CALLS, budget())?
            .boot(lab)?;
        let machine = lab.serve(&boot.switch("--icount-served"))?;
        for guest in ["/loop", "/start", "/calls"] {
            let response = machine.client().get(guest)?;
            response
                .expect_status(504)
                .with_context(|| format!("{guest}, {engine:?}"))?;
            ensure!(response.outcome() == Some("over-budget"), "{response:?}");
            let ran_us = run_us(&response)?;
            ensure!(
                ran_us <= BUDGET_US + QUANTUM_US,
                "{guest}, {engine:?}: ended after {ran_us} us"
            );
        }
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}

/// How long a sandbox ran, by the response's `Server-Timing`.
fn run_us(response: &Response) -> Result<u64> {
    let timing = response.header("server-timing").context("a timing")?;
    let run = timing.split(',').find_map(|part| {
        let (_, time) = part.trim().strip_prefix("run;")?.split_once("dur=")?;
        time.parse::<f64>().ok()
    });
    Ok((run.with_context(|| timing.to_owned())? * 1_000.0) as u64)
}

// --- Load, in virtual time ---------------------------------------------------------------------------

/// `fib` with an argument that makes it take some hundred microseconds, some milliseconds, some tens of them.
const SHORT: &str = "/short 15";
const MIDDLE: &str = "/middle 20";
const LONG: &str = "/long 25";

/// A route that runs `fib`, with an estimate to begin with.
fn fib(name: &str, deadline_us: u64, estimate_us: u64) -> Value {
    json!({
        "route": format!("/{name}"), "path": "fib.wasm", "relative-deadline-us": deadline_us,
        "expected-execution-us": estimate_us, "admissions-percentile": 99
    })
}

fn tenant(name: &str, port: u16, routes: &[Value]) -> Value {
    json!({ "name": name, "port": port, "routes": routes })
}

fn replay(lab: &Lab, tenants: &[Value]) -> Result<Replay> {
    Ok(Replay::new(Value::from(tenants)).module("fib.wasm", lab.example("fib")?))
}

/// Many short requests that are urgent beside some long ones that are not, for a second: together they
/// would take `percent` of the time. What each takes is measured first.
fn mixed_load(lab: &Lab, percent: u64) -> Result<Replay> {
    let (short_us, long_us) = (cpu_us(lab, SHORT)?, cpu_us(lab, LONG)?);
    let routes = [fib("short", 5_000, short_us), fib("long", 500_000, long_us)];
    let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
    for start in (0..1_000_000).step_by(1_000) {
        replay.client(start, 1, SHORT);
    }
    let long_load = percent * 10_000 - short_us * 1_000;
    let long_every_us = long_us * 1_000_000 / long_load;
    for start in (0..1_000_000).step_by(usize::try_from(long_every_us)?) {
        replay.client(start, 1, LONG);
    }
    Ok(replay)
}

/// What a request takes that is not the first.
fn cpu_us(lab: &Lab, target: &str) -> Result<u64> {
    let (route, _) = target.split_once(' ').context("an argument")?;
    let routes = [fib(route.trim_start_matches('/'), 1_000_000, 100_000)];
    let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
    replay.client(0, 4, target);
    let report = replay.play(lab, "")?;
    Ok(report.requests[3].cpu_us)
}

fn missed(report: &Report) -> (u64, u64) {
    let count = |of: fn(&Request) -> bool| report.requests.iter().filter(|r| of(r)).count() as u64;
    (count(Request::is_missed), count(Request::is_admitted))
}

fn at_95_percent_of_load_no_deadline_is_missed_where_first_in_misses_a_third(
    lab: &Lab,
) -> Result<()> {
    let replay = mixed_load(lab, 95)?;
    let edf = replay.play(lab, "")?;
    let load = edf.load_percent();
    ensure!((93.0..=96.0).contains(&load), "the load is {load:.1} %");
    let (late, admitted) = missed(&edf);
    ensure!(late == 0, "{late} of {admitted} were late");
    let (late, admitted) = missed(&replay.play(lab, "sched=fifo")?);
    ensure!(
        percent(late, admitted) > 30.0,
        "first in, first out: only {late} of {admitted} were late"
    );
    Ok(())
}

fn at_twice_the_load_who_is_let_in_is_done_in_time_and_the_others_know_at_once(
    lab: &Lab,
) -> Result<()> {
    let report = mixed_load(lab, 200)?.play(lab, "")?;
    let (late, admitted) = missed(&report);
    ensure!(late == 0, "{late} of {admitted} were late");
    let refused: Vec<_> = report
        .requests
        .iter()
        .filter(|r| !r.is_admitted())
        .collect();
    let slowest = refused.iter().map(|r| r.took_us).max().unwrap_or(0);
    ensure!(
        refused.len() > 20 && slowest < 1_000,
        "{} refused, the last after {slowest} us",
        refused.len()
    );
    let load = report.load_percent();
    ensure!(
        load > 90.0,
        "the load is {load:.1} %: too many were refused"
    );
    ensure!(report.tickets == 0, "{} tickets are out", report.tickets);
    Ok(())
}

fn reserved_work_takes_as_long_beside_a_flood_as_alone(lab: &Lab) -> Result<()> {
    let mut critical = tenant("critical", 8080, &[fib("middle", 50_000, 3_000)]);
    critical["max-budget-us"] = 4_000.into();
    critical["replenishment-period-us"] = 10_000.into();
    let flood = tenant("flood", 8081, &[fib("long", 400_000, 33_000)]);
    let play = |with_flood: bool| -> Result<Vec<u64>> {
        let mut replay = replay(lab, &[critical.clone(), flood.clone()])?;
        for start in (0..600_000).step_by(20_000) {
            replay.client(start, 1, MIDDLE);
            if with_flood {
                replay.client(start, 2, LONG);
            }
        }
        let report = replay.play(lab, "")?;
        ensure!(report.requests.iter().all(|r| !r.is_missed()), "{report:?}");
        ensure!(report.of("/middle").all(Request::is_admitted), "{report:?}");
        Ok(report.of("/middle").map(|r| r.took_us).collect())
    };
    let (alone, beside) = (play(false)?, play(true)?);
    // The first pays for what is made once.
    let worst = |times: &[u64]| times[1..].iter().copied().max().unwrap_or(0);
    let (alone, beside) = (worst(&alone), worst(&beside));
    ensure!(
        beside <= alone + alone / 20,
        "at most {alone} us alone, {beside} us beside a flood"
    );
    Ok(())
}

fn the_time_that_is_charged_is_the_time_that_passes(lab: &Lab) -> Result<()> {
    let routes = [fib("long", 10_000_000, 33_000)];
    let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
    for _ in 0..4 {
        replay.client(0, 5, LONG);
    }
    for append in ["sched=rr", "sched=edf"] {
        let report = replay.play(lab, append)?;
        let charged = report.load_percent();
        ensure!(
            (99.0..=100.0).contains(&charged),
            "{append}: {charged:.2} % of the time was charged"
        );
    }
    Ok(())
}

// --- Over HTTP ---------------------------------------------------------------------------------------

/// Waits until the kernel reports that nothing is promised any more.
fn wait_for_all_tickets(machine: &Machine) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let lines = machine.serial.lines();
        let last = lines.iter().rev().find(|line| line.contains("memory: "));
        if last.is_some_and(|line| line.contains(" arenas=0 ") && line.contains(" tickets=0")) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "tickets are out: {last:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// A route with keys beside the usual ones.
fn with(name: &str, deadline_us: u64, keys: &Value) -> Value {
    let mut route = route(name, deadline_us);
    for (key, value) in keys.as_object().into_iter().flatten() {
        route[key] = value.clone();
    }
    route
}

const SECOND_US: u64 = 1_000_000;
/// How long a request may take to reach its sandbox on a busy host.
const TO_ARRIVE: Duration = Duration::from_millis(500);

fn every_ticket_comes_back_however_a_request_ends(lab: &Lab) -> Result<()> {
    let routes = [
        route("fib", 20 * SECOND_US),
        route("unreachable", 20 * SECOND_US),
        route("exit3", 20 * SECOND_US),
        route("loop", SECOND_US / 5),
        with(
            "fill-loop",
            20 * SECOND_US,
            &json!({ "max-exec-us": 50_000 }),
        ),
        with("sleep", 20 * SECOND_US, &json!({ "max-concurrency": 1 })),
        // No machine of these has room for so much, so it is let in and then finds none.
        with("echo", 20 * SECOND_US, &json!({ "stack-size": 8 << 20 })),
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
    sleeper.send("GET /sleep?ms=15000 HTTP/1.1\r\nhost: luge\r\n\r\n")?;
    thread::sleep(TO_ARRIVE);
    wait_until(|| Ok(client.get("/sleep?ms=0")?.status == 429))?;
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

/// Tries again and again, until it is so.
fn wait_until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so()? {
        ensure!(Instant::now() < deadline, "it did not come to that");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn a_client_that_leaves_takes_its_sandbox_with_it(lab: &Lab) -> Result<()> {
    let routes = [
        with("loop", 100 * SECOND_US, &json!({ "max-concurrency": 2 })),
        route("fib", 20 * SECOND_US),
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
    thread::sleep(TO_ARRIVE);
    let client = machine.client();
    wait_until(|| Ok(client.get("/loop")?.status == 429))?;
    drop(loops);
    machine.line("that the loops were cancelled", |line| {
        line.contains("(loop) ended: cancelled")
    })?;
    wait_for_all_tickets(&machine)
}

/// What the trace says of the sandboxes of a route: how often each kind of event is in it.
fn events(client: &Client, name: &str) -> Result<Vec<Value>> {
    let response = client.get("/trace")?;
    response.expect_status(200)?;
    let trace: Value = serde_json::from_slice(&response.body).context("the trace is JSON")?;
    let all = trace["traceEvents"].as_array().context("events")?.clone();
    let of = |event: &Value| event["name"].as_str().is_some_and(|n| n.starts_with(name));
    Ok(all.into_iter().filter(of).collect())
}

fn a_sandbox_that_runs_alone_is_not_interrupted(lab: &Lab) -> Result<()> {
    let machine = machine_of(lab, &spec(&[route("fib", 20 * SECOND_US)]), "")?;
    let client = machine.client();
    client.get("/fib?n=29")?.expect("514229\n")?;
    let turns = events(&client, "fib #")?;
    let begun = turns
        .iter()
        .filter(|e| e["ph"] == "B" && e["pid"] == 0)
        .count();
    // It ran for hundreds of quanta. A packet now and then is not the timer.
    ensure!(begun < 20, "{begun} turns");
    Ok(())
}

fn the_trace_is_one_that_viewers_read(lab: &Lab) -> Result<()> {
    let routes = [route("fib", 20 * SECOND_US), route("loop", SECOND_US / 5)];
    let machine = machine_of(lab, &spec(&routes), "")?;
    let client = machine.client();
    client.get("/loop")?.expect_status(504)?;
    client.get("/fib?n=10")?.expect("55\n")?;
    let phases = |name: &str, process: u64| -> Result<Vec<String>> {
        let events = events(&client, name)?;
        let of = events.iter().filter(|event| event["pid"] == process);
        Ok(of
            .filter_map(|e| Some(e["ph"].as_str()?.to_owned()))
            .collect())
    };
    ensure!(phases("fib #2", 1)? == ["B", "E"]);
    let turns = phases("fib #2", 0)?;
    ensure!(turns.chunks(2).all(|turn| turn == ["B", "E"]), "{turns:?}");
    for wanted in ["loop admit", "loop miss", "loop kill"] {
        ensure!(phases(wanted, 1)? == ["i"], "no {wanted}");
    }
    Ok(())
}

fn who_may_go_on_after_a_deadline_does_and_is_counted(lab: &Lab) -> Result<()> {
    let keys = json!({ "on-miss": "run" });
    let routes = [
        with("fib", SECOND_US / 100, &keys),
        with("sleep", SECOND_US / 100, &keys),
    ];
    let machine = machine_of(lab, &spec(&routes), "memory_report=1")?;
    let client = machine.client();
    client.get("/fib?n=27")?.expect("196418\n")?;
    client.get("/sleep?ms=300")?.expect("slept\n")?;
    for name in ["(fib)", "(sleep)"] {
        machine.line("that a deadline was missed", |line| {
            line.contains(&format!("{name} missed its deadline and goes on"))
        })?;
    }
    wait_for_all_tickets(&machine)
}

fn a_limit_of_a_route_is_429_and_says_when_to_come_again(lab: &Lab) -> Result<()> {
    let keys = json!({ "max-concurrency": 1 });
    let routes = [
        with("sleep", 20 * SECOND_US, &keys),
        route("fib", 20 * SECOND_US),
    ];
    let machine = machine_of(lab, &spec(&routes), "")?;
    let sleeper = machine.client();
    let sleeping = thread::spawn(move || sleeper.get("/sleep?ms=5000"));
    thread::sleep(TO_ARRIVE);
    let client = machine.client();
    let mut refused = None;
    wait_until(|| {
        refused = Some(client.get("/sleep?ms=0")?).filter(|response| response.status == 429);
        Ok(refused.is_some())
    })?;
    let retry = refused
        .as_ref()
        .and_then(|response| response.header("retry-after"));
    ensure!(retry == Some("1"), "{refused:?}");
    client.get("/fib?n=10")?.expect("55\n")?;
    let slept = sleeping.join().ok().context("the sleeper's thread")??;
    slept.expect("slept\n")
}

/// A loop is expected to take 4 s of the 5 s that it has, so there is no time for a second one.
fn what_could_not_be_done_in_time_is_429_unless_admission_is_off(lab: &Lab) -> Result<()> {
    for (append, expected) in [("admission=on", 429), ("admission=off", 504)] {
        let keys = json!({ "expected-execution-us": 4 * SECOND_US });
        let routes = [with("loop", 5 * SECOND_US, &keys)];
        let machine = machine_of(lab, &spec(&routes), append)?;
        let mut first = Raw::connect(machine.port())?;
        first.send("GET /loop HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        thread::sleep(TO_ARRIVE);
        let second = machine.client().get("/loop")?;
        second.expect_status(expected)?;
        ensure!(
            second.header("retry-after").is_some() == (expected == 429),
            "{second:?}"
        );
        ensure!(status_of(&first.read_head()?)? == 504);
    }
    Ok(())
}

fn every_policy_serves_with_and_without_preemption(lab: &Lab) -> Result<()> {
    let routes = [
        fib("short", 400_000, 400),
        fib("middle", 800_000, 3_000),
        fib("long", 2_000_000, 33_000),
    ];
    let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
    for start in (0..200_000).step_by(10_000) {
        replay.client(start, 1, SHORT);
        replay.client(start + 1_000, 1, MIDDLE);
    }
    replay.client(0, 3, LONG);
    for policy in ["edf", "fifo", "sjf", "rr"] {
        for preempt in ["on", "off"] {
            let append = format!("sched={policy} preempt={preempt} quantum_us=500");
            let report = replay.play(lab, &append)?;
            let (late, admitted) = missed(&report);
            ensure!(
                (late, admitted) == (0, 43),
                "{append}: {late} of {admitted}"
            );
            ensure!(report.tickets == 0, "{append}: tickets are out");
        }
    }
    Ok(())
}

/// The short ones come while a long one runs, and are late before it ends.
fn who_is_late_beside_one_that_is_not_preempted_goes_on_and_so_does_that_one(
    lab: &Lab,
) -> Result<()> {
    let mut short = fib("short", 5_000, 400);
    short["on-miss"] = "run".into();
    let routes = [short, fib("long", 400_000, 33_000)];
    let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
    for start in (0..100_000).step_by(1_000) {
        replay.client(start, 1, SHORT);
    }
    replay.client(0, 3, LONG);
    for policy in ["edf", "fifo", "sjf", "rr"] {
        let append = format!("sched={policy} preempt=off admission=off");
        let report = replay.play(lab, &append)?;
        let ended_well = |request: &&Request| request.end == "exit 0";
        let ended = report.requests.iter().filter(ended_well).count();
        ensure!(ended == 103, "{append}: {ended} of 103 ended well");
        let (late, _) = missed(&report);
        ensure!(late > 0, "{append}: nobody was late");
    }
    Ok(())
}
