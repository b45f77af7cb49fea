//! Twenty thousand requests under deadlines and preemption, while one function faults and another loops beside
//! them all the time.
//!
//! Admission is off: these clients take all the time that there is, and never let go. With admission a request that
//! the host's own load makes longer than its booking would come after all of theirs, until its deadline.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_harness::http::Client;
use serde_json::json;

use crate::catalogue::named;
use crate::guests::{Engine, Guests};
use crate::served::clients;

scenarios![
    twenty_thousand_interpreted_requests_are_answered_beside_faults_and_loops,
    twenty_thousand_interpreted_requests_are_answered_with_a_quantum_of_50_us_too,
    twenty_thousand_native_requests_are_answered_beside_faults_and_loops,
    twenty_thousand_native_requests_are_answered_with_a_quantum_of_50_us_too,
];

const REQUESTS: u32 = 20_000;
/// Clients that ask for `empty`, each on a connection of its own.
const CLIENTS: u64 = 4;

/// The deadline of `empty` and of what faults, in microseconds. Longer than anything the host does to the machine.
const SHORT_US: u32 = 20_000_000;
/// The deadline of the loop: later, so that it has the processor when nobody else wants it.
const LONG_US: u32 = 50_000_000;
/// What it may use of the processor: so little that it ends many times while the requests come.
const LOOP_US: u32 = 200_000;

fn twenty_thousand_interpreted_requests_are_answered_beside_faults_and_loops(
    lab: &Lab,
) -> Result<()> {
    crowd(lab, Engine::Wasmi, "quantum_us=1000")
}

fn twenty_thousand_interpreted_requests_are_answered_with_a_quantum_of_50_us_too(
    lab: &Lab,
) -> Result<()> {
    crowd(lab, Engine::Wasmi, "quantum_us=50")
}

fn twenty_thousand_native_requests_are_answered_beside_faults_and_loops(lab: &Lab) -> Result<()> {
    crowd(lab, Engine::Wasmtime, "quantum_us=1000")
}

fn twenty_thousand_native_requests_are_answered_with_a_quantum_of_50_us_too(
    lab: &Lab,
) -> Result<()> {
    crowd(lab, Engine::Wasmtime, "quantum_us=50")
}

fn crowd(lab: &Lab, engine: Engine, quantum: &str) -> Result<()> {
    let short = json!({ "relative-deadline-us": SHORT_US });
    let long = json!({ "relative-deadline-us": LONG_US, "max-exec-us": LOOP_US });
    let guests = Guests::none(lab, engine)?
        .file_with("empty", lab.example("empty")?, short.clone())?
        .file_with("loop", lab.hostile("loop")?, long)?;
    // A fault of the processor in either engine.
    let guests = named("fill-stack").add_to(guests, lab, short)?;
    let boot = guests
        .boot(lab)?
        .append(quantum)
        .append("admission=off log=error,main=info");
    let machine = lab.serve(&boot.limit(Duration::from_secs(300)))?;
    let mut askers = clients(&machine, CLIENTS + 2)?;
    let others = askers.split_off(CLIENTS as usize);
    let [fault, looped] = &others[..] else {
        anyhow::bail!("two more clients")
    };
    let over = AtomicBool::new(false);
    let (faults, loops) = thread::scope(|scope| {
        let faults = scope.spawn(|| until(&over, fault, ask_for_a_fault));
        let loops = scope.spawn(|| until(&over, looped, ask_for_a_loop));
        let answered = ask_for_all(askers);
        over.store(true, Relaxed);
        answered?;
        let faults = faults.join().ok().context("its thread")??;
        Ok::<_, anyhow::Error>((faults, loops.join().ok().context("its thread")??))
    })?;
    ensure!(
        faults >= 100 && loops >= 2,
        "beside them only {faults} faults and {loops} loops"
    );
    machine.client().get("/empty")?.expect("")
}

/// Sends all requests; each must be answered with 200.
fn ask_for_all(clients: Vec<Client>) -> Result<()> {
    let left = AtomicU32::new(REQUESTS);
    let take = || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
    let ask = |client: Client| -> Result<()> {
        while let Ok(left) = take() {
            let answer = client.get("/empty").and_then(|answer| answer.expect(""));
            answer.with_context(|| format!("request {}", REQUESTS - left))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = clients
            .into_iter()
            .map(|client| scope.spawn(|| ask(client)))
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().ok().context("a client's thread")?)
    })
}

/// Asks again and again, and says how often.
fn until(over: &AtomicBool, client: &Client, ask: fn(&Client) -> Result<()>) -> Result<u32> {
    let mut asked = 0;
    while !over.load(Relaxed) {
        ask(client).with_context(|| format!("after {asked}"))?;
        asked += 1;
    }
    Ok(asked)
}

fn ask_for_a_fault(client: &Client) -> Result<()> {
    client
        .get("/fill-stack")?
        .expect_outcome("trap stack-overflow")
}

fn ask_for_a_loop(client: &Client) -> Result<()> {
    client.get("/loop")?.expect_status(504)
}
