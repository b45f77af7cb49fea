//! Native code: what the processor finds, the right sandbox ends with, by the right name; and what does
//! not fit is not run.

mod guests;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::disk::Folder;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::{Value, json};

use crate::served::{beside_a_neighbour, route, spec};

scenarios![
    every_trap_of_compiled_code_has_its_name_and_its_fault_is_logged,
    an_overflow_of_the_native_stack_ends_only_its_sandbox,
    a_large_frame_does_not_jump_over_the_guard,
    the_timer_at_the_last_bytes_of_the_stack_is_an_overflow,
    a_trap_before_there_is_an_instance_is_named_too,
    an_address_out_of_reach_is_out_of_bounds_however_far_it_is,
    nothing_of_one_request_is_seen_by_the_next,
    examples_answer_as_in_the_interpreter,
    float_registers_survive_preemption,
    every_allocation_may_fail_in_native_code_too,
    a_hundred_thousand_runs_leave_nothing_behind,
    no_page_is_both_writable_and_executable_with_native_code,
    native_code_that_does_not_fit_is_named_and_the_interpreter_runs_the_module,
    a_route_that_wants_native_code_is_left_out_without_it,
];

/// Enough for every guest that ends by itself.
const AMPLE_US: u64 = 20_000_000;

/// A folder with guests of the collection, modules made of text, and the neighbours; and their routes.
struct Guests {
    folder: Folder,
    routes: Vec<Value>,
}

impl Guests {
    fn new(lab: &Lab) -> Result<Guests> {
        let mut guests = Guests {
            folder: lab.folder("disk")?,
            routes: Vec::new(),
        };
        for name in ["fib", "echo"] {
            guests = guests.file(name, lab.example(name)?)?;
        }
        Ok(guests)
    }

    fn file(mut self, name: &str, from: std::path::PathBuf) -> Result<Guests> {
        self.folder = self.folder.copy(&format!("{name}.wasm"), from)?;
        self.routes.push(route(name, AMPLE_US));
        Ok(self)
    }

    fn text(self, name: &str, fields: &str) -> Result<Guests> {
        self.text_with(name, fields, json!({}))
    }

    /// With more keys for its route.
    fn text_with(mut self, name: &str, fields: &str, more: Value) -> Result<Guests> {
        let module = guests::module(fields);
        self.folder = self.folder.file(&format!("{name}.wasm"), module)?;
        let mut route = route(name, AMPLE_US);
        if let (Some(route), Some(more)) = (route.as_object_mut(), more.as_object()) {
            route.extend(more.clone());
        }
        self.routes.push(route);
        Ok(self)
    }

    /// The disk, with native code beside every module.
    fn disk(self, lab: &Lab) -> Result<Disk> {
        let folder = self.folder.file("functions.json", spec(&self.routes))?;
        Ok(Disk::Image(lab.native_image(&folder)?))
    }

    fn serve(self, lab: &Lab) -> Result<Machine> {
        lab.serve(&boot(self.disk(lab)?))
    }
}

/// Routes of these machines run as native code or not at all.
fn boot(disk: Disk) -> Boot {
    Boot::new(Kernel::Scenarios)
        .disk(disk)
        .append("engine=wasmtime")
        .limit(Duration::from_secs(300))
}

/// Asks for each guest beside a neighbour: how it ends, and what the log says of its fault.
fn each_ends(machine: &Machine, expected: &[(&str, &str, &str)]) -> Result<()> {
    for (guest, trap, fault) in expected {
        let response = beside_a_neighbour(machine, &format!("/{guest}"));
        response
            .and_then(|response| response.expect_outcome(&format!("trap {trap}")))
            .with_context(|| (*guest).to_owned())?;
        let (name, words) = (
            format!("({guest})"),
            format!("trap {trap}: {fault} at rip="),
        );
        machine.line(&format!("the fault of {guest}"), |line| {
            line.contains(&name) && line.contains(&words)
        })?;
    }
    Ok(())
}

