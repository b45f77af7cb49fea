//! Modules become ready one after the other while others are served.

use anyhow::{Context, Result, ensure};
use luge_harness::http::Client;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::Value;

use crate::admin::{deploy, speaker, with_token};
use crate::served::{SECOND_US, route, spec, timing_us};

scenarios![
    a_small_function_beside_large_modules_answers_as_soon_as_alone,
    a_request_waits_for_its_module_and_the_pages_say_for_what,
    a_request_that_waits_in_vain_is_told_that_its_function_is_not_ready,
    a_module_that_is_wanted_comes_before_smaller_ones,
    a_module_that_was_replaced_before_its_turn_is_not_made,
    a_module_too_large_for_the_memory_is_left_out_and_the_others_serve,
];

/// So long that nothing ends at it.
const LONG_US: u64 = 600 * SECOND_US;

/// How many bytes of code a function of [`module_of`] has, nearly.
const FUNCTION_BYTES: usize = 4_000;

/// A command of about so many bytes, all of them functions that are never called: there is work for a translator, and
/// the answer is empty.
pub fn module_of(bytes: usize) -> Vec<u8> {
    // Its one local times 77, again and again.
    let mut body = vec![1, 1, 0x7f];
    for _ in 0..FUNCTION_BYTES / 8 {
        body.extend([0x20, 0, 0x41, 0xcd, 0, 0x6c, 0x21, 0]);
    }
    body.push(0x0b);
    let count = 1 + bytes / FUNCTION_BYTES;
    let mut bodies = number(count);
    bodies.extend([2, 0, 0x0b]);
    for _ in 1..count {
        bodies.extend(number(body.len()));
        bodies.extend(&body);
    }
    let mut functions = number(count);
    functions.resize(functions.len() + count, 0);
    let exports = b"\x02\x06memory\x02\0\x06_start\0\0";
    let sections: [(u8, &[u8]); 5] = [
        (1, &[1, 0x60, 0, 0]),
        (3, &functions),
        (5, &[1, 0, 1]),
        (7, exports),
        (10, &bodies),
    ];
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in sections {
        module.push(id);
        module.extend(number(content.len()));
        module.extend(content);
    }
    module
}

/// A number in LEB128.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = number as u8 & 0x7f;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

/// A machine with `fib`, and modules of these names and sizes, none of them looked at by our own tool.
fn boot(lab: &Lab, name: &str, modules: &[(&str, usize)], deadline_us: u64) -> Result<Boot> {
    let mut routes = vec![route("fib", LONG_US)];
    let mut folder = lab.folder(name)?.copy("fib.wasm", lab.example("fib")?)?;
    for (name, bytes) in modules {
        folder = folder.file(&format!("{name}.wasm"), module_of(*bytes))?;
        routes.push(route(name, deadline_us));
    }
    let folder = folder.file("functions.json", spec(&routes))?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    Ok(Boot::new(Kernel::Product).disk(disk))
}

/// Serves before all its functions are ready.
fn serve_early(lab: &Lab, boot: &Boot) -> Result<Machine> {
    let machine = lab.boot(boot)?;
    let line = machine.serves()?;
    ensure!(line.contains("] ready; "), "{line}");
    Ok(machine)
}

/// When the machine logged the line with `words`, by its own clock, in microseconds since it was started.
fn logged_us(machine: &Machine, words: &str) -> Result<u64> {
    let line = machine.line(words, |line| line.contains(words))?;
    let time = line.trim_start_matches('[').split_whitespace().next();
    let seconds: f64 = time.context("a time")?.parse()?;
    Ok((seconds * 1e6) as u64)
}

/// How long after its start the machine could answer a first request for `fib`, in its own time, which is that of
/// its instructions, without how long the client took to ask.
fn first_answer_us(lab: &Lab, boot: &Boot) -> Result<(u64, Machine)> {
    let machine = lab.boot(&boot.clone().switch("--icount-served"))?;
    machine.serves()?;
    let answer = machine.client().get("/fib?n=1")?;
    answer.expect("1\n")?;
    let ready_us = logged_us(&machine, "route :8080/fib: ")?;
    let took_us = timing_us(&answer, "queue")? + timing_us(&answer, "run")?;
    Ok((ready_us + took_us, machine))
}

fn a_small_function_beside_large_modules_answers_as_soon_as_alone(lab: &Lab) -> Result<()> {
    let (alone_us, _) = first_answer_us(lab, &boot(lab, "alone", &[], LONG_US)?)?;
    let large = ["a", "b", "c", "d"].map(|name| (name, 10 << 20));
    let boot = boot(lab, "beside", &large, LONG_US)?;
    let (beside_us, machine) = first_answer_us(lab, &boot)?;
    ensure!(
        beside_us <= alone_us + alone_us / 10,
        "alone after {alone_us} us, beside 40 MB of modules after {beside_us} us"
    );
    // They are still to come.
    let text = machine.client().get("/readyz")?;
    text.expect_status(503)?;
    ensure!(
        text.text()
            .starts_with("not ready; modules still to be made: 4 of 5\n"),
        "{}",
        text.text()
    );
    Ok(())
}

