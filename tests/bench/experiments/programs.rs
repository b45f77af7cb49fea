//! The programs that the experiments run, as native code, and how long each of them takes.
//!
//! What a program takes is measured first, so that deadlines and loads are multiples of it: an experiment
//! has the same shape on every machine, and after every change of the code.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use luge_harness::Lab;
use luge_harness::replay::Replay;
use serde_json::json;

/// A program with an argument.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// What it is called in tables and pictures.
    pub name: &'static str,
    /// The example function.
    module: &'static str,
    /// What it is given, or nothing.
    argument: &'static str,
}

/// It does nothing: what is left is what the kernel does for a request.
pub const EMPTY: Program = Program::new("empty", "empty", "");
/// Some hundred calls.
pub const SHORT: Program = Program::new("fib(10)", "fib", "10");
/// About 800,000 calls. fib(40) would be 500 times as many, and take minutes in virtual time.
pub const LONG: Program = Program::new("fib(27)", "fib", "27");
/// Programs of the kinds that the reference mixes: a classifier, a filter, a drawn picture, a resized one.
pub const MIX: [Program; 4] = [
    Program::new("digits", "digits", ""),
    Program::new("gps_ekf", "gps_ekf", ""),
    Program::new("mandelbrot", "mandelbrot", ""),
    Program::new("resize", "resize", "320 240"),
];

/// Requests one after the other, of which the last is the measurement: the first one pays for what is
/// made once.
const TRIES: u32 = 4;
/// The machine's memory: for some hundred requests at once, where a policy lets them pile up.
const MEMORY: &str = "1G";
/// No program takes so long, in microseconds.
const ENOUGH_US: u64 = 1_000_000;

impl Program {
    const fn new(name: &'static str, module: &'static str, argument: &'static str) -> Self {
        Self {
            name,
            module,
            argument,
        }
    }

    /// The file of its module on a disk.
    pub fn file(&self) -> String {
        format!("{}.wasm", self.module)
    }

    /// A request for it, by way of the route at `path`.
    pub fn target(&self, path: &str) -> String {
        format!("{path} {}", self.argument).trim_end().to_owned()
    }
}

/// All programs, their files, and the time that each takes.
pub struct Shelf {
    files: Vec<(String, PathBuf)>,
    times_us: Vec<(&'static Program, u64)>,
}

impl Shelf {
    /// Compiles all programs, and measures them on a machine that has nothing else to do.
    ///
    /// # Errors
    /// Something does not build, or a program fails.
    pub fn measured(lab: &Lab) -> Result<Shelf> {
        let programs: Vec<_> = [&EMPTY, &SHORT, &LONG].into_iter().chain(&MIX).collect();
        let mut shelf = Shelf {
            files: files(lab, &programs)?,
            times_us: Vec::new(),
        };
        let path = |number: usize| format!("/{number}");
        let routes = programs.iter().enumerate().map(|(number, program)| {
            json!({
                "route": path(number), "path": program.file(),
                "relative-deadline-us": 10 * ENOUGH_US, "expected-execution-us": ENOUGH_US
            })
        });
        let mut replay = shelf.replay(&routes.collect::<Vec<_>>());
        for (start, (number, program)) in (0..).zip(programs.iter().enumerate()) {
            replay.client(start * ENOUGH_US, TRIES, &program.target(&path(number)));
        }
        let report = replay.play(lab, "")?;
        for (number, program) in programs.into_iter().enumerate() {
            let path = path(number);
            let last = report.of(&path).last().context("an answer")?;
            ensure!(last.end == "exit 0", "{}: {}", program.name, last.end);
            shelf.times_us.push((program, last.cpu_us.max(1)));
        }
        Ok(shelf)
    }

    /// As if these times had been measured, for tests; without files.
    #[cfg(test)]
    pub fn told(times_us: &[(&'static Program, u64)]) -> Shelf {
        Shelf {
            files: Vec::new(),
            times_us: times_us.to_vec(),
        }
    }

    /// What a request for a program takes when nothing else is to be done, in microseconds.
    pub fn alone_us(&self, program: &Program) -> u64 {
        let found = self.times_us.iter().find(|(one, _)| *one == program);
        found.expect("every program was measured").1
    }

    /// No requests yet, for routes to programs of the shelf.
    pub fn replay(&self, routes: &[serde_json::Value]) -> Replay {
        let spec = json!([{ "name": "main", "port": 8080, "routes": routes }]);
        let files = self.files.iter();
        files.fold(Replay::new(spec).memory(MEMORY), |replay, (name, path)| {
            replay.module(name, path.clone())
        })
    }
}

/// Modules and native code of the programs, under their names on a disk.
fn files(lab: &Lab, programs: &[&Program]) -> Result<Vec<(String, PathBuf)>> {
    let mut modules: Vec<_> = programs.iter().map(|program| program.module).collect();
    modules.dedup();
    let mut native = lab.folder("native")?;
    let mut files = Vec::new();
    for module in modules {
        let name = format!("{module}.cwasm");
        native = native.file(&name, lab.native_code(module)?)?;
        files.push((name.clone(), native.path().join(name)));
        files.push((format!("{module}.wasm"), lab.example(module)?));
    }
    Ok(files)
}