fn every_trap_of_compiled_code_has_its_name_and_its_fault_is_logged(lab: &Lab) -> Result<()> {
    let cases = [
        ("stack-overflow", "stack-overflow", "#PF"),
        ("integer-divide-by-zero", "integer-divide-by-zero", "#DE"),
        ("integer-overflow", "integer-overflow", "#DE"),
        ("memory-out-of-bounds", "memory-out-of-bounds", "#PF"),
        ("table-out-of-bounds", "table-out-of-bounds", "#PF"),
        ("indirect-call-to-null", "indirect-call-to-null", "#PF"),
        ("bad-signature", "bad-signature", "#UD"),
        ("unreachable", "unreachable", "#UD"),
        (
            "bad-conversion-to-integer",
            "bad-conversion-to-integer",
            "#UD",
        ),
    ];
    let mut guests = Guests::new(lab)?;
    for (guest, ..) in cases {
        guests = guests.file(guest, lab.hostile(guest)?)?;
    }
    guests = guests.file("out-of-memory", lab.hostile("out-of-memory")?)?;
    guests = guests.file("exit3", lab.hostile("exit3")?)?;
    let machine = guests.serve(lab)?;
    each_ends(&machine, &cases)?;
    beside_a_neighbour(&machine, "/out-of-memory")?.expect_outcome("trap out-of-memory")?;
    beside_a_neighbour(&machine, "/exit3")?.expect_outcome("exit 3")
}

fn an_overflow_of_the_native_stack_ends_only_its_sandbox(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab)?
        .text("mutual", guests::MUTUAL)?
        .text("indirect", guests::INDIRECT)?
        .text("host-calls", guests::HOST_CALLS)?
        .text("shadow-stack", guests::SHADOW_STACK)?
        .file("reenter", lab.hostile("reenter")?)?
        .file("reenter-into-guard", lab.hostile("reenter-into-guard")?)?
        .serve(lab)?;
    each_ends(
        &machine,
        &[
            ("mutual", "stack-overflow", "#PF"),
            ("indirect", "stack-overflow", "#PF"),
            ("shadow-stack", "memory-out-of-bounds", "#PF"),
            ("reenter-into-guard", "stack-overflow", "#PF"),
        ],
    )?;
    // Found before there is a fault: by the check of the room left, at the gate.
    for guest in ["/host-calls", "/reenter"] {
        beside_a_neighbour(&machine, guest)?.expect_outcome("trap stack-overflow")?;
    }
    Ok(())
}

fn a_large_frame_does_not_jump_over_the_guard(lab: &Lab) -> Result<()> {
    let cases = [
        ("frame-8k", 8 << 10),
        ("frame-64k", 64 << 10),
        ("frame-128k", 128 << 10),
    ];
    let mut guests = Guests::new(lab)?;
    for (name, bytes) in cases {
        guests = guests.text(name, &guests::frames_of(bytes))?;
    }
    let machine = guests.serve(lab)?;
    let expected = cases.map(|(name, _)| (name, "stack-overflow", "#PF"));
    each_ends(&machine, &expected)
}

fn the_timer_at_the_last_bytes_of_the_stack_is_an_overflow(lab: &Lab) -> Result<()> {
    let smallest = json!({ "stack-size": 32768 });
    let disk = Guests::new(lab)?
        .text_with("lingering", guests::LINGERING, smallest)?
        .disk(lab)?;
    let machine = lab.serve(&boot(disk).append("quantum_us=50"))?;
    each_ends(&machine, &[("lingering", "stack-overflow", "#PF")])
}

fn a_trap_before_there_is_an_instance_is_named_too(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab)?
        .text("start", guests::START)?
        .text("recursive-start", guests::RECURSIVE_START)?
        .text("data", guests::DATA)?
        .serve(lab)?;
    each_ends(
        &machine,
        &[
            ("start", "unreachable", "#UD"),
            ("recursive-start", "stack-overflow", "#PF"),
        ],
    )?;
    beside_a_neighbour(&machine, "/data")?.expect_outcome("trap memory-out-of-bounds")
}

