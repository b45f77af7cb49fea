//! Native code: what the processor finds, the right sandbox ends with, by the right name; and what does
//! not fit is not run.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use luge_native::artefact;
use serde_json::{Value, json};

use crate::guests::{AMPLE_US, Engine, Guests, every_allocation_fails_in_turn, text};
use crate::served::{route, spec};

scenarios![
    nothing_of_one_request_is_seen_by_the_next,
    examples_answer_as_in_the_interpreter,
    float_registers_survive_preemption,
    every_allocation_may_fail_in_native_code_too,
    no_page_is_both_writable_and_executable_with_native_code,
    native_code_that_does_not_fit_is_named_and_the_interpreter_runs_the_module,
    native_code_of_another_engine_or_with_other_settings_is_named_too,
    native_code_runs_on_every_processor_of_its_level_and_on_no_lesser_one,
    a_route_that_wants_native_code_is_left_out_without_it,
    what_is_remapped_is_blank_and_what_is_unmapped_is_gone,
    the_same_modules_give_the_same_native_image_wherever_whenever_and_in_whatever_steps,
];

/// Routes of these machines run as native code or not at all.
fn boot(disk: Disk) -> Boot {
    Boot::new(Kernel::Scenarios)
        .disk(disk)
        .append("engine=wasmtime")
        .limit(Duration::from_secs(300))
}

fn nothing_of_one_request_is_seen_by_the_next(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab, Engine::Wasmtime)?
        .text("traces", text::TRACES)?
        .text("data-traces", text::DATA_TRACES)?
        .serve(lab)?;
    for _ in 0..10 {
        for guest in ["/traces", "/data-traces"] {
            machine.client().get(guest)?.expect("")?;
        }
    }
    Ok(())
}

/// Examples whose answer is long, or comes of much arithmetic.
const EXAMPLES: [(&str, &[u8]); 6] = [
    ("fib?n=25", b""),
    ("mandelbrot", b""),
    ("gps_ekf", b""),
    ("digits", b""),
    ("sha256", b"the same bytes for both"),
    ("sort", b"c\nb\na\n"),
];

fn machine_of_examples(lab: &Lab, append: &str) -> Result<Machine> {
    let names = EXAMPLES.map(|(query, _)| query.split('?').next().unwrap_or(query));
    let routes = names.map(|name| route(name, AMPLE_US));
    let mut folder = lab.folder("examples")?;
    folder = folder.file("functions.json", spec(&routes))?;
    for name in names {
        folder = folder.copy(&format!("{name}.wasm"), lab.example(name)?)?;
    }
    let image = lab.native_image(&folder)?;
    lab.serve(
        &Boot::new(Kernel::Scenarios)
            .disk(Disk::Image(image))
            .append(append),
    )
}

fn answers(machine: &Machine) -> Result<Vec<String>> {
    EXAMPLES
        .iter()
        .map(|(query, body)| {
            let response = machine.client().post(&format!("/{query}"), body)?;
            response.expect_status(200)?;
            Ok(response.text())
        })
        .collect()
}

fn examples_answer_as_in_the_interpreter(lab: &Lab) -> Result<()> {
    let interpreted = answers(&machine_of_examples(lab, "engine=wasmi")?)?;
    let native = answers(&machine_of_examples(lab, "engine=wasmtime")?)?;
    ensure!(
        native == interpreted,
        "native {native:?}, interpreted {interpreted:?}"
    );
    Ok(())
}

fn float_registers_survive_preemption(lab: &Lab) -> Result<()> {
    let machine = machine_of_examples(lab, "engine=wasmtime quantum_us=50 admission=off")?;
    let alone = answers(&machine)?;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| answers(&machine))).collect();
        clients.into_iter().try_for_each(|client| {
            let together = client.join().ok().context("a client's thread")??;
            ensure!(together == alone, "alone {alone:?}, together {together:?}");
            Ok(())
        })
    })
}

fn every_allocation_may_fail_in_native_code_too(lab: &Lab) -> Result<()> {
    let disk = Guests::new(lab, Engine::Wasmtime)?
        .file("exit3", lab.hostile("exit3")?)?
        .file("unreachable", lab.hostile("unreachable")?)?
        .disk(lab)?;
    let machine = lab.serve(&boot(disk).append("scenario=failing-allocations"))?;
    // The last one's trap is noted by an allocation on the fault's own stack.
    every_allocation_fails_in_turn(
        &machine,
        &[
            ("exit3", "exit 3"),
            ("fib", "exit 0"),
            ("echo", "exit 0"),
            ("unreachable", "trap unreachable"),
        ],
    )
}

fn no_page_is_both_writable_and_executable_with_native_code(lab: &Lab) -> Result<()> {
    let disk = Guests::new(lab, Engine::Wasmtime)?.disk(lab)?;
    let machine = lab.serve(&boot(disk).append("scenario=audit"))?;
    let audit = machine.line("what the audit of the page tables found", |line| {
        line.contains("Audit {")
    })?;
    let none = ["both: 0", "writable_elsewhere: 0"];
    ensure!(none.iter().all(|none| audit.contains(none)), "{audit}");
    Ok(())
}

/// A disk on which the native code of `fib` has been replaced.
fn disk_with_code(lab: &Lab, code: &[u8], functions: &[Value]) -> Result<Disk> {
    let folder = lab
        .folder("disk")?
        .file("functions.json", spec(functions))?
        .copy("fib.wasm", lab.example("fib")?)?
        .file("fib.cwasm", code)?;
    Ok(Disk::Image(lab.plain_image(&folder)?))
}

