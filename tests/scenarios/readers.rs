//! Clients that take an answer at a rate of their own: the deadline is the function's, and they have limits of their own.
//!
//! They are on a wire, by hand: nothing of an answer is taken but when it is said. Time passes by the machine's own clock,
//! in which somebody else sleeps.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, anyhow, ensure};
use luge_harness::wire::Peer;
use luge_harness::{Lab, Machine, Wire};
use luge_metrics::reader::{Scrape, read};
use serde_json::{Value, json};

use crate::guests::{Engine, Guests};
use crate::served::SECOND_US;
use crate::wire::neighbour;

scenarios![
    a_deadline_does_not_run_while_a_function_waits_for_its_client,
    what_a_function_computes_beyond_its_deadline_ends_it_however_slow_its_client,
    a_client_that_takes_less_than_the_least_rate_is_cut_off_by_name,
    a_client_has_an_end_however_much_it_takes,
    who_takes_an_answer_slowly_makes_room_at_the_limit_of_a_route,
    who_takes_an_answer_slowly_makes_room_for_other_sandboxes,
];

/// How much the guests write, in bytes: much more than anybody holds for a client.
const ANSWER_BYTES: usize = 3 << 20;
/// Writes so much, and ends.
const MUCH: &str = "(func (export \"_start\") (local $left i32)
    (i32.store (i32.const 16) (i32.const 65536))
    (i32.store (i32.const 20) (i32.const 65536))
    (local.set $left (i32.const 48))
    (loop $l
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
        (br_if $l (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))";
/// Writes so much, and goes on for ever.
const MUCH_AND_LOOP: &str = "(func (export \"_start\") (local $left i32)
    (i32.store (i32.const 16) (i32.const 65536))
    (i32.store (i32.const 20) (i32.const 65536))
    (local.set $left (i32.const 48))
    (loop $l
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
        (br_if $l (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (loop $l (br $l)))";

/// A machine on a wire, and who asks it for something else.
struct Place {
    wire: Wire,
    machine: Machine,
    other: Peer,
}

const READER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 101);

impl Place {
    fn new(lab: &Lab, guest: &str, keys: Value, append: &str) -> Result<Self> {
        let guests = Guests::new(lab, Engine::Wasmtime)?
            .text_with("much", guest, keys)?
            .file("sleep", lab.example("sleep")?)?;
        let boot = guests.boot(lab)?.append(append).switch("--icount-served");
        let (mut wire, machine) = Wire::serve(lab, &boot)?;
        wire.arrive(neighbour(2))?;
        wire.arrive(READER)?;
        let other = wire.connect(neighbour(2))?;
        Ok(Self {
            wire,
            machine,
            other,
        })
    }

    /// What is at a path.
    fn get(&mut self, path: &str) -> Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: luge\r\n\r\n");
        self.wire.say(&mut self.other, request.as_bytes())?;
        self.wire.response(&mut self.other)
    }

    /// Waits until so much of the machine's time has passed.
    fn pass(&mut self, ms: u32) -> Result<()> {
        let response = self.get(&format!("/sleep?ms={ms}"))?;
        ensure!(response.ends_with("slept\n"), "{response}");
        Ok(())
    }

    /// Waits until the machine's date has changed twice, without having a function run.
    fn a_second_passes(&mut self) -> Result<()> {
        let mut dates = Vec::new();
        while dates.len() < 3 {
            let response = self.get("/healthz")?;
            let date = response.lines().find(|line| line.starts_with("Date: "));
            let date = date.context("the machine has a clock")?.to_owned();
            if !dates.contains(&date) {
                dates.push(date);
            }
        }
        Ok(())
    }

    /// A page of the host's. It comes in chunks, so it has a connection of its own, which ends with it.
    fn page(&mut self, path: &str) -> Result<String> {
        let mut peer = self.wire.connect(neighbour(2))?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
        self.wire.say(&mut peer, request.as_bytes())?;
        while !peer.is_over() {
            self.wire.news(&mut peer)?;
        }
        Ok(String::from_utf8_lossy(peer.received()).into_owned())
    }

    /// Asks for the much that there is.
    fn begin(&mut self) -> Result<Peer> {
        let mut peer = self.wire.connect(READER)?;
        let request = b"GET /much HTTP/1.1\r\nhost: luge\r\n\r\n";
        self.wire.say(&mut peer, request)?;
        Ok(peer)
    }

    /// Takes what has come each time that so much of the machine's time has passed, until there is no more, or all.
    fn take(&mut self, peer: &mut Peer, every_ms: u32) -> Result<()> {
        while !peer.is_over() && !has_all(peer) {
            self.pass(every_ms)?;
            self.wire.hear(peer)?;
        }
        Ok(())
    }

    fn metric(&mut self, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
        let page = self.page("/metrics")?;
        let (_, text) = page.split_once("\r\n\r\n").context("a head")?;
        let scrape: Scrape = read(text).map_err(|wrong| anyhow!("{wrong:?}"))?;
        Ok(scrape.sum(name, labels))
    }

    /// How long the function of the last record was alive, how long it waited for its client, and its outcome.
    fn last_of_much(&mut self) -> Result<(u64, u64, String)> {
        let page = self.page("/records")?;
        let (_, table) = page.split_once("\r\n\r\n").context("a head")?;
        let names: Vec<_> = table.lines().next().context("names")?.split(',').collect();
        let mut of_much = table.lines().filter(|line| line.contains(",/much,"));
        let row = of_much.next_back().context("a record")?;
        let row: BTreeMap<_, _> = names.into_iter().zip(row.split(',')).collect();
        let number = |name| -> Result<u64> {
            Ok(row
                .get(name)
                .with_context(|| format!("no {name}"))?
                .parse()?)
        };
        let outcome = row.get("outcome").context("no outcome")?;
        Ok((
            number("actual")?,
            number("waiting_for_client")?,
            (*outcome).to_owned(),
        ))
    }
}

fn has_all(peer: &Peer) -> bool {
    let received = peer.received();
    received.len() >= ANSWER_BYTES && received.ends_with(b"\r\n\r\n")
}

fn keys(deadline_us: u64) -> Value {
    json!({ "relative-deadline-us": deadline_us, "max-response-bytes": 1 << 30 })
}

fn a_deadline_does_not_run_while_a_function_waits_for_its_client(lab: &Lab) -> Result<()> {
    let mut place = Place::new(lab, MUCH, keys(SECOND_US), "")?;
    let mut peer = place.begin()?;
    place.take(&mut peer, 40)?;
    let received = peer.received();
    let zeroes = received.iter().filter(|byte| **byte == 0).count();
    ensure!(zeroes == ANSWER_BYTES, "{zeroes} bytes came");
    let end = String::from_utf8_lossy(&received[received.len() - 200..]).into_owned();
    ensure!(end.contains("luge-outcome: exit 0\r\n"), "{end:?}");
    let (actual, waited, outcome) = place.last_of_much()?;
    ensure!(outcome == "exit 0" && actual > 2_000_000_000, "{actual}");
    ensure!(actual - waited < 1_000_000_000, "{actual}, {waited}");
    let of_much = [("route", "/much")];
    for (name, expected) in [
        ("luge_deadline_misses_total", 0.0),
        ("luge_outcomes_total", 1.0),
    ] {
        let count = place.metric(name, &of_much)?;
        ensure!(count == expected, "{name}: {count}");
    }
    let ended_well = [("route", "/much"), ("outcome", "exit-0")];
    ensure!(place.metric("luge_outcomes_total", &ended_well)? == 1.0);
    Ok(())
}

/// Its client takes more than two seconds for what it wrote before. It has its second all the same, and no more.
fn what_a_function_computes_beyond_its_deadline_ends_it_however_slow_its_client(
    lab: &Lab,
) -> Result<()> {
    let mut place = Place::new(lab, MUCH_AND_LOOP, keys(SECOND_US), "")?;
    let mut peer = place.begin()?;
    while peer.received().len() < ANSWER_BYTES && !peer.is_over() {
        place.pass(40)?;
        place.wire.hear(&mut peer)?;
    }
    place.machine.line("that the loop was ended", |line| {
        line.contains("(much) ended: over-deadline")
    })?;
    let (actual, waited, outcome) = place.last_of_much()?;
    ensure!(outcome == "over-deadline", "{outcome}");
    ensure!(waited > 1_500_000_000, "it waited for {waited} ns");
    let own = actual - waited;
    ensure!(
        (1_000_000_000..1_200_000_000).contains(&own),
        "it had {own} ns"
    );
    let misses = place.metric("luge_deadline_misses_total", &[("route", "/much")])?;
    ensure!(misses == 1.0, "{misses}");
    Ok(())
}

/// It takes nothing after the beginning. The function has a deadline that comes first.
fn a_client_that_takes_less_than_the_least_rate_is_cut_off_by_name(lab: &Lab) -> Result<()> {
    let mut place = Place::new(lab, MUCH, keys(SECOND_US), "")?;
    let mut peer = place.begin()?;
    place.machine.line("that the client was given up", |line| {
        line.contains("(much) ended: slow-reader")
    })?;
    place.wire.hear(&mut peer)?;
    let (actual, waited, outcome) = place.last_of_much()?;
    ensure!(outcome == "slow-reader", "{outcome}");
    ensure!(
        (30_000_000_000..31_000_000_000).contains(&actual),
        "{actual}"
    );
    ensure!(waited > 29_000_000_000, "{waited}");
    given_up(&mut place, "least-rate")
}

fn given_up(place: &mut Place, why: &str) -> Result<()> {
    for reason in ["least-rate", "end", "made-room"] {
        let count = place.metric("luge_slow_readers_total", &[("reason", reason)])?;
        ensure!((count > 0.0) == (reason == why), "{reason}: {count}");
    }
    Ok(())
}

/// It takes hundreds of kilobytes a second, as long as it may.
fn a_client_has_an_end_however_much_it_takes(lab: &Lab) -> Result<()> {
    let mut place = Place::new(lab, MUCH, keys(60 * SECOND_US), "answer_timeout_s=1")?;
    let mut peer = place.begin()?;
    place.take(&mut peer, 40)?;
    ensure!(peer.is_over() && !has_all(&peer), "it got all");
    let (_, waited, outcome) = place.last_of_much()?;
    ensure!(outcome == "slow-reader", "{outcome}");
    ensure!(waited < 1_000_000_000, "{waited}");
    given_up(&mut place, "end")
}

fn who_takes_an_answer_slowly_makes_room_at_the_limit_of_a_route(lab: &Lab) -> Result<()> {
    let mut keys = keys(600 * SECOND_US);
    keys["max-concurrency"] = 1.into();
    let place = Place::new(lab, MUCH, keys, "")?;
    makes_room(place, "429 ")
}

/// Each has a large stack, so there is room for a few only.
fn who_takes_an_answer_slowly_makes_room_for_other_sandboxes(lab: &Lab) -> Result<()> {
    let mut keys = keys(600 * SECOND_US);
    keys["stack-size"] = (8 << 20).into();
    let place = Place::new(lab, MUCH, keys, "")?;
    makes_room(place, "503 ")
}

/// Clients come that take nothing of their answers, until one is refused; one of them is given up for the next that comes
/// when they have been slow.
fn makes_room(mut place: Place, refusal: &str) -> Result<()> {
    let mut slow = Vec::new();
    while let Some(peer) = try_to_begin(&mut place, refusal)? {
        slow.push(peer);
    }
    let mut tries = 0;
    while try_to_begin(&mut place, refusal)?.is_none() {
        tries += 1;
        ensure!(tries < 4, "nobody makes room");
        place.a_second_passes()?;
    }
    let mut gone = 0;
    for peer in &mut slow {
        place.wire.hear(peer)?;
        gone += usize::from(peer.is_over());
    }
    ensure!(gone >= 1, "the slow ones go on");
    given_up(&mut place, "made-room")
}

/// A client that takes no more than the beginning of its answer, unless it is refused.
fn try_to_begin(place: &mut Place, refusal: &str) -> Result<Option<Peer>> {
    let mut peer = place.begin()?;
    while peer.received().len() < 20 {
        ensure!(!peer.is_over(), "it was broken off");
        place.wire.news(&mut peer)?;
    }
    let head = String::from_utf8_lossy(peer.received()).into_owned();
    if head.starts_with(&format!("HTTP/1.1 {refusal}")) {
        return Ok(None);
    }
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head:.300}");
    Ok(Some(peer))
}
