//! Functions that are replaced and removed beside the requests that run them.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;

use anyhow::{Context, Result, bail};
use luge_harness::Lab;
use luge_harness::http::Client;
use serde_json::json;

use crate::admin::{deploy, fields, remove, reporting, speaker, with_token};
use crate::guests::{Engine, Guests, text};
use crate::load::{REPORT, settled_memory, wait_for_memory, wait_for_the_end_of};
use crate::served::{AMPLE_US, clients, sandboxes_of, wait_for_sandboxes, wait_until};

scenarios![
    a_request_in_flight_keeps_its_module_to_its_end,
    no_request_is_dropped_and_none_is_mixed_while_its_function_is_replaced,
    a_thousand_replacements_leave_nothing_behind,
    a_function_in_native_code_is_replaced_and_removed_too,
];

/// The old one computes for many times as long as all the others take. Its deadline is the latest, so that it makes
/// way for them, on the slowest of hosts too.
fn a_request_in_flight_keeps_its_module_to_its_end(lab: &Lab) -> Result<()> {
    let machine = reporting(lab, "other", &speaker('o', 1), "")?;
    let client = machine.client();
    let settings = json!({ "relative-deadline-us": AMPLE_US }).to_string();
    let fields = [fields()[0], ("luge-route", &*settings)];
    client
        .put(
            "/admin/functions/speaker",
            &fields,
            &speaker('s', 5_000_000),
        )?
        .expect_status(201)?;
    let slow_client = machine.client();
    thread::scope(|scope| {
        let slow = scope.spawn(move || slow_client.get("/speaker"));
        let is_in_flight = || wait_for_sandboxes(&client, "/speaker", 1);
        is_in_flight()?;
        let replaced = [("luge-route", "{}"), fields[0]];
        client
            .put("/admin/functions/speaker", &replaced, &speaker('n', 1))?
            .expect("replaced /speaker\n")?;
        client.get("/speaker")?.expect("nnnnnnnn")?;
        is_in_flight().context("the old one")?;
        remove(&client, "/speaker")?.expect_status(200)?;
        client.get("/speaker")?.expect_status(404)?;
        // It belongs to no route any more.
        wait_until(|| Ok(sandboxes_of(&client, None)? == 1)).context("the old one")?;
        slow.join().ok().context("its thread")??.expect("ssssssss")
    })?;
    drop(client);
    // The programs' arenas went with their last users.
    machine.comes_to(REPORT, |line| line.contains(" arenas=0 "))
}

/// Clients that ask while their function is replaced.
const ASKERS: u64 = 4;
const REPLACEMENTS: u32 = 20;

fn no_request_is_dropped_and_none_is_mixed_while_its_function_is_replaced(lab: &Lab) -> Result<()> {
    let spoken = speaker('a', 2_000);
    let machine = reporting(lab, "speaker", &spoken, "log=warn,main=info")?;
    let mut askers = clients(&machine, ASKERS + 1)?;
    let operator = askers.pop().context("one more client")?;
    let over = AtomicBool::new(false);
    // What each was answered last.
    let last = [const { AtomicU32::new(0) }; ASKERS as usize];
    let ask = |client: Client, last: &AtomicU32| -> Result<()> {
        while !over.load(Relaxed) {
            let answer = client.get("/speaker")?;
            answer.expect_status(200)?;
            match answer.text().as_str() {
                "aaaaaaaa" => last.store('a'.into(), Relaxed),
                "bbbbbbbb" => last.store('b'.into(), Relaxed),
                other => bail!("answered {other:?}"),
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> = askers
            .into_iter()
            .zip(&last)
            .map(|(client, last)| scope.spawn(move || ask(client, last)))
            .collect();
        let replaced = (0..REPLACEMENTS).try_for_each(|number| {
            let letter = if number % 2 == 0 { 'b' } else { 'a' };
            deploy(&operator, "/speaker", &speaker(letter, 2_000))?
                .expect("replaced /speaker\n")?;
            // From the answer on, it is the new one.
            let expected = letter.to_string().repeat(8);
            operator.get("/speaker")?.expect(expected)?;
            let have_all = || {
                last.iter()
                    .all(|last| last.load(Relaxed) == u32::from(letter))
            };
            let has_failed = || threads.iter().any(|thread| thread.is_finished());
            wait_until(|| Ok(have_all() || has_failed())).context("all have the new one")
        });
        over.store(true, Relaxed);
        for thread in threads {
            thread.join().ok().context("a client's thread")??;
        }
        replaced
    })
}

/// A module that leaves its frames behind: it runs into the guard of its stack.
fn overflowing(number: u32) -> Vec<u8> {
    text::module(&format!(
        "(import \"luge_scenario\" \"fill_stack\" (func $fill))
         (data (i32.const 16) \"{number}\")
         (func (export \"_start\") (call $fill))"
    ))
}

fn a_thousand_replacements_leave_nothing_behind(lab: &Lab) -> Result<()> {
    let machine = reporting(
        lab,
        "speaker",
        &speaker('o', 1),
        "log=warn,main=info,observe=info",
    )?;
    let replace = |client: &Client, number: u32| -> Result<()> {
        if number.is_multiple_of(2) {
            deploy(client, "/speaker", &overflowing(number))?.expect_status(200)?;
            let answer = client.get("/speaker")?;
            return answer.expect_outcome("trap stack-overflow");
        }
        let letter = char::from(b'a' + (number % 26) as u8);
        deploy(client, "/speaker", &speaker(letter, 1))?.expect_status(200)?;
        client.get("/speaker")?.expect(letter.to_string().repeat(8))
    };
    let replace_all = |numbers: Range<u32>| -> Result<()> {
        let client = machine.client();
        numbers
            .into_iter()
            .try_for_each(|number| replace(&client, number))
    };
    const FIRST: u32 = 52;
    const ALL: u32 = FIRST + 1_000;
    replace_all(0..FIRST)?;
    wait_for_the_end_of(&machine, u64::from(FIRST))?;
    let before = settled_memory(&machine)?;
    replace_all(FIRST..ALL)?;
    wait_for_the_end_of(&machine, u64::from(ALL))?;
    wait_for_memory(&machine, &before)
}

fn a_function_in_native_code_is_replaced_and_removed_too(lab: &Lab) -> Result<()> {
    let guests = Guests::new(lab, Engine::Wasmtime)?.text_with(
        "traces",
        text::TRACES,
        json!({ "max-concurrency": 7 }),
    )?;
    let machine = lab.serve(&guests.boot(lab)?.append(&with_token("")))?;
    let client = machine.client();
    client.get("/fib?n=20")?.expect("6765\n")?;
    deploy(&client, "/fib", &speaker('n', 1))?.expect("replaced /fib\n")?;
    client.get("/fib?n=20")?.expect("nnnnnnnn")?;
    remove(&client, "/traces")?.expect_status(200)?;
    client.get("/traces")?.expect_status(404)?;
    client.get("/fib")?.expect("nnnnnnnn")?;
    client.post("/echo", b"still")?.expect("still")
}