fn a_request_waits_for_its_module_and_the_pages_say_for_what(lab: &Lab) -> Result<()> {
    let modules = [("large", 2 << 20), ("larger", 3 << 20)];
    let machine = serve_early(lab, &boot(lab, "disk", &modules, LONG_US)?)?;
    let client = machine.client();
    let not_ready = client.get("/readyz")?;
    not_ready.expect_status(503)?;
    let said = not_ready.text();
    ensure!(
        said.starts_with("not ready; ") && said.contains("larger.wasm: waiting\n"),
        "{said}"
    );
    ensure!(state_of(&client, "/larger")? == "waiting", "its state");
    let listed = client.get("/")?.text();
    ensure!(listed.contains("\tlarger\twaiting\n"), "{listed}");
    client.get("/larger")?.expect("")?;
    ensure!(state_of(&client, "/larger")? == "ready", "its state");
    client.get("/large")?.expect("")?;
    machine.ready()?;
    client.get("/readyz")?.expect("ready\n")?;
    let metrics = client.get("/metrics")?.text();
    ensure!(
        metrics.contains("luge_modules{state=\"ready\"} 3"),
        "{metrics}"
    );
    Ok(())
}

/// What `/routes.json` says of a route.
fn state_of(client: &Client, route: &str) -> Result<String> {
    let list: Vec<Value> = serde_json::from_str(&client.get("/routes.json")?.text())?;
    let found = list.iter().find(|one| one["route"] == route);
    let state = found.context("the route is listed")?["state"].as_str();
    Ok(state.context("it has a state")?.to_owned())
}

fn a_request_that_waits_in_vain_is_told_that_its_function_is_not_ready(lab: &Lab) -> Result<()> {
    let machine = serve_early(lab, &boot(lab, "disk", &[("large", 10 << 20)], 10_000)?)?;
    let answer = machine.client().get("/large")?;
    answer.expect_status(503)?;
    ensure!(
        answer.header("luge-outcome") == Some("not-ready"),
        "{answer:?}"
    );
    ensure!(answer.header("retry-after").is_some(), "{answer:?}");
    let metrics = machine.client().get("/metrics")?.text();
    let counted = "luge_refusals_total{tenant=\"main\",route=\"/large\",reason=\"not-ready\"} 1";
    ensure!(metrics.contains(counted), "{metrics}");
    machine.client().get("/fib?n=10")?.expect("55\n")
}

fn a_module_that_is_wanted_comes_before_smaller_ones(lab: &Lab) -> Result<()> {
    let modules = [("a", 3 << 20), ("b", 4 << 20), ("c", 5 << 20)];
    let machine = serve_early(lab, &boot(lab, "disk", &modules, LONG_US)?)?;
    machine.client().get("/c")?.expect("")?;
    machine.ready()?;
    let (b, c) = (made(&machine, "b")?, made(&machine, "c")?);
    ensure!(c < b, "b in line {b}, c in line {c}");
    Ok(())
}

/// In which line the log says that a module was made.
fn made(machine: &Machine, module: &str) -> Result<usize> {
    let (of, words) = (format!("] {module}.wasm: "), "bytes were made");
    let lines = machine.serial.lines();
    let found = lines
        .iter()
        .position(|line| line.contains(&of) && line.contains(words));
    found.with_context(|| format!("no line says that {module} was made"))
}

fn a_module_that_was_replaced_before_its_turn_is_not_made(lab: &Lab) -> Result<()> {
    let modules = [("a", 3 << 20), ("b", 8 << 20), ("c", 9 << 20)];
    let boot = boot(lab, "disk", &modules, LONG_US)?;
    let machine = serve_early(lab, &boot.append(&with_token("")))?;
    let client = machine.client();
    // One waits for its turn, the other may be under way.
    deploy(&client, "/c", &speaker('n', 1))?.expect("replaced /c\n")?;
    client.get("/c")?.expect("nnnnnnnn")?;
    client.get("/a")?.expect("")?;
    deploy(&client, "/b", &speaker('m', 1))?.expect("replaced /b\n")?;
    client.get("/b")?.expect("mmmmmmmm")?;
    machine.ready()?;
    ensure!(made(&machine, "a").is_ok(), "a is made");
    ensure!(
        made(&machine, "b").is_err() && made(&machine, "c").is_err(),
        "of no use"
    );
    client.get("/readyz")?.expect("ready\n")
}

fn a_module_too_large_for_the_memory_is_left_out_and_the_others_serve(lab: &Lab) -> Result<()> {
    let boot = boot(
        lab,
        "disk",
        &[("small", 1 << 20), ("large", 12 << 20)],
        LONG_US,
    )?;
    let machine = lab.serve(&boot.switch("--memory").switch("64M"))?;
    machine.line("why", |line| line.contains("large.wasm: left out: "))?;
    let client = machine.client();
    client.get("/large")?.expect_status(404)?;
    client.get("/small")?.expect("")?;
    ensure!(state_of(&client, "/large")? == "left-out", "its state");
    client.get("/fib?n=10")?.expect("55\n")
}
