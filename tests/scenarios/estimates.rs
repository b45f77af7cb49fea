//! Estimates when they are wrong: requests become longer, nothing is known yet, one was slow, another program was
//! deployed. Most of the load is played by the kernel itself in virtual time, so that a figure here is the same on
//! every host.

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_harness::http::{Raw, status_of};
use luge_harness::replay::{Replay, Report, Request};
use serde_json::{Value, json};

use crate::admin::{deploy, with_token};
use crate::promises::{SHORT, cpu_us, cpu_us_in, replay, tenant};
use crate::served::{SECOND_US, boot_of, route, spec};

scenarios![
    when_requests_become_longer_most_time_goes_to_those_that_are_done_from_the_second_second_on,
    two_sizes_on_one_route_share_the_time_and_little_of_it_is_lost,
    right_after_boot_nothing_is_refused_that_can_be_done,
    after_a_slow_request_no_burst_is_refused_that_can_be_done,
    after_another_deployment_no_burst_is_refused_that_can_be_done,
];

/// What the routes here have for a deadline, if they have one.
const DEADLINE_US: u64 = 1_000_000;

/// A route of which nothing is known, with a program of the examples.
fn unknown(name: &str, program: &str, keys: &Value) -> Value {
    let mut route = route(name, DEADLINE_US);
    crate::served::extend(&mut route, keys);
    route["path"] = format!("{program}.wasm").into();
    route
}

/// CPU time of requests that were done between two moments, in percent.
fn goodput(report: &Report, (from_us, until_us): (u64, u64)) -> u64 {
    let done = report.requests.iter().filter(|request| {
        let ended_us = request.arrived_us + request.took_us;
        request.end == "exit 0" && (from_us..until_us).contains(&ended_us)
    });
    100 * done.map(|request| request.cpu_us).sum::<u64>() / (until_us - from_us)
}

/// How many were refused, and how many were let in and not done in time.
fn lost(report: &Report) -> (usize, usize) {
    let count = |of: fn(&&Request) -> bool| report.requests.iter().filter(of).count();
    (count(|r| !r.is_admitted()), count(|r| r.is_missed()))
}

fn when_requests_become_longer_most_time_goes_to_those_that_are_done_from_the_second_second_on(
    lab: &Lab,
) -> Result<()> {
    let routes = [unknown("long", "fib", &json!({}))];
    let interpreted = replay(lab, &[tenant("main", 8080, &routes)])?;
    for (replay, before, after) in [
        (interpreted.clone(), "/long 19", "/long 26"),
        (interpreted.native(), "/long 24", "/long 30"),
    ] {
        becomes_longer(lab, &replay, before, after)?;
    }
    Ok(())
}

/// Requests of about 2 ms, and then three times as many as can be done of about 50 ms.
fn becomes_longer(lab: &Lab, replay: &Replay, before: &str, after: &str) -> Result<()> {
    const CHANGE_US: u64 = 1_000_000;
    const SECONDS: u64 = 3;
    let before_us = cpu_us_in(lab, replay.clone(), before)?;
    let after_us = cpu_us_in(lab, replay.clone(), after)?;
    ensure!(
        before_us < 3_000 && after_us > 40_000,
        "{before_us} and {after_us} us"
    );
    let mut replay = replay.clone();
    replay.client(0, 70, before);
    let end_us = CHANGE_US + SECONDS * 1_000_000;
    for start in (CHANGE_US..end_us).step_by(usize::try_from(after_us / 3)?) {
        replay.client(start, 1, after);
    }
    let report = replay.play(lab, "")?;
    let seconds: Vec<_> = (0..SECONDS)
        .map(|second| CHANGE_US + second * 1_000_000)
        .map(|from_us| goodput(&report, (from_us, from_us + 1_000_000)))
        .collect();
    let (refused, ended) = lost(&report);
    println!("goodput by seconds {seconds:?} %, {refused} refused, {ended} ended");
    ensure!(
        seconds[1..].iter().all(|percent| *percent >= 80),
        "{seconds:?} %"
    );
    ensure!(refused > 4 * ended, "{refused} refused, {ended} ended");
    is_refused_at_once(&report)
}

/// Whoever is not let in is told so within 10 ms.
fn is_refused_at_once(report: &Report) -> Result<()> {
    let refused = report.requests.iter().filter(|r| !r.is_admitted());
    let slowest_us = refused.map(|r| r.took_us).max().context("none refused")?;
    ensure!(slowest_us < 10_000, "refused after {slowest_us} us");
    Ok(())
}

