//! Guests that throw exceptions: native code has them, and the interpreter says that it has none.

use std::thread;

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use luge_trap::Trap;
use serde_json::{Value, json};
use wasmparser::Operator;

use crate::admin::{deploy, with_token};
use crate::faults::fault_of;
use crate::faults::origin::Origins;
use crate::guests::{Engine, Guests, every_allocation_fails_in_turn, text, thrown};
use crate::served::{AMPLE_US, SECOND_US, route, spec};

scenarios![
    an_exception_is_caught_with_its_values_however_many_frames_it_passes,
    an_exception_that_nobody_catches_is_reported_with_where_it_was_thrown,
    exceptions_that_nobody_has_any_more_take_no_memory,
    exceptions_that_are_kept_count_as_memory_of_the_guest,
    who_throws_endlessly_ends_alone_at_its_deadline,
    a_guest_that_is_preempted_while_it_throws_goes_on_as_if_it_was_not,
    a_stack_that_overflows_where_exceptions_are_thrown_and_caught_ends_its_sandbox,
    every_allocation_of_a_guest_that_throws_may_fail,
    a_module_with_exceptions_runs_as_native_code_and_the_interpreter_says_so,
    the_old_form_of_exceptions_is_refused_with_how_to_compile_to_the_new_one,
];

/// Linear memory of guests made of text, in bytes.
const MEMORY: u32 = 17 << 16;
/// A page of linear memory, in bytes: the heap of exceptions grows by as much.
const PAGE: u32 = 1 << 16;

fn none(lab: &Lab) -> Result<Guests> {
    Guests::none(lab, Engine::Wasmtime)
}

fn an_exception_is_caught_with_its_values_however_many_frames_it_passes(lab: &Lab) -> Result<()> {
    let machine = none(lab)?.text("caught", thrown::CAUGHT)?.serve(lab)?;
    // An instance is kept for the next request, with a heap that is as it was.
    for _ in 0..5 {
        machine.client().get("/caught")?.expect("caught\n")?;
    }
    Ok(())
}

fn an_exception_that_nobody_catches_is_reported_with_where_it_was_thrown(lab: &Lab) -> Result<()> {
    let machine = none(lab)?
        .text("uncaught", thrown::UNCAUGHT)?
        .text("null", thrown::NULL)?
        .serve(lab)?;
    let client = machine.client();
    let is_throw: fn(&Operator) -> bool = |operator| matches!(operator, Operator::Throw { .. });
    let is_throw_ref: fn(&Operator) -> bool = |operator| matches!(operator, Operator::ThrowRef);
    for (name, fields, trap, blamed) in [
        (
            "uncaught",
            thrown::UNCAUGHT,
            Trap::UncaughtException,
            is_throw,
        ),
        ("null", thrown::NULL, Trap::NullReference, is_throw_ref),
    ] {
        // Twice: the second time in the instance that the first one left.
        for _ in 0..2 {
            let fault = fault_of(&client, name, trap)?;
            let module = text::module(fields);
            let origins = Origins::of(&module)?;
            let frame = |name: &str, at: u64| -> Result<Value> {
                Ok(json!({ "function": name, "index": origins.index(name)?, "offset": at }))
            };
            let expected = json!([
                frame("inner", origins.only("inner", blamed)?)?,
                frame("middle", origins.call("middle")?)?,
                frame("start", origins.call("start")?)?,
            ]);
            ensure!(fault["backtrace"] == expected, "{fault}, not {expected}");
        }
    }
    Ok(())
}

/// The heap of exceptions is a page, in halves: 100,000 exceptions of 32 bytes do not fit.
fn exceptions_that_nobody_has_any_more_take_no_memory(lab: &Lab) -> Result<()> {
    const TIMES: u32 = 100_000;
    let keys = |bytes: u32| json!({ "max-memory": bytes });
    let machine = none(lab)?
        .text_with("page", &thrown::counting(TIMES), keys(MEMORY + PAGE))?
        .text_with("none", &thrown::counting(1), keys(MEMORY))?
        .serve(lab)?;
    let client = machine.client();
    for _ in 0..2 {
        let expected = thrown::counted(TIMES).to_le_bytes();
        client.get("/page")?.expect(expected)?;
        // Without the page there is no room for one.
        client.get("/none")?.expect_outcome("trap out-of-memory")?;
    }
    Ok(())
}

fn exceptions_that_are_kept_count_as_memory_of_the_guest(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab, Engine::Wasmtime)?
        .text_with(
            "kept",
            thrown::KEPT,
            json!({ "max-memory": MEMORY + (4 << 20) }),
        )?
        .serve(lab)?;
    for _ in 0..3 {
        machine
            .client()
            .get("/kept")?
            .expect_outcome("trap out-of-memory")?;
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}

fn who_throws_endlessly_ends_alone_at_its_deadline(lab: &Lab) -> Result<()> {
    let keys = json!({ "relative-deadline-us": 2 * SECOND_US, "max-memory": MEMORY + PAGE });
    let machine = Guests::new(lab, Engine::Wasmtime)?
        .text_with("endless", thrown::ENDLESS, keys)?
        .serve(lab)?;
    let endless = {
        let client = machine.client();
        thread::spawn(move || client.get("/endless"))
    };
    while !endless.is_finished() {
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    let answer = endless.join().ok().context("a client's thread")??;
    answer.expect_status(504)?;
    ensure!(answer.outcome() == Some("over-deadline"), "{answer:?}");
    machine.client().get("/fib?n=10")?.expect("55\n")
}

fn a_guest_that_is_preempted_while_it_throws_goes_on_as_if_it_was_not(lab: &Lab) -> Result<()> {
    const TIMES: u32 = 20_000;
    let boot = none(lab)?
        .text("counting", &thrown::counting(TIMES))?
        .text("caught", thrown::CAUGHT)?
        .boot(lab)?
        .append("quantum_us=50 admission=off");
    let machine = lab.serve(&boot)?;
    let ask = |path: &'static str, expected: Vec<u8>| {
        let client = machine.client();
        thread::spawn(move || client.get(path)?.expect(expected))
    };
    let counted = thrown::counted(TIMES).to_le_bytes();
    let clients: Vec<_> = (0..3)
        .flat_map(|_| {
            [
                ask("/counting", counted.to_vec()),
                ask("/caught", b"caught\n".to_vec()),
            ]
        })
        .collect();
    for client in clients {
        client.join().ok().context("a client's thread")??;
    }
    Ok(())
}

