//! For how long the kernel's own work, and host calls, keep the processor from everybody else.

use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use luge_harness::http::Client;
use luge_harness::{Lab, Machine};
use luge_metrics::reader::{Scrape, read};
use serde_json::json;

use crate::guests::{AMPLE_US, Engine, Guests};
use crate::served::{SECOND_US, wait_for_sandboxes};

scenarios![who_sleeps_wakes_in_time_beside_one_that_makes_the_longest_host_calls];

/// What no step may take, in nanoseconds of the machine, which are instructions here.
const MOST_NS: u64 = 100_000;
/// By how much somebody may wake too late: a step, an interrupt that comes in the middle of it, and two switches.
const LATE_NS: u64 = 150_000;

/// Each kind of which there was a step, and how long the longest took, in nanoseconds.
fn longest_steps(client: &Client) -> Result<Vec<(String, u64)>> {
    let scrape = scrape(client)?;
    let samples = scrape.samples.iter();
    let steps = samples.filter(|sample| sample.name == "luge_longest_step_seconds");
    let kinds = steps.map(|sample| {
        let kind = sample.labels.iter().find(|(label, _)| label == "kind");
        let kind = kind.context("a kind")?.1.clone();
        Ok((kind, (sample.value * 1e9) as u64))
    });
    kinds.collect()
}

fn scrape(client: &Client) -> Result<Scrape> {
    let text = client.get("/metrics")?.text();
    read(&text).map_err(|wrong| anyhow!("{wrong:?}"))
}

/// No step of these kinds took too long.
fn are_short(machine: &Machine, of: impl Fn(&str) -> bool) -> Result<()> {
    let steps = longest_steps(&machine.client())?;
    println!("{steps:?}");
    ensure!(steps.iter().any(|(kind, _)| of(kind)), "no such steps");
    let long: Vec<_> = steps
        .iter()
        .filter(|(kind, ns)| of(kind) && *ns > MOST_NS)
        .collect();
    ensure!(long.is_empty(), "too long: {long:?}");
    Ok(())
}

/// In and between the calls, in each engine.
fn who_sleeps_wakes_in_time_beside_one_that_makes_the_longest_host_calls(lab: &Lab) -> Result<()> {
    for engine in [Engine::Wasmi, Engine::Wasmtime] {
        let long = json!({
            "max-scratch-bytes": 32 << 20, "max-memory": 16 << 20, "relative-deadline-us": 2 * AMPLE_US
        });
        let guests = Guests::none(lab, engine)?
            .file_with("long-calls", lab.hostile("long-calls")?, long)?
            .file_with(
                "punctual",
                lab.hostile("punctual")?,
                json!({ "relative-deadline-us": 60 * SECOND_US }),
            )?;
        let boot = guests.boot(lab)?.append("admission=off");
        let machine = lab.serve(&boot.switch("--icount-served"))?;
        let (client, other) = (machine.client(), machine.client());
        let beside = thread::spawn(move || other.get("/long-calls"));
        wait_for_sandboxes(&client, "/long-calls", 1)?;
        let late = client.get("/punctual")?;
        late.expect_status(200)?;
        let late_ns = u64::from_str_radix(&late.text(), 16)?;
        let Ok(response) = beside.join() else {
            bail!("the client's thread");
        };
        response?.expect("").context("the long calls")?;
        println!("{engine:?}: at most {late_ns} ns late");
        ensure!(late_ns <= LATE_NS, "{engine:?}: {late_ns} ns late");
        are_short(&machine, |kind| kind.contains('_'))?;
    }
    Ok(())
}
