//! What things cost, in guest instructions, as JSON on the standard output.
//!
//! QEMU counts time in instructions here (`qemu-run.sh --icount`), so that a figure is the same on every
//! host and on every run, and a change of it is a change of the code. One machine measures the kernel's own
//! work and prints lines `bench: NAME INSTRUCTIONS`; a second one serves `empty` over HTTP while its busy
//! time is read off the log.
//!
//! The exit status is 1 if a figure misses its aim.

mod startup;
mod watched;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Client, Raw};
use luge_harness::lab::Workshop;
use luge_harness::{Boot, Disk, End, Kernel, Lab, Machine};
use serde_json::{Map, Value, json};

/// The most that a figure may be. Those of the interpreter end with `-wasmi`, those of native code with
/// `-wasmtime`; the others do not depend on the engine.
const AIMS: &[(&str, u64)] = &[
    ("boot-to-ready", 60_000_000),
    ("boot-to-first-function", 60_000_000),
    ("boot-to-functions", 60_000_000),
    ("context-switch", 800),
    // Out of a sandbox and into one, with the FPU's state.
    ("preemption", 2 * 800),
    // To choose who runs next and to put it back.
    ("dispatch-of-10000", 600),
    ("fault-to-next-sandbox", 6_000),
    ("sandbox-empty-wasmi", 12_000),
    ("sandbox-empty-wasmtime", 12_000),
    // Once a second, it may cost a fiftieth of all time at most; of a processor of 1 GHz that does one in a cycle.
    ("scrape", 20_000_000),
    // Likewise, with somebody who looks at the status page beside the scraper.
    ("watched-second", 20_000_000),
    ("request-empty-wasmi", 60_000),
    ("request-empty-wasmtime", 60_000),
];
/// How many percent more `fib-30` may take than with interrupts off.
const TIMER_PERCENT: u64 = 1;

/// How many times what copying it costs a mebibyte of a file may.
const COPIES: u64 = 2;

/// Connections that are kept open, with nothing on them, beside a request…
const IDLE: u64 = 64;
/// …and how many percent more it may take for that.
const IDLE_PERCENT: u64 = 10;

/// How much of what starting the interpreter of JavaScript costs may be work of others than itself, in percent.
const OTHERS_PERCENT: u64 = 5;

/// A guest that reads the file `data` into its memory in one call, once for each of its arguments.
const READER: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $arguments (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_pread" (func $read (param i32 i32 i32 i64 i32) (result i32)))
    (memory (export "memory") 18)
    (data (i32.const 0) "data")
    ;; One buffer of a mebibyte, at 65536.
    (data (i32.const 16) "\00\00\01\00\00\00\10\00")
    (func $must (param i32) (if (local.get 0) (then unreachable)))
    (func (export "_start") (local $left i32)
        (call $must (call $arguments (i32.const 32) (i32.const 36)))
        (local.set $left (i32.load (i32.const 32)))
        ;; With the rights to read and to seek.
        (call $must (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0)
            (i64.const 6) (i64.const 0) (i32.const 0) (i32.const 40)))
        (loop $again
            (call $must (call $read (i32.load (i32.const 40)) (i32.const 16) (i32.const 1) (i64.const 0)
                (i32.const 44)))
            (call $must (i32.ne (i32.load (i32.const 44)) (i32.const 0x100000)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))))"#;

/// Requests that are served before counting starts, so that whatever is made once has been made.
const WARM_UP: u64 = 20;
/// Requests over which the cost of one is averaged.
const REQUESTS: u64 = 100;

