//! What is told of a sandbox that a trap has ended: what, where in its module, how it came there; to whom; and that
//! nothing in a module's names harms who reads it.
//!
//! Where an instruction is in a module, these scenarios find by reading the module themselves.

mod cases;
mod names;
pub mod origin;
mod readers;

use anyhow::{Context, Result, ensure};
use luge_harness::http::Client;
use luge_harness::{Lab, Machine};
use luge_memory::layout::{self, NATIVE_CODE, Owner, StackPart};
use luge_trap::Trap;
use serde_json::{Value, json};
use wasmparser::Operator;

use crate::guests::{Engine, Guests, text};
use cases::CASES;
use names::no_name_in_a_module_harms_the_log_the_text_or_the_json;
use origin::Origins;
use readers::{
    a_caller_is_told_of_the_fault_only_if_the_tenant_says_so,
    a_function_that_was_replaced_after_its_fault_is_reported_as_it_was,
    who_is_not_the_operator_is_not_told_of_faults,
};

scenarios![
    each_trap_of_native_code_is_reported_with_its_place_and_the_calls_that_led_there,
    each_trap_in_the_interpreter_is_reported_without_a_place,
    an_overflow_is_reported_with_its_innermost_calls_and_an_address_in_the_guard,
    a_sandbox_that_loses_the_cpu_as_it_overflows_is_reported_all_the_same,
    a_fault_of_the_interpreter_itself_is_reported_with_what_the_processor_found,
    the_last_64_are_kept_and_the_newest_comes_first,
    no_name_in_a_module_harms_the_log_the_text_or_the_json,
    a_caller_is_told_of_the_fault_only_if_the_tenant_says_so,
    who_is_not_the_operator_is_not_told_of_faults,
    a_function_that_was_replaced_after_its_fault_is_reported_as_it_was,
];

/// How many are kept, and how many frames of each.
const KEPT: usize = 64;
const MOST_FRAMES: usize = 12;
const STACK_BYTES: u64 = 512 << 10;

/// All that are kept, the newest first.
fn faults(client: &Client) -> Result<Vec<Value>> {
    let response = client.get("/faults.json")?;
    response.expect_status(200)?;
    let kind = response.header("content-type");
    ensure!(kind == Some("application/json"), "{kind:?}");
    let text = response.text();
    ensure!(!text.contains(['<', '>', '&']), "markup in {text}");
    let value: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    Ok(value.as_array().context("an array")?.clone())
}

fn newest(client: &Client) -> Result<Value> {
    let all = faults(client)?;
    all.into_iter().next().context("there is none")
}

fn number(fault: &Value, key: &str) -> Result<u64> {
    let value = &fault[key];
    value.as_u64().with_context(|| format!("{key} is {value}"))
}

fn address(fault: &Value, key: &str) -> Result<u64> {
    let text = fault[key]
        .as_str()
        .with_context(|| format!("{key}: {}", fault[key]))?;
    let digits = text.strip_prefix("0x").context("0x")?;
    Ok(u64::from_str_radix(digits, 16)?)
}

/// Has a function end by a trap, and gives the report.
pub fn fault_of(client: &Client, name: &str, trap: Trap) -> Result<Value> {
    client
        .get(&format!("/{name}"))?
        .expect_outcome(&format!("trap {trap}"))?;
    let fault = newest(client)?;
    let wanted = [
        ("tenant", json!("main")),
        ("route", json!(format!("/{name}"))),
        ("outcome", json!(format!("trap {trap}"))),
        ("stack_bytes", json!(STACK_BYTES)),
    ];
    for (key, value) in wanted {
        ensure!(fault[key] == value, "{key} is {} in {fault}", fault[key]);
    }
    let (charged_ns, total_ns) = (number(&fault, "charged_ns")?, number(&fault, "total_ns")?);
    ensure!(
        charged_ns > 0 && total_ns > 0 && number(&fault, "at_ns")? > 0,
        "{fault}"
    );
    Ok(fault)
}

fn serve_cases(lab: &Lab, engine: Engine) -> Result<Machine> {
    let none = Guests::none(lab, engine)?;
    let guests = CASES
        .iter()
        .try_fold(none, |guests, case| guests.text(case.name, &case.fields()))?;
    guests.serve(lab)
}

