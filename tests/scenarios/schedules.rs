//! Schedules as they are seen: by the trace, and by who is not interrupted.

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_harness::http::Client;
use serde_json::Value;

use crate::served::{AMPLE_US, SECOND_US, machine_of, route, spec};

scenarios![
    a_sandbox_that_runs_alone_is_not_interrupted,
    the_trace_is_one_that_viewers_read,
];

/// What the trace says of the sandboxes of a route: how often each kind of event is in it.
pub fn events(client: &Client, name: &str) -> Result<Vec<Value>> {
    let response = client.get("/trace")?;
    response.expect_status(200)?;
    let trace: Value = serde_json::from_slice(&response.body).context("the trace is JSON")?;
    let all = trace["traceEvents"].as_array().context("events")?.clone();
    let of = |event: &Value| event["name"].as_str().is_some_and(|n| n.starts_with(name));
    Ok(all.into_iter().filter(of).collect())
}

fn a_sandbox_that_runs_alone_is_not_interrupted(lab: &Lab) -> Result<()> {
    let machine = machine_of(lab, &spec(&[route("fib", AMPLE_US)]), "")?;
    let client = machine.client();
    // It runs for hundreds of quanta. A packet now and then is not the timer, and in its first seconds the machine looks for
    // the end of a second of the battery-backed clock fifty times a second.
    let mut least = usize::MAX;
    for request in 1..=9 {
        client.get("/fib?n=29")?.expect("514229\n")?;
        let turns = events(&client, &format!("fib #{request}"))?;
        let begun = turns
            .iter()
            .filter(|e| e["ph"] == "B" && e["pid"] == 0)
            .count();
        ensure!(begun > 0, "request {request} is not in the trace");
        least = least.min(begun);
        if least < 20 {
            return Ok(());
        }
    }
    anyhow::bail!("{least} turns at least")
}

fn the_trace_is_one_that_viewers_read(lab: &Lab) -> Result<()> {
    let routes = [route("fib", AMPLE_US), route("loop", SECOND_US / 5)];
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