fn main() -> Result<ExitCode> {
    let lab = Lab::new(Workshop::open()?, "bench");
    let figures = match figures(&lab) {
        Ok(figures) => figures,
        Err(error) => {
            eprintln!("{error:#}\n{}", lab.last_words());
            return Ok(ExitCode::FAILURE);
        }
    };
    let (report, met) = report(&figures);
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn figures(lab: &Lab) -> Result<BTreeMap<String, u64>> {
    let mut figures = kernel_figures(lab, "all", &examples(lab)?)?;
    for engine in ["wasmi", "wasmtime"] {
        let boot = boot_of_some(lab, engine)?;
        for (name, figure) in kernel_figures(lab, engine, &boot)? {
            let engines = ["sandbox-", "fib-", "file-", "copy-"];
            if engines.iter().any(|its| name.starts_with(its)) {
                figures.insert(format!("{name}-{engine}"), figure);
            }
        }
        let served = Served::begin(lab, &boot)?;
        let request = served.instructions_of(|client| client.get("/empty")?.expect(""))?;
        figures.insert(format!("request-empty-{engine}"), request);
        let idle = served.idle_connections()?;
        let request = served.instructions_of(|client| client.get("/empty")?.expect(""))?;
        figures.insert(
            format!("request-empty-beside-idle-{IDLE}-{engine}"),
            request,
        );
        drop((idle, served));
        figures.extend(startup::figures(lab, engine)?);
    }
    figures.insert("watched-second".into(), watched::second(lab)?);
    // Of all examples only what the kernel does for each of them counts; the rest was looked at one by one.
    let of_all = ["sandbox-empty", "fib-30", "fib-30-undisturbed"];
    figures.retain(|name, _| !of_all.contains(&name.as_str()));
    none_is_missing(&figures)?;
    Ok(figures)
}

/// An aim for something that is not measured would be met by everything.
fn none_is_missing(figures: &BTreeMap<String, u64>) -> Result<()> {
    let beside_idle = format!("request-empty-beside-idle-{IDLE}");
    let relative = [
        "fib-30",
        "file-mebibyte",
        "request-js-without-its-code",
        &beside_idle,
    ];
    let relative = relative
        .iter()
        .flat_map(|name| ["wasmi", "wasmtime"].map(|engine| format!("{name}-{engine}")));
    for name in relative.chain(AIMS.iter().map(|(name, _)| (*name).to_owned())) {
        let has_aim = aim_of(&name, figures).is_some();
        ensure!(has_aim && figures.contains_key(&name), "no figure {name}");
    }
    Ok(())
}

/// A machine with all examples on its disk.
fn examples(lab: &Lab) -> Result<Boot> {
    let disk = Disk::Modules(lab.workshop().guests()?.join("examples"));
    Ok(Boot::new(Kernel::Product).disk(disk))
}

/// A machine with the functions on its disk that are looked at one by one, run by `engine`.
fn boot_of_some(lab: &Lab, engine: &str) -> Result<Boot> {
    let mut routes = ["empty", "unreachable", "fib", "reader"].map(|name| {
        json!({ "route": format!("/{name}"), "path": format!("{name}.wasm"),
            "relative-deadline-us": 60_000_000 })
    });
    routes[3]["folder"] = "files".into();
    let spec = json!([{ "name": "main", "port": 8080, "routes": routes }]);
    let files = lab.folder(&format!("{engine}-files"))?;
    let files = files.file("data", vec![1; 1 << 20])?;
    let folder = lab
        .folder(engine)?
        .file("functions.json", spec.to_string())?
        .file("reader.wasm", wat::parse_str(READER)?)?
        .copy_folder("files", files.path())?
        .copy("empty.wasm", lab.example("empty")?)?
        .copy("unreachable.wasm", lab.hostile("unreachable")?)?
        .copy("fib.wasm", lab.example("fib")?)?;
    let image = lab.native_image(&folder)?;
    Ok(Boot::new(Kernel::Product)
        .disk(Disk::Image(image))
        .append(&format!("engine={engine}")))
}

/// The figures that the kernel measures itself.
fn kernel_figures(lab: &Lab, name: &str, boot: &Boot) -> Result<BTreeMap<String, u64>> {
    let boot = boot.clone().switch("--icount").append("bench log=error");
    let mut machine = lab.boot(&boot)?;
    machine.ends_with(End::PowerOff)?;
    let figures: BTreeMap<_, _> = machine
        .serial
        .lines()
        .iter()
        .filter_map(|line| figure(line))
        .collect();
    ensure!(!figures.is_empty(), "{name}: the kernel printed no figure");
    Ok(figures)
}

/// Reads `bench: NAME INSTRUCTIONS`, whatever stands before it.
fn figure(line: &str) -> Option<(String, u64)> {
    let (_, rest) = line.split_once("bench: ")?;
    let (name, instructions) = rest.split_once(' ')?;
    Some((name.to_owned(), instructions.trim().parse().ok()?))
}

/// A machine that is asked over HTTP, and whose instructions are counted meanwhile.
struct Served {
    machine: Machine,
    served: Cell<u64>,
}

impl Served {
    fn begin(lab: &Lab, boot: &Boot) -> Result<Served> {
        let boot = boot
            .clone()
            .switch("--icount-served")
            .append("memory_report=1");
        Ok(Served {
            machine: lab.serve(&boot)?,
            served: Cell::new(0),
        })
    }

    /// What a request costs from its first packet to its last, with everything that the kernel does for it:
    /// the time in which the CPU was not idle, over many requests one after the other. `ask` makes one.
    fn instructions_of(&self, ask: impl Fn(&Client) -> Result<()>) -> Result<u64> {
        let client = self.machine.client();
        let serve = |requests| -> Result<u64> {
            (0..requests).try_for_each(|_| ask(&client))?;
            self.served.set(self.served.get() + requests);
            busy_ticks(&self.machine, self.served.get())
        };
        let before = serve(WARM_UP)?;
        Ok((serve(REQUESTS)? - before) / REQUESTS)
    }

    /// Connections on which a request has been answered, and which are kept.
    fn idle_connections(&self) -> Result<Vec<Raw>> {
        let connect = |_| {
            let mut connection = Raw::connect(self.machine.port())?;
            connection.send("GET /empty HTTP/1.1\r\nhost: luge\r\n\r\n")?;
            let head = connection.read_head()?;
            ensure!(
                head.contains("Connection: keep-alive\r\n"),
                "it is not kept: {head}"
            );
            self.served.set(self.served.get() + 1);
            Ok(connection)
        };
        (0..IDLE).map(connect).collect()
    }
}

/// How long the CPU has been busy, as the kernel reports it when it is idle after `sandboxes` have ended.
fn busy_ticks(machine: &Machine, sandboxes: u64) -> Result<u64> {
    let wanted = format!("load: sandboxes={sandboxes} busy_ticks=");
    let line = machine.line(&wanted, |line| line.contains(&wanted))?;
    let (_, ticks) = line.split_once("busy_ticks=").context("busy ticks")?;
    ticks.trim().parse().context("a number of ticks")
}

/// The most that the figure `name` may be, if there is such a thing.
fn aim_of(name: &str, figures: &BTreeMap<String, u64>) -> Option<u64> {
    if let Some(engine) = name.strip_prefix("fib-30-") {
        let undisturbed = figures.get(&format!("fib-30-undisturbed-{engine}"))?;
        return Some(undisturbed + undisturbed * TIMER_PERCENT / 100);
    }
    if let Some(engine) = name.strip_prefix("file-mebibyte-") {
        let copy = figures.get(&format!("copy-mebibyte-{engine}"))?;
        return Some(copy * COPIES);
    }
    if let Some((request, _)) = name.split_once(&format!("-beside-idle-{IDLE}")) {
        let engine = name.rsplit_once('-')?.1;
        let alone = figures.get(&format!("{request}-{engine}"))?;
        return Some(alone + alone * IDLE_PERCENT / 100);
    }
    if let Some(engine) = name.strip_prefix("request-js-without-its-code-") {
        let whole = figures.get(&format!("request-js-{engine}"))?;
        return Some(whole * OTHERS_PERCENT / 100);
    }
    let aim = AIMS.iter().find(|(aimed, _)| *aimed == name)?;
    Some(aim.1)
}

/// The figures beside their aims, and whether all aims are met.
fn report(figures: &BTreeMap<String, u64>) -> (Value, bool) {
    let mut met = true;
    let mut all = Map::new();
    for (name, &instructions) in figures {
        let aim = aim_of(name, figures);
        met &= aim.is_none_or(|most| instructions <= most);
        all.insert(
            name.clone(),
            json!({ "instructions": instructions, "aim": aim }),
        );
    }
    (json!({ "unit": "guest instructions", "figures": all }), met)
}