fn each_trap_of_native_code_is_reported_with_its_place_and_the_calls_that_led_there(
    lab: &Lab,
) -> Result<()> {
    let machine = serve_cases(lab, Engine::Wasmtime)?;
    let client = machine.client();
    for case in CASES {
        let fault = fault_of(&client, case.name, case.trap)?;
        let module = text::module(&case.fields());
        let origins = Origins::of(&module)?;
        let chain = [
            ("inner", origins.only("inner", case.blamed)?),
            ("middle", origins.call("middle")?),
            ("start", origins.call("start")?),
        ];
        let frames: Vec<_> = chain
            .iter()
            .map(|(name, at)| {
                let index = origins.index(name)?;
                Ok(json!({ "function": name, "index": index, "offset": at }))
            })
            .collect::<Result<_>>()?;
        let told = &fault["backtrace"];
        ensure!(
            *told == json!(frames),
            "{}: {told}, not {frames:?}",
            case.name
        );
        ensure!(fault["backtrace_is_cut"] == json!(false), "{fault}");
        ensure!(
            fault["function"] == "inner" && fault["offset"] == json!(chain[0].1),
            "{fault}"
        );
        let used = number(&fault, "stack_used_bytes")?;
        ensure!(used > 0 && used < STACK_BYTES, "{fault}");
        ensure!(fault["exception"] == json!(case.exception), "{fault}");
        ensure!(NATIVE_CODE.contains(&address(&fault, "rip")?), "{fault}");
        ensure!(
            fault["cr2"].is_null() == (case.exception != "#PF"),
            "{fault}"
        );
        for (name, at) in chain {
            let said = format!(" {name} (function {}) at {at:#x}", origins.index(name)?);
            let line = |line: &str| line.contains(&format!("({}) backtrace: ", case.name));
            machine.line("the backtrace", |text| line(text) && text.ends_with(&said))?;
        }
    }
    // A store is a write to a page that is not there: SDM Vol. 3A, "Page-Fault Error Code".
    let all = faults(&client)?;
    let mut stores = all.iter().filter(|fault| fault["route"] == "/store");
    let store = stores.next().context("the store")?;
    ensure!(number(store, "error_code")? == 2, "{store}");
    let touched = layout::owner_of(address(store, "cr2")?, &(0..0), |_| STACK_BYTES);
    ensure!(matches!(touched, Owner::Memory { .. }), "{store}");
    Ok(())
}

fn each_trap_in_the_interpreter_is_reported_without_a_place(lab: &Lab) -> Result<()> {
    let machine = serve_cases(lab, Engine::Wasmi)?;
    let client = machine.client();
    for case in CASES {
        let fault = fault_of(&client, case.name, case.trap)?;
        ensure!(fault["backtrace"] == json!([]), "{fault}");
        for key in [
            "function",
            "offset",
            "rip",
            "cr2",
            "error_code",
            "exception",
            "stack_used_bytes",
        ] {
            ensure!(fault[key].is_null(), "{key} in {fault}");
        }
    }
    let text = client.get("/faults")?.text();
    let said = text.matches("where is not known").count();
    ensure!(said == CASES.len(), "{text}");
    Ok(())
}

/// The frames that are kept of an overflow must all be of these functions, by turns, and all but the innermost at
/// the call that `call_in` says.
fn expect_turns(
    fault: &Value,
    names: [&str; 2],
    call_in: impl Fn(&str) -> Result<u64>,
) -> Result<()> {
    let frames = fault["backtrace"].as_array().context("frames")?;
    ensure!(frames.len() == MOST_FRAMES, "{fault}");
    ensure!(fault["backtrace_is_cut"] == json!(true), "{fault}");
    let first = usize::from(frames[0]["function"] != names[0]);
    for (frame, turn) in frames.iter().zip(first..) {
        ensure!(frame["function"] == names[turn % 2], "{fault}");
    }
    for (frame, turn) in frames.iter().zip(first..).skip(1) {
        ensure!(
            frame["offset"] == json!(call_in(names[turn % 2])?),
            "{fault}"
        );
    }
    Ok(())
}

fn an_overflow_is_reported_with_its_innermost_calls_and_an_address_in_the_guard(
    lab: &Lab,
) -> Result<()> {
    let machine = Guests::none(lab, Engine::Wasmtime)?
        .text("mutual", text::MUTUAL)?
        .text("host-calls", text::HOST_CALLS)?
        .serve(lab)?;
    let client = machine.client();
    let fault = fault_of(&client, "mutual", Trap::StackOverflow)?;
    let module = text::module(text::MUTUAL);
    let origins = Origins::of(&module)?;
    expect_turns(&fault, ["a", "b"], |name| origins.call(name))?;
    ensure!(fault["exception"] == "#PF", "{fault}");
    let touched = layout::owner_of(address(&fault, "cr2")?, &(0..0), |_| STACK_BYTES);
    let in_guard = matches!(
        touched,
        Owner::Stack {
            part: StackPart::Guard,
            ..
        }
    );
    ensure!(in_guard, "{touched:?} in {fault}");
    let used = number(&fault, "stack_used_bytes")?;
    let page = layout::PAGE_BYTES;
    ensure!(
        (STACK_BYTES - page..=STACK_BYTES + page).contains(&used),
        "{fault}"
    );

    overflow_of_host_calls(&client)
}

