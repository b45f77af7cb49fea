//! Functions that are replaced and removed beside the requests that run them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use luge_harness::http::Client;
use luge_harness::{Lab, process};
use serde_json::json;

use crate::admin::{deploy, remove, reporting, speaker, with_token};
use crate::guests::{Engine, Guests, text};
use crate::load::{last_figure, memory, wait_for_memory, wait_for_the_end_of};
use crate::served::{PATIENCE, clients};

scenarios![
    a_request_in_flight_keeps_its_module_to_its_end,
    no_request_is_dropped_and_none_is_mixed_while_its_function_is_replaced,
    a_thousand_replacements_leave_nothing_behind,
    a_function_in_native_code_is_replaced_and_removed_too,
];

fn a_request_in_flight_keeps_its_module_to_its_end(lab: &Lab) -> Result<()> {
    // Some seconds.
    let slow = speaker('s', 3_000_000);
    let machine = reporting(lab, "other", &speaker('o', 1), "")?;
    let client = machine.client();
    deploy(&client, "/speaker", &slow)?.expect_status(201)?;
    let slow_client = machine.client();
    thread::scope(|scope| {
        let slow = scope.spawn(move || slow_client.get("/speaker"));
        while !client.get("/trace")?.text().contains("speaker") {
            process::pause();
        }
        deploy(&client, "/speaker", &speaker('n', 1))?.expect("replaced /speaker\n")?;
        client.get("/speaker")?.expect("nnnnnnnn")?;
        ensure!(
            !slow.is_finished(),
            "the old one has ended too early to tell"
        );
        remove(&client, "/speaker")?.expect_status(200)?;
        client.get("/speaker")?.expect_status(404)?;
        ensure!(
            !slow.is_finished(),
            "the old one has ended too early to tell"
        );
        slow.join().ok().context("its thread")??.expect("ssssssss")
    })?;
    // The programs' arenas went with their last users.
    let gone = Instant::now() + PATIENCE;
    while last_figure(&machine, "arenas=")? != 0 {
        ensure!(Instant::now() < gone, "an arena is left");
        process::pause();
    }
    Ok(())
}

/// Clients that ask while their function is replaced.
const ASKERS: u64 = 4;
const REPLACEMENTS: u32 = 20;

fn no_request_is_dropped_and_none_is_mixed_while_its_function_is_replaced(lab: &Lab) -> Result<()> {
    let spoken = speaker('a', 2_000);
    let machine = reporting(lab, "speaker", &spoken, "log=warn,main=info")?;
    let mut askers = clients(&machine, ASKERS + 1)?;
    let operator = askers.pop().context("one more client")?;
    let (over, answers) = (AtomicBool::new(false), AtomicU32::new(0));
    let ask = |client: Client| -> Result<[bool; 2]> {
        let mut seen = [false; 2];
        while !over.load(Relaxed) {
            let answer = client.get("/speaker")?;
            answer.expect_status(200)?;
            match answer.text().as_str() {
                "aaaaaaaa" => seen[0] = true,
                "bbbbbbbb" => seen[1] = true,
                other => bail!("answered {other:?}"),
            }
            answers.fetch_add(1, Relaxed);
        }
        Ok(seen)
    };
    thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> = askers
            .into_iter()
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        let replaced = (0..REPLACEMENTS).try_for_each(|number| {
            let letter = if number % 2 == 0 { 'b' } else { 'a' };
            deploy(&operator, "/speaker", &speaker(letter, 2_000))?
                .expect("replaced /speaker\n")?;
            // From the answer on, it is the new one.
            let expected = letter.to_string().repeat(8);
            operator.get("/speaker")?.expect(expected)
        });
        over.store(true, Relaxed);
        replaced?;
        for thread in threads {
            let seen = thread.join().ok().context("a client's thread")??;
            ensure!(seen == [true; 2], "only one of the two was seen");
        }
        Ok(())
    })?;
    let answers = answers.into_inner();
    ensure!(answers > REPLACEMENTS, "only {answers} answers beside them");
    Ok(())
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
    let client = machine.client();
    let replace = |number: u32| -> Result<()> {
        if number.is_multiple_of(2) {
            deploy(&client, "/speaker", &overflowing(number))?.expect_status(200)?;
            let answer = client.get("/speaker")?;
            return answer.expect_outcome("trap stack-overflow");
        }
        let letter = char::from(b'a' + (number % 26) as u8);
        deploy(&client, "/speaker", &speaker(letter, 1))?.expect_status(200)?;
        client.get("/speaker")?.expect(letter.to_string().repeat(8))
    };
    // A deployment and a request are a sandbox each.
    const FIRST: u32 = 52;
    const ALL: u32 = FIRST + 1_000;
    (0..FIRST).try_for_each(replace)?;
    wait_for_the_end_of(&machine, 2 * u64::from(FIRST))?;
    let before = memory(&machine)?;
    (FIRST..ALL).try_for_each(replace)?;
    wait_for_the_end_of(&machine, 2 * u64::from(ALL))?;
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
