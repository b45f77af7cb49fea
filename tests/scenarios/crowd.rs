//! Thousands of requests under deadlines and preemption, while one function faults and another loops beside them all
//! the time: two thousand in the default run, twenty thousand in the long one.
//!
//! Nobody stops before everybody has done enough, so that it makes no difference how the host shares out its time.
//!
//! Admission is off: these clients take all the time that there is, and never let go. With admission a request that
//! the host's own load makes longer than its booking would come after all of theirs, until its deadline.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use luge_harness::Lab;
use luge_harness::http::Client;
use serde_json::json;

use crate::catalogue::named;
use crate::guests::{Engine, Guests};
use crate::served::{AMPLE_US, clients};

scenarios![
    two_thousand_interpreted_requests_are_answered_beside_faults_and_loops,
    two_thousand_native_requests_are_answered_with_a_quantum_of_50_us_too,
    long twenty_thousand_interpreted_requests_are_answered_beside_faults_and_loops,
    long twenty_thousand_interpreted_requests_are_answered_with_a_quantum_of_50_us_too,
    long twenty_thousand_native_requests_are_answered_beside_faults_and_loops,
    long twenty_thousand_native_requests_are_answered_with_a_quantum_of_50_us_too,
];

const MANY: u32 = 2_000;
const VERY_MANY: u32 = 20_000;
/// How many faults and loops there are beside them at least.
const FAULTS: u32 = 100;
const LOOPS: u32 = 2;
/// Clients that ask for `empty`, each on a connection of its own.
const CLIENTS: u64 = 4;

/// The deadline of `empty` and of what faults, in microseconds. Longer than anything the host does to the machine.
const SHORT_US: u64 = AMPLE_US;
/// The deadline of the loop: later, so that it has the processor when nobody else wants it.
const LONG_US: u64 = 2 * AMPLE_US;
/// What it may use of the processor: so little that it ends many times while the requests come.
const LOOP_US: u32 = 200_000;

fn two_thousand_interpreted_requests_are_answered_beside_faults_and_loops(lab: &Lab) -> Result<()> {
    crowd(lab, Engine::Wasmi, MANY, "quantum_us=1000")
}

fn two_thousand_native_requests_are_answered_with_a_quantum_of_50_us_too(lab: &Lab) -> Result<()> {
    crowd(lab, Engine::Wasmtime, MANY, "quantum_us=50")
}

fn twenty_thousand_interpreted_requests_are_answered_beside_faults_and_loops(
    lab: &Lab,
) -> Result<()> {
    crowd(lab, Engine::Wasmi, VERY_MANY, "quantum_us=1000")
}

fn twenty_thousand_interpreted_requests_are_answered_with_a_quantum_of_50_us_too(
    lab: &Lab,
) -> Result<()> {
    crowd(lab, Engine::Wasmi, VERY_MANY, "quantum_us=50")
}

fn twenty_thousand_native_requests_are_answered_beside_faults_and_loops(lab: &Lab) -> Result<()> {
    crowd(lab, Engine::Wasmtime, VERY_MANY, "quantum_us=1000")
}

fn twenty_thousand_native_requests_are_answered_with_a_quantum_of_50_us_too(
    lab: &Lab,
) -> Result<()> {
    crowd(lab, Engine::Wasmtime, VERY_MANY, "quantum_us=50")
}

fn crowd(lab: &Lab, engine: Engine, requests: u32, quantum: &str) -> Result<()> {
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
    let machine = lab.serve(&boot.limit(Duration::from_secs(1_800)))?;
    let askers = clients(&machine, CLIENTS + 2)?;
    let crowd = &Crowd::new(requests);
    thread::scope(|scope| {
        let kinds = [Kind::Fault, Kind::Loop].into_iter();
        let kinds = kinds.chain(std::iter::repeat(Kind::Empty));
        let askers: Vec<_> = askers
            .into_iter()
            .zip(kinds)
            .map(|(client, kind)| scope.spawn(move || crowd.ask(client, kind)))
            .collect();
        askers
            .into_iter()
            .try_for_each(|asker| asker.join().ok().context("a client's thread")?)
    })?;
    machine.client().get("/empty")?.expect("")
}

/// What is asked for, and what must come of it.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Empty,
    Fault,
    Loop,
}

impl Kind {
    fn ask(self, client: &Client) -> Result<()> {
        match self {
            Kind::Empty => client.get("/empty")?.expect(""),
            Kind::Fault => {
                let answer = client.get("/fill-stack")?;
                answer.expect_outcome("trap stack-overflow")
            }
            Kind::Loop => client.get("/loop")?.expect_status(504),
        }
    }
}

/// How often each kind was answered, and how often it must be; and whether anything went wrong.
struct Crowd {
    answered: [AtomicU32; 3],
    enough: [u32; 3],
    has_failed: AtomicBool,
}

impl Crowd {
    fn new(requests: u32) -> Crowd {
        Crowd {
            answered: [const { AtomicU32::new(0) }; 3],
            enough: [requests, FAULTS, LOOPS],
            has_failed: AtomicBool::new(false),
        }
    }

    /// Asks again and again, until everybody has been answered often enough or somebody has failed.
    fn ask(&self, client: Client, kind: Kind) -> Result<()> {
        let answered = &self.answered[kind as usize];
        while !self.is_over() {
            let asked = kind.ask(&client);
            if asked.is_err() {
                self.has_failed.store(true, Relaxed);
            }
            let count = answered.fetch_add(1, Relaxed);
            asked.with_context(|| format!("{kind:?}, after {count}"))?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let mut kinds = self.answered.iter().zip(self.enough);
        self.has_failed.load(Relaxed) || kinds.all(|(count, enough)| count.load(Relaxed) >= enough)
    }
}
