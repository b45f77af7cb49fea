//! What clients ask of the kernel itself, without end, and who has been promised something beside that.
//!
//! All figures are of the machine's own time. How fast the flood comes is the host's affair, so what it must bring about
//! is waited for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow, ensure};
use luge_harness::http::{Client, Raw};
use luge_harness::{Kernel, Lab, Machine};
use luge_metrics::reader::read;
use serde_json::json;

use crate::guests::{Engine, Guests};

scenarios![who_waits_before_its_head_is_read_waits_within_its_deadline];

/// Connections of a flood.
const FLOODING: usize = 64;
/// Requests that are on their way on each of them, twice: some while the answers to the others come.
const PIPELINED: usize = 100;
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: luge\r\n\r\n";

/// Connections that are open, before anybody asks for anything without end.
struct Calm(Vec<Raw>);

/// Clients that ask for `/healthz` on many connections at once, faster than it can be answered.
struct Flood {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Result<()>>>,
}

impl Calm {
    /// They connect one after the other, since the host's queue of connections is short.
    fn before(machine: &Machine) -> Result<Self> {
        let connected = (0..FLOODING).map(|_| {
            let mut raw = Raw::connect(machine.port())?;
            raw.send(HEALTH)?;
            raw.read_head()?;
            Ok(raw)
        });
        Ok(Self(connected.collect::<Result<_>>()?))
    }

    /// Has the flood begin.
    fn ends(self) -> Flood {
        let is_over = Arc::new(AtomicBool::new(false));
        let clients = self.0.into_iter().map(|raw| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || pipeline(raw.stream(), &is_over))
        });
        Flood {
            clients: clients.collect(),
            is_over,
        }
    }
}

impl Flood {
    /// Ends it.
    fn end(self) -> Result<()> {
        self.is_over.store(true, Relaxed);
        self.clients.into_iter().try_for_each(|client| {
            let ended = client.join();
            ended.map_err(|_| anyhow!("a client's thread has panicked"))?
        })
    }
}

/// Asks again and again, and never waits for all the answers.
fn pipeline(mut stream: &TcpStream, is_over: &AtomicBool) -> Result<()> {
    let requests = HEALTH.repeat(PIPELINED);
    stream.write_all(requests.as_bytes())?;
    let (mut answers, mut bytes, mut last) = (0, [0; 16 << 10], 0);
    while !is_over.load(Relaxed) {
        stream.write_all(requests.as_bytes())?;
        while answers < PIPELINED {
            let count = stream.read(&mut bytes)?;
            ensure!(count > 0, "the machine has closed a connection");
            for &byte in &bytes[..count] {
                // Each answer ends with the body "ok" and nothing else in it has such a line.
                answers += usize::from(last == b'k' && byte == b'\n');
                last = byte;
            }
        }
        answers -= PIPELINED;
    }
    Ok(())
}

/// What was counted of a route by this name, whatever the other labels.
fn counted(client: &Client, name: &str, route: &str) -> Result<f64> {
    let text = client.get("/metrics")?.text();
    let scrape = read(&text).map_err(|wrong| anyhow!("{wrong:?}"))?;
    Ok(scrape.sum(name, &[("route", route)]))
}

/// Its own work takes a small part of its deadline, and nobody else runs: it can only be late for what it waits until
/// its request is looked at, after those of the others. Admission is off, so that it is let in then.
fn who_waits_before_its_head_is_read_waits_within_its_deadline(lab: &Lab) -> Result<()> {
    const ALONE: usize = 20;
    const LATE: usize = 3;
    const TRIES: usize = 20;
    let keys = json!({ "relative-deadline-us": 300 });
    let guests = Guests::none(lab, Engine::Wasmtime)?;
    let guests = guests.file_with("empty", lab.example("empty")?, keys)?;
    let boot = guests.boot(lab)?.kernel(Kernel::Product);
    let machine = lab.serve(&boot.append("admission=off").switch("--icount-served"))?;
    let calm = Calm::before(&machine)?;
    let (client, other) = (machine.client(), machine.client());
    // The first one pays for what is made once.
    client.get("/empty")?;
    let misses = || counted(&other, "luge_deadline_misses_total", "/empty");
    let before = misses()?;
    for _ in 0..ALONE {
        client.get("/empty")?.expect_status(200)?;
    }
    ensure!(misses()? == before, "late though nobody else was there");
    let flood = calm.ends();
    let (mut late, mut asked) = (0, 0);
    while late < LATE && asked < TRIES {
        late += usize::from(client.get("/empty")?.status == 504);
        asked += 1;
    }
    flood.end()?;
    println!("{late} of {asked} late beside the flood, none of {ALONE} alone");
    ensure!(late == LATE, "{late} of {asked} were late");
    let counted = misses()? - before;
    ensure!(
        counted == LATE as f64,
        "{LATE} clients saw 504, {counted} misses were counted"
    );
    Ok(())
}