/// Between the moment at which what led to its end is noted and its end, others may run.
fn a_sandbox_that_loses_the_cpu_as_it_overflows_is_reported_all_the_same(lab: &Lab) -> Result<()> {
    let guests = Guests::none(lab, Engine::Wasmtime)?.text("host-calls", text::HOST_CALLS)?;
    let boot = guests.boot(lab)?;
    let machine = lab.serve(&boot.append("scenario=preempted-once-noted"))?;
    overflow_of_host_calls(&machine.client())
}

/// The host call finds too little room.
fn overflow_of_host_calls(client: &Client) -> Result<()> {
    let fault = fault_of(client, "host-calls", Trap::StackOverflow)?;
    let module = text::module(text::HOST_CALLS);
    let origins = Origins::of(&module)?;
    let deeper = origins.index("deeper")?;
    expect_turns(&fault, ["deeper", "deeper"], |name| {
        origins.only(name, |operator| {
            calls(operator).is_some_and(|index| index == deeper)
        })
    })?;
    let host_call = origins.only("deeper", |operator| {
        calls(operator).is_some_and(|index| index != deeper)
    })?;
    ensure!(fault["offset"] == json!(host_call), "{fault}");
    ensure!(
        fault["exception"].is_null() && fault["rip"].is_null(),
        "{fault}"
    );
    Ok(())
}

/// The function that an instruction calls.
fn calls(operator: &Operator) -> Option<u64> {
    match operator {
        Operator::Call { function_index } => Some(u64::from(*function_index)),
        _ => None,
    }
}

fn a_fault_of_the_interpreter_itself_is_reported_with_what_the_processor_found(
    lab: &Lab,
) -> Result<()> {
    let machine = Guests::none(lab, Engine::Wasmi)?
        .file("wild-write", lab.hostile("wild-write")?)?
        .file("divide", lab.hostile("divide")?)?
        .serve(lab)?;
    let client = machine.client();
    let fault = fault_of(&client, "wild-write", Trap::MemoryOutOfBounds)?;
    ensure!(
        fault["exception"] == "#PF" && fault["cr2"] == "0x4000dead0000",
        "{fault}"
    );
    ensure!(number(&fault, "error_code")? == 2, "{fault}");
    ensure!(
        layout::KERNEL_IMAGE.contains(&address(&fault, "rip")?),
        "{fault}"
    );
    ensure!(number(&fault, "stack_used_bytes")? > 0, "{fault}");
    ensure!(
        fault["function"].is_null() && fault["backtrace"] == json!([]),
        "{fault}"
    );
    let fault = fault_of(&client, "divide", Trap::IntegerDivideByZero)?;
    ensure!(
        fault["exception"] == "#DE" && fault["cr2"].is_null(),
        "{fault}"
    );
    Ok(())
}

fn the_last_64_are_kept_and_the_newest_comes_first(lab: &Lab) -> Result<()> {
    let machine = Guests::none(lab, Engine::Wasmtime)?
        .text("early", "(func $early (export \"_start\") unreachable)")?
        .text("late", "(func $late (export \"_start\") unreachable)")?
        .serve(lab)?;
    let client = machine.client();
    ensure!(faults(&client)?.is_empty(), "there is one already");
    client
        .get("/faults")?
        .expect("no sandbox was ended by a trap\n")?;
    for (path, times) in [("/early", 6), ("/late", KEPT - 1)] {
        for _ in 0..times {
            client.get(path)?.expect_status(500)?;
        }
    }
    let all = faults(&client)?;
    ensure!(all.len() == KEPT, "{} are kept", all.len());
    let ids: Vec<_> = all
        .iter()
        .map(|fault| number(fault, "id"))
        .collect::<Result<_>>()?;
    ensure!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    let (late, early) = all.split_at(KEPT - 1);
    ensure!(
        late.iter().all(|fault| fault["function"] == "late"),
        "{late:?}"
    );
    ensure!(early[0]["function"] == "early", "{early:?}");
    let text = client.get("/faults")?.text();
    let sandboxes: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" sandbox "))
        .collect();
    ensure!(sandboxes.len() == KEPT, "{} in the text", sandboxes.len());
    ensure!(
        sandboxes[0].contains(&format!(
            " sandbox {}, main /late: trap unreachable",
            ids[0]
        )),
        "{}",
        sandboxes[0]
    );
    Ok(())
}
