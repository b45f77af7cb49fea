//! Every request finds its instance as new, though instances are made once and restored.

use anyhow::{Context, Result, ensure};
use luge_harness::http::Client;
use luge_harness::{Lab, Machine};
use serde_json::json;

use crate::guests::{Engine, Guests, text};
use crate::served::clients;

scenarios![
    every_request_finds_its_instance_as_new,
    a_start_function_runs_for_every_request,
    kept_instances_make_way_for_who_needs_their_memory,
    idle_stacks_make_way_for_who_needs_their_memory,
    a_warm_request_maps_and_unmaps_nothing,
];

const ENGINES: [Engine; 2] = [Engine::Wasmi, Engine::Wasmtime];

/// Ends with another code for each thing of the instance that is not as it was compiled, and then spoils
/// all of them: a global, a table's element and its length, memory with and without initial data, and
/// the memory's length.
const SPOILER: &str = "
    (global $g (mut i64) (i64.const 7))
    (table $t 2 8 funcref) (elem (table $t) (i32.const 0) func $one)
    (elem declare func $two)
    (type $f (func (result i32)))
    (data (i32.const 65536) \"abcdefgh\")
    (func $one (type $f) (i32.const 1))
    (func $two (type $f) (i32.const 2))
    (func $expect (param $holds i32) (param $code i32)
        (if (i32.eqz (local.get $holds)) (then (call $exit (local.get $code)))))
    (func (export \"_start\")
        (call $expect (i64.eq (global.get $g) (i64.const 7)) (i32.const 11))
        (call $expect (i32.eq (call_indirect $t (type $f) (i32.const 0)) (i32.const 1)) (i32.const 12))
        (call $expect (ref.is_null (table.get $t (i32.const 1))) (i32.const 13))
        (call $expect (i32.eq (table.size $t) (i32.const 2)) (i32.const 14))
        (call $expect (i32.eq (memory.size) (i32.const 17)) (i32.const 15))
        (call $expect (i64.eq (i64.load (i32.const 65536)) (i64.const 0x6867666564636261)) (i32.const 16))
        (call $expect (i64.eqz (i64.load (i32.const 8))) (i32.const 17))
        (call $expect (i64.eqz (i64.load (i32.const 1114104))) (i32.const 18))
        (global.set $g (i64.const 8))
        (table.set $t (i32.const 0) (ref.func $two))
        (table.set $t (i32.const 1) (ref.func $two))
        (drop (table.grow $t (ref.func $two) (i32.const 3)))
        (i64.store (i32.const 65536) (i64.const 1))
        (i64.store (i32.const 8) (i64.const 1))
        (i64.store (i32.const 1114104) (i64.const 1))
        (call $expect (i32.eq (memory.grow (i32.const 40)) (i32.const 17)) (i32.const 19))
        (call $expect (i64.eqz (i64.load (i32.const 3000000))) (i32.const 20))
        (memory.fill (i32.const 2000000) (i32.const 5) (i32.const 1500000)))";

/// The same, and ends by force.
fn spoiler_that_traps() -> String {
    let end = SPOILER.rfind(')').expect("it is a module's text");
    format!("{} unreachable)", &SPOILER[..end])
}

fn every_request_finds_its_instance_as_new(lab: &Lab) -> Result<()> {
    for engine in ENGINES {
        let machine = Guests::new(lab, engine)?
            .text("spoiler", SPOILER)?
            .text("trapping", &spoiler_that_traps())?
            .serve(lab)?;
        for turn in 0..20 {
            let turn = || format!("{engine:?}, turn {turn}");
            let client = machine.client();
            client.get("/spoiler")?.expect("").with_context(turn)?;
            let trapping = client.get("/trapping")?;
            trapping
                .expect_outcome("trap unreachable")
                .with_context(turn)?;
        }
        together(&machine)?;
    }
    Ok(())
}

/// Several at once, which have an arena each.
fn together(machine: &Machine) -> Result<()> {
    let ask = |client: Client| (0..10).try_for_each(|_| client.get("/spoiler")?.expect(""));
    let connected = clients(machine, 4)?;
    std::thread::scope(|scope| {
        let clients = connected.into_iter();
        let clients: Vec<_> = clients
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        let mut results = clients.into_iter().map(|client| client.join().ok());
        results.try_for_each(|result| result.context("a client's thread")?)
    })
}

/// What it does is seen: its random numbers differ from one request to the next.
const STARTING: &str = "
    (func $first (drop (call $random (i32.const 0) (i32.const 1)))) (start $first)
    (func (export \"_start\") (call $exit (i32.and (i32.load8_u (i32.const 0)) (i32.const 127))))";

fn a_start_function_runs_for_every_request(lab: &Lab) -> Result<()> {
    for engine in ENGINES {
        let machine = Guests::new(lab, engine)?
            .text("starting", STARTING)?
            .serve(lab)?;
        let outcomes = (0..20).map(|_| outcome(&machine, "/starting"));
        let mut outcomes = outcomes.collect::<Result<Vec<_>>>()?;
        outcomes.sort();
        outcomes.dedup();
        ensure!(outcomes.len() > 1, "{engine:?}: always {outcomes:?}");
    }
    Ok(())
}

/// Takes what memory it can get, and says how much that was, in units of 2 MiB.
const GREEDY: &str = "
    (func (export \"_start\")
        (loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 8)) (i32.const 0))))
        (call $exit (i32.div_u (memory.size) (i32.const 32))))";

fn kept_instances_make_way_for_who_needs_their_memory(lab: &Lab) -> Result<()> {
    for engine in ENGINES {
        let more = json!({ "max-memory": 240 << 20 });
        let mut guests = Guests::new(lab, engine)?.text_with("greedy", GREEDY, more)?;
        for number in 0..12 {
            guests = guests.text(&format!("g{number}"), text::TRACES)?;
        }
        let machine = guests.serve(lab)?;
        let alone = outcome(&machine, "/greedy")?;
        for number in 0..12 {
            machine.client().get(&format!("/g{number}"))?.expect("")?;
        }
        let after_others = outcome(&machine, "/greedy")?;
        ensure!(
            after_others == alone,
            "{engine:?}: {alone} at first, {after_others} after others"
        );
        ensure!(alone != "exit 0", "{engine:?}: it got nothing");
    }
    Ok(())
}

/// A stack of 8 MiB that waits for the next sandbox is not missing.
fn idle_stacks_make_way_for_who_needs_their_memory(lab: &Lab) -> Result<()> {
    for engine in ENGINES {
        let machine = Guests::new(lab, engine)?
            .text_with("greedy", GREEDY, json!({ "max-memory": 240 << 20 }))?
            .text_with(
                "deep",
                "(func (export \"_start\"))",
                json!({ "stack-size": 8 << 20 }),
            )?
            .serve(lab)?;
        let alone = outcome(&machine, "/greedy")?;
        machine.client().get("/deep")?.expect("")?;
        let after_deep = outcome(&machine, "/greedy")?;
        ensure!(
            after_deep == alone,
            "{engine:?}: {alone} at first, {after_deep} after a deep stack"
        );
    }
    Ok(())
}

fn outcome(machine: &Machine, path: &str) -> Result<String> {
    let response = machine.client().get(path)?;
    Ok(response.outcome().unwrap_or("none").to_owned())
}

/// Whether it ends by itself or by force, in software or by an exception.
fn a_warm_request_maps_and_unmaps_nothing(lab: &Lab) -> Result<()> {
    for engine in ENGINES {
        let mut guests = Guests::new(lab, engine)?.file("empty", lab.example("empty")?)?;
        for name in [
            "exit3",
            "unreachable",
            "memory-out-of-bounds",
            "integer-divide-by-zero",
        ] {
            guests = guests.file(name, lab.hostile(name)?)?;
        }
        let boot = guests.boot(lab)?;
        let machine = lab.serve(&boot.append("scenario=warm log=error,scenario=info,main=info"))?;
        let line = machine.line("the report of the scenario", |line| line.contains("warm: "))?;
        ensure!(line.contains(", 0 in 140 runs then"), "{engine:?}: {line}");
        ensure!(
            !line.contains("warm: 0 changes"),
            "nothing was counted: {line}"
        );
    }
    Ok(())
}