/// Two sizes in turn on one route, the longer one ten times the other, three times as much as can be done.
fn two_sizes_on_one_route_share_the_time_and_little_of_it_is_lost(lab: &Lab) -> Result<()> {
    const SECONDS: u64 = 3;
    let routes = [unknown("mixed", "fib", &json!({}))];
    let interpreted = replay(lab, &[tenant("main", 8080, &routes)])?;
    for (replay, short, long) in [
        (interpreted.clone(), "/mixed 21", "/mixed 26"),
        (interpreted.native(), "/mixed 25", "/mixed 30"),
    ] {
        let short_us = cpu_us_in(lab, replay.clone(), short)?;
        let long_us = cpu_us_in(lab, replay.clone(), long)?;
        ensure!(long_us > 8 * short_us, "{short_us} and {long_us} us");
        let mut replay = replay;
        let every_us = usize::try_from((short_us + long_us) / 2 / 3)?;
        for (turn, start) in (0..SECONDS * 1_000_000).step_by(every_us).enumerate() {
            replay.client(start, 1, if turn % 2 == 0 { short } else { long });
        }
        let report = replay.play(lab, "")?;
        let percent = goodput(&report, (1_000_000, SECONDS * 1_000_000));
        let (refused, ended) = lost(&report);
        println!("goodput {percent} %, {refused} refused, {ended} ended");
        ensure!(
            percent >= 80,
            "{percent} %: {refused} refused, {ended} ended"
        );
        is_refused_at_once(&report)?;
    }
    Ok(())
}

/// One after the other and at once, with ten seconds of patience and with one.
fn right_after_boot_nothing_is_refused_that_can_be_done(lab: &Lab) -> Result<()> {
    let keys = json!({ "relative-deadline-us": 10 * DEADLINE_US });
    let routes = [
        unknown("patient", "empty", &keys),
        unknown("urgent", "empty", &json!({})),
    ];
    let spec = json!([tenant("main", 8080, &routes)]);
    for route in ["/patient", "/urgent"] {
        for (clients, times) in [(120, 1), (1, 120)] {
            let mut replay = Replay::new(spec.clone()).module("empty.wasm", lab.example("empty")?);
            (0..clients).for_each(|_| replay.client(0, times, route));
            let report = replay.play(lab, "")?;
            ensure!(
                report.requests.len() == 120 && lost(&report) == (0, 0),
                "{route}, {clients} at once: {:?}",
                report.counts
            );
        }
    }
    Ok(())
}

fn after_a_slow_request_no_burst_is_refused_that_can_be_done(lab: &Lab) -> Result<()> {
    const SLOW: &str = "/short 31";
    let slow_us = cpu_us(lab, SLOW)?;
    ensure!((400_000..700_000).contains(&slow_us), "{slow_us} us");
    // Right after boot, and when some were measured.
    for fast in [0, 5] {
        let routes = [unknown("short", "fib", &json!({}))];
        let mut replay = replay(lab, &[tenant("main", 8080, &routes)])?;
        if fast > 0 {
            replay.client(0, fast, SHORT);
        }
        replay.client(100_000, 1, SLOW);
        for burst in [1_000_000, 1_500_000] {
            (0..20).for_each(|_| replay.client(burst, 1, SHORT));
        }
        let report = replay.play(lab, "")?;
        ensure!(
            lost(&report) == (0, 0),
            "after {fast} fast ones: {:?}",
            report.counts
        );
    }
    Ok(())
}

/// They sleep until their deadline, so that all are here at once however slow the host is.
fn after_another_deployment_no_burst_is_refused_that_can_be_done(lab: &Lab) -> Result<()> {
    const AT_ONCE: usize = 16;
    let boot = boot_of(lab, &spec(&[route("sleep", SECOND_US)]))?;
    let machine = lab.serve(&boot.append(&with_token("")))?;
    let client = machine.client();
    client.get("/sleep?ms=0")?.expect_status(200)?;
    let module = std::fs::read(lab.example("sleep")?)?;
    for _ in 0..2 {
        deploy(&client, "/sleep", &module)?.expect_status(200)?;
        let ask = |_| {
            let mut connection = Raw::connect(machine.port())?;
            connection.send("GET /sleep?ms=50000 HTTP/1.1\r\nhost: luge\r\n\r\n")?;
            Ok(connection)
        };
        let connections = (0..AT_ONCE).map(ask).collect::<Result<Vec<_>>>()?;
        for mut connection in connections {
            let status = status_of(&connection.read_head()?)?;
            ensure!(status == 504, "{status}, not let in and ended");
        }
    }
    Ok(())
}