fn an_address_out_of_reach_is_out_of_bounds_however_far_it_is(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab)?
        .text("far", guests::FAR)?
        .text("straddling", guests::STRADDLING)?
        .text("farthest", guests::FARTHEST)?
        .serve(lab)?;
    each_ends(
        &machine,
        &[
            ("far", "memory-out-of-bounds", "#PF"),
            ("straddling", "memory-out-of-bounds", "#PF"),
        ],
    )?;
    // Beyond the guard a check in software finds it; by which exception it says so is its own affair.
    beside_a_neighbour(&machine, "/farthest")?.expect_outcome("trap memory-out-of-bounds")
}

fn nothing_of_one_request_is_seen_by_the_next(lab: &Lab) -> Result<()> {
    let machine = Guests::new(lab)?
        .text("traces", guests::TRACES)?
        .text("data-traces", guests::DATA_TRACES)?
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
    let mut folder = lab.folder("examples")?;
    for (query, _) in EXAMPLES {
        let name = query.split('?').next().unwrap_or(query);
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
    let machine = machine_of_examples(lab, "engine=wasmtime quantum_us=50")?;
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
    let disk = Guests::new(lab)?
        .file("exit3", lab.hostile("exit3")?)?
        .file("unreachable", lab.hostile("unreachable")?)?
        .disk(lab)?;
    let machine = lab.serve(&boot(disk).append("scenario=failing-allocations"))?;
    // The last one's trap is noted by an allocation on the fault's own stack.
    for (function, outcome) in [
        ("exit3", "exit 3"),
        ("fib", "exit 0"),
        ("echo", "exit 0"),
        ("unreachable", "trap unreachable"),
    ] {
        let line = machine.line("the report of the scenario", |line| {
            line.contains(&format!("failing allocations: {function}:"))
        })?;
        ensure!(line.ends_with(&format!("then {outcome}")), "{line}");
        ensure!(!line.contains(": 0 points"), "nothing failed: {line}");
    }
    let odd = machine.serial.text().contains(" failed: ");
    ensure!(!odd, "a failure had another end than out of memory");
    Ok(())
}

/// Every third of the functions ends by itself, the others by faults of all kinds.
fn a_hundred_thousand_runs_leave_nothing_behind(lab: &Lab) -> Result<()> {
    let hostile = [
        "stack-overflow",
        "integer-divide-by-zero",
        "memory-out-of-bounds",
        "indirect-call-to-null",
        "bad-signature",
        "unreachable",
        "out-of-memory",
        "exit3",
    ];
    let mut guests = Guests::new(lab)?
        .file("empty", lab.example("empty")?)?
        .text("traces", guests::DATA_TRACES)?;
    for name in hostile {
        guests = guests.file(name, lab.hostile(name)?)?;
    }
    let machine = lab.serve(
        &boot(guests.disk(lab)?)
            .append("scenario=many-runs log=error,scenario=info,main=info")
            .limit(Duration::from_secs(600)),
    )?;
    let line = machine.line("the report of the scenario", |line| {
        line.contains("many runs:")
    })?;
    ensure!(line.contains("many runs: 100000"), "{line}");
    let said = machine.serial.text();
    ensure!(!said.contains("error:"), "something else was reported");
    Ok(())
}

fn no_page_is_both_writable_and_executable_with_native_code(lab: &Lab) -> Result<()> {
    let disk = Guests::new(lab)?.disk(lab)?;
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
        let disk = disk_with_code(lab, code, &[route("fib", AMPLE_US)])?;
        let machine = lab.serve(&Boot::new(Kernel::Scenarios).disk(disk))?;
        machine.line(why, |line| {
            line.contains("fib.cwasm: not used, wasmi runs fib.wasm") && line.contains(why)
        })?;
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
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