fn native_code_that_does_not_fit_is_named_and_the_interpreter_runs_the_module(
    lab: &Lab,
) -> Result<()> {
    let whole = lab.native_code("fib")?;
    let mut damaged = whole.clone();
    *damaged.last_mut().context("it is not empty")? ^= 1;
    let mut foreign = whole.clone();
    foreign[32] ^= 1;
    let mut newer = whole.clone();
    newer[16] += 1;
    let cases = [
        (&damaged[..], "it is damaged"),
        (&foreign, "it was made from another module"),
        (&newer, "its format has version 2"),
        (&whole[..whole.len() - 100], "bytes of code, and has"),
        (b"no code at all", "it is no file of native code"),
    ];
    for (code, why) in cases {
        is_not_used(lab, code, why)?;
    }
    Ok(())
}

/// The kernel says why it does not use `code`, and the interpreter answers.
fn is_not_used(lab: &Lab, code: &[u8], why: &str) -> Result<()> {
    let disk = disk_with_code(lab, code, &[route("fib", AMPLE_US)])?;
    let machine = lab.serve(&Boot::new(Kernel::Scenarios).disk(disk))?;
    expect_fallback(&machine, why)
}

fn expect_fallback(machine: &Machine, why: &str) -> Result<()> {
    machine.line(why, |line| {
        line.contains("fib.cwasm: not used, wasmi runs fib.wasm") && line.contains(why)
    })?;
    machine.client().get("/fib?n=10")?.expect("55\n")
}

/// What the engine says of itself in its own format, changed, in files that are whole by their digests.
fn native_code_of_another_engine_or_with_other_settings_is_named_too(lab: &Lab) -> Result<()> {
    let wasm = std::fs::read(lab.example("fib")?)?;
    let code = lab.native_code("fib")?.split_off(artefact::HEAD_BYTES);
    let cases: [(&[u8], usize, u8, &str); 2] = [
        // The version of the engine, with its length before it; the last digit.
        (b"\x0248", 2, b'7', "incompatible version '47'"),
        // A flag of the compiler: its name, the kind of its value, its value.
        (b"\x07has_avx", 9, 1, "has_avx"),
    ];
    for (found, distance, byte, why) in cases {
        let mut code = code.clone();
        let mut places = code.windows(found.len());
        let place = places
            .position(|bytes| bytes == found)
            .context("the words of the engine")?;
        ensure!(code[place + distance] != byte, "{why}: nothing is changed");
        code[place + distance] = byte;
        let file = [&artefact::head(&wasm, &code)[..], &code].concat();
        is_not_used(lab, &file, why)?;
    }
    Ok(())
}

fn native_code_runs_on_every_processor_of_its_level_and_on_no_lesser_one(lab: &Lab) -> Result<()> {
    let whole = lab.native_code("fib")?;
    let serve = |processor: &str| {
        let disk = disk_with_code(lab, &whole, &[route("fib", AMPLE_US)])?;
        lab.serve(
            &Boot::new(Kernel::Scenarios)
                .disk(disk)
                .switch("--cpu")
                .switch(processor),
        )
    };
    let machine = serve("Nehalem-v1")?;
    machine.line("the engine", |line| {
        line.contains("wasmtime runs native code")
    })?;
    machine.client().get("/fib?n=10")?.expect("55\n")?;
    ensure!(
        !machine.serial.text().contains("not used"),
        "it was not used"
    );
    let machine = serve("Penryn-v1")?;
    expect_fallback(&machine, "the processor does not have sse4.2")
}

fn a_route_that_wants_native_code_is_left_out_without_it(lab: &Lab) -> Result<()> {
    let mut wants_native = route("fib", AMPLE_US);
    wants_native["engine"] = json!("wasmtime");
    let disk = disk_with_code(lab, b"no code at all", &[wants_native])?;
    let machine = lab.serve(&Boot::new(Kernel::Scenarios).disk(disk))?;
    machine.line("why it is left out", |line| {
        line.contains("fib.wasm: left out: native code: it is no file of native code")
    })?;
    machine.client().get("/fib?n=10")?.expect_status(404)
}

/// The platform layer, called as the runtime could: see `kernel/src/engine/wasmtime/platform/scenario.rs`.
fn what_is_remapped_is_blank_and_what_is_unmapped_is_gone(lab: &Lab) -> Result<()> {
    let machine = lab.serve(&Boot::new(Kernel::Scenarios).append("scenario=platform"))?;
    machine.line("the report of the scenario", |line| {
        line.contains("platform: all tried")
    })?;
    let found = |line: &String| line.contains("platform::scenario] error:");
    let found: Vec<_> = machine.serial.lines().into_iter().filter(found).collect();
    ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}

fn the_same_modules_give_the_same_native_image_wherever_whenever_and_in_whatever_steps(
    lab: &Lab,
) -> Result<()> {
    let folder = |name: &str, modules: &[&str]| {
        modules
            .iter()
            .try_fold(lab.folder(name)?, |folder, module| {
                folder.copy(&format!("{module}.wasm"), lab.example(module)?)
            })
    };
    let built = fs::read(lab.native_image(&folder("built", &["mandelbrot", "sort", "fib"])?)?)?;
    // Host's time: files have times in seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    let again = folder("again", &["fib", "sort", "mandelbrot"])?;
    ensure!(fs::read(lab.native_image(&again)?)? == built, "built again");
    let image = lab.native_image(&folder("added", &["mandelbrot", "fib"])?)?;
    let added = Command::new(lab.workshop().compiler()?)
        .args(["add", "--native", "--progress", "always"])
        .arg(&image)
        .arg(lab.example("sort")?)
        .output()?;
    let said = String::from_utf8_lossy(&added.stderr);
    ensure!(added.status.success(), "{said}");
    ensure!(said.starts_with("native code 1/1: sort.wasm, "), "{said}");
    ensure!(fs::read(image)? == built, "added");
    Ok(())
}
