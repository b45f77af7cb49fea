//! Budgets and deadlines: who is over them is ended wherever it is, or goes on and is counted.

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_harness::http::Raw;
use luge_harness::replay::Request;
use serde_json::json;

use crate::guests::{Engine, Guests};
use crate::promises::{LONG, SHORT, fib, missed, replay, tenant};
use crate::records::{number, records};
use crate::schedules::events;
use crate::served::{SECOND_US, boot_of, route_with, spec, timing_us};
use crate::tickets::wait_for_all_tickets;

scenarios![
    an_endless_loop_is_ended_within_its_budget_and_a_quantum_in_each_engine,
    past_its_deadline_a_sandbox_is_ended_wherever_it_is_in_each_engine,
    a_sandbox_that_waits_to_write_its_response_is_ended_with_its_client,
    who_may_go_on_after_a_deadline_does_and_is_counted,
    what_becomes_of_a_route_is_counted,
    who_is_late_beside_one_that_is_not_preempted_goes_on_and_so_does_that_one,
    a_timer_that_fires_early_ends_a_sandbox_at_its_deadline_all_the_same,
];

const BUDGET_US: u64 = 20_000;
const QUANTUM_US: u64 = 1_000;

/// A loop in `_start`, and one in the module's start function, which runs before there is an instance.
const LOOP: &str = "(func (export \"_start\") (loop $l (br $l)))";
const LOOP_AT_START: &str = "(start $endless) (func (export \"_start\"))
    (func $endless (loop $l (br $l)))";
/// One that spends its time in host calls.
const LOOP_OF_CALLS: &str = "(func (export \"_start\") (loop $l (drop (call $random (i32.const 0) (i32.const 65536))) (br $l)))";
/// One that writes more than anybody takes.
const FLOOD: &str = "(func (export \"_start\")
    (i32.store (i32.const 16) (i32.const 65536))
    (i32.store (i32.const 20) (i32.const 65536))
    (loop $l (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))) (br $l)))";

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
            let ran_us = timing_us(&response, "run")?;
            ensure!(
                ran_us <= BUDGET_US + QUANTUM_US,
                "{guest}, {engine:?}: ended after {ran_us} us"
            );
        }
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}

/// In guest code, also before there is an instance; in a host call; asleep in one. By the machine's own time.
fn past_its_deadline_a_sandbox_is_ended_wherever_it_is_in_each_engine(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let deadline = || json!({ "relative-deadline-us": SECOND_US / 4 });
        let boot = Guests::new(lab, engine)?
            .text_with("loop", LOOP, deadline())?
            .text_with("start", LOOP_AT_START, deadline())?
            .text_with("calls", LOOP_OF_CALLS, deadline())?
            .file_with("sleep", lab.example("sleep")?, deadline())?
            .boot(lab)?;
        let machine = lab.serve(&boot.switch("--icount-served"))?;
        for guest in ["/loop", "/start", "/calls", "/sleep?ms=55000"] {
            let response = machine.client().get(guest)?;
            let is_ended = response.status == 504 && response.outcome() == Some("over-deadline");
            ensure!(is_ended, "{guest}, {engine:?}: {response:?}");
            let records = records(&machine.client(), "")?;
            let took_ns = number(records.last().context("a record")?, "actual")?;
            // Not when it would have woken up by itself.
            ensure!(took_ns < 45_000_000_000, "{guest}: after {took_ns} ns");
        }
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}

/// Its client takes nothing, so it waits for room when its client's time is over.
fn a_sandbox_that_waits_to_write_its_response_is_ended_with_its_client(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let keys = json!({ "relative-deadline-us": 2 * SECOND_US, "max-response-bytes": 1 << 30 });
        let boot = Guests::new(lab, engine)?.text_with("flood", FLOOD, keys)?;
        let boot = boot.boot(lab)?;
        let boot = boot.append("memory_report=1 answer_timeout_s=3");
        let machine = lab.serve(&boot.switch("--icount-served"))?;
        let mut client = Raw::connect(machine.port())?;
        client.send("GET /flood HTTP/1.1\r\nhost: luge\r\n\r\n")?;
        machine.line("that the flood was ended", |line| {
            line.contains("(flood) ended: slow-reader")
        })?;
        // The trace is asked for before the client is gone.
        let waited = events(&machine.client(), "flood block")?;
        ensure!(!waited.is_empty(), "{engine:?}: it never waited");
        drop(client);
        machine.client().get("/fib?n=10")?.expect("55\n")?;
        wait_for_all_tickets(&machine)?;
    }
    Ok(())
}

/// The timer and the clock are calibrated apart, so either may be the faster one. Nobody else runs, and no packet comes.
fn a_timer_that_fires_early_ends_a_sandbox_at_its_deadline_all_the_same(lab: &Lab) -> Result<()> {
    let deadline = json!({ "relative-deadline-us": SECOND_US / 4 });
    let boot = Guests::new(lab, Engine::Wasmtime)?.text_with("loop", LOOP, deadline)?;
    let boot = boot.boot(lab)?.append("scenario=fast-timer");
    let machine = lab.serve(&boot.switch("--icount-served"))?;
    machine.client().get("/loop")?.expect_status(504)?;
    let records = records(&machine.client(), "")?;
    let took_ns = number(records.last().context("a record")?, "actual")?;
    ensure!(took_ns >= 250_000_000, "it was ended after {took_ns} ns");
    ensure!(took_ns < 300_000_000, "it was ended after {took_ns} ns");
    Ok(())
}

fn who_may_go_on_after_a_deadline_does_and_is_counted(lab: &Lab) -> Result<()> {
    let keys = json!({ "on-miss": "run" });
    let routes = [
        route_with("fib", SECOND_US / 100, &keys),
        route_with("sleep", SECOND_US / 100, &keys),
    ];
    let boot = boot_of(lab, &spec(&routes))?.append("memory_report=1");
    let machine = lab.serve(&boot.switch("--icount-served"))?;
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

/// The long ones take longer than they may: those of one route go on, those of the other are ended.
fn what_becomes_of_a_route_is_counted(lab: &Lab) -> Result<()> {
    let mut patient = fib("patient", 10_000, 5_000);
    patient["on-miss"] = "run".into();
    let killed = fib("killed", 10_000, 5_000);
    let mut over = fib("over", 400_000, 5_000);
    over["max-exec-us"] = 5_000.into();
    let routes = [patient, killed, over, fib("short", 50_000, 400)];
    let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
    for (start, target) in [
        (0, "/patient 25"),
        (100_000, "/killed 25"),
        (200_000, "/over 25"),
    ] {
        replay.client(start, 1, target);
        // Somebody for whom the CPU is taken from it.
        replay.client(start + 2_000, 2, SHORT);
    }
    let report = replay.play(lab, "")?;
    for (name, missed, killed) in [("/patient", 1, 0), ("/killed", 1, 1), ("/over", 0, 1)] {
        let counts = report.counts[name];
        ensure!(
            (counts.admitted, counts.missed, counts.killed) == (1, missed, killed),
            "{name}: {counts:?}"
        );
        ensure!(counts.preempted > 0, "{name}: {counts:?}");
    }
    ensure!(report.counts["/short"].admitted == 6, "{report:?}");
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