/// A throw takes some stack of the guest's, and so does collecting what nobody has any more: with ever less left of
/// it there is a last level from which that is done. No level is more than the end of its own sandbox, and in none is an
/// overflow caught as if it was an exception.
fn a_stack_that_overflows_where_exceptions_are_thrown_and_caught_ends_its_sandbox(
    lab: &Lab,
) -> Result<()> {
    let machine = none(lab)?
        .text("overflow", thrown::CAUGHT_OVERFLOW)?
        .text_with(
            "below",
            thrown::THROWN_FROM_BELOW,
            json!({ "stack-size": 32 << 10 }),
        )?
        .serve(lab)?;
    let client = machine.client();
    client
        .get("/overflow")?
        .expect_outcome("trap stack-overflow")?;
    // 1,500 exceptions of 32 bytes are more than half a page.
    for times in [0_u32, 1_500] {
        let comes_back_from = |levels: u32| -> Result<bool> {
            let input = [levels.to_le_bytes(), times.to_le_bytes()].concat();
            let answer = client.post("/below", &input)?;
            if answer.status == 200 {
                return Ok(true);
            }
            answer.expect_outcome("trap stack-overflow")?;
            Ok(false)
        };
        let last = last_level(&comes_back_from)?;
        ensure!(last > 50, "only {last} levels");
        // From where all of it fits to where nothing does. In between an interrupt may find too little.
        let span = last.saturating_sub(60)..last + 120;
        let came: Vec<bool> = span.map(comes_back_from).collect::<Result<_>>()?;
        ensure!(came[0] && !came[came.len() - 1], "{came:?}");
    }
    Ok(())
}

/// The deepest level from which it comes back.
fn last_level(comes_back_from: &impl Fn(u32) -> Result<bool>) -> Result<u32> {
    let (mut good, mut bad) = (0_u32, 4_096);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if comes_back_from(middle)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Ok(good)
}

fn every_allocation_of_a_guest_that_throws_may_fail(lab: &Lab) -> Result<()> {
    let boot = none(lab)?
        .text("caught", thrown::CAUGHT)?
        .text("uncaught", thrown::UNCAUGHT)?
        .boot(lab)?
        .append("scenario=failing-allocations");
    let machine = lab.serve(&boot)?;
    every_allocation_fails_in_turn(
        &machine,
        &[
            ("caught", "exit 0"),
            ("uncaught", "trap uncaught-exception"),
        ],
    )
}

/// What is said of a module with exceptions that the interpreter is to run.
const ADVICE: &str = "exceptions, which the interpreter does not have; native code has them: luge-image build --native, \
    or ./qemu-run.sh --engine wasmtime";

/// A disk with a module that throws, with native code beside it or not.
fn disk(lab: &Lab, with_native_code: bool) -> Result<Disk> {
    let folder = lab
        .folder("throws")?
        .file("functions.json", spec(&[route("caught", AMPLE_US)]))?
        .file("caught.wasm", text::module(thrown::CAUGHT))?;
    Ok(Disk::Image(if with_native_code {
        lab.native_image(&folder)?
    } else {
        lab.plain_image(&folder)?
    }))
}

fn a_module_with_exceptions_runs_as_native_code_and_the_interpreter_says_so(
    lab: &Lab,
) -> Result<()> {
    let serve = |with_native_code, append: &str| {
        let boot = Boot::new(Kernel::Product).disk(disk(lab, with_native_code)?);
        lab.serve(&boot.append(append))
    };
    let machine = serve(true, &with_token(""))?;
    machine.client().get("/caught")?.expect("caught\n")?;
    // What is uploaded runs in the interpreter.
    let answer = deploy(&machine.client(), "/caught", &text::module(thrown::CAUGHT))?;
    answer.expect_status(422)?;
    let said = answer.text();
    ensure!(
        said.starts_with("/caught: tag section, offset 0x") && said.contains(ADVICE),
        "{said}"
    );
    machine.client().get("/caught")?.expect("caught\n")?;
    let is_left_out = |machine: &Machine| -> Result<()> {
        machine.line("why it is left out", |line| {
            line.contains("caught.wasm: left out: tag section, offset 0x") && line.contains(ADVICE)
        })?;
        machine.client().get("/caught")?.expect_status(404)
    };
    is_left_out(&serve(false, "")?)?;
    is_left_out(&serve(true, "engine=wasmi")?)
}

fn the_old_form_of_exceptions_is_refused_with_how_to_compile_to_the_new_one(
    lab: &Lab,
) -> Result<()> {
    let boot = Boot::new(Kernel::Product);
    let machine = lab.serve(&boot.append(&with_token("")))?;
    let answer = deploy(&machine.client(), "/old", &text::module(thrown::OLD_FORM))?;
    answer.expect_status(422)?;
    let said = answer.text();
    ensure!(
        said.starts_with("/old: code section, offset 0x")
            && said.contains("-wasm-use-legacy-eh=false")
            && said.contains("wasm-opt --translate-to-exnref"),
        "{said}"
    );
    Ok(())
}
