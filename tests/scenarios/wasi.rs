//! WASI preview 1 as its specification has it: tests that are functions, carried out in the booted kernel by both
//! engines. What becomes of each file of them is in `target/scenarios/conformance` and `kernel/docs/wasi.md`.

mod others;
mod report;

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use luge_harness::disk::Folder;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::json;

use crate::served::{AMPLE_US, route, route_with, spec};
use others::Others;
use report::{Case, Report, by_file};

scenarios![
    the_interface_is_as_specified_in_the_interpreter,
    the_interface_is_as_specified_in_native_code,
    a_wrong_expectation_of_the_interface_is_noticed,
    empty_slices_of_zig_are_empty_buffers,
    the_published_counts_of_the_interface_are_those_of_its_tests,
];

const INTERPRETER: &str = "wasmi";
const NATIVE_CODE: &str = "wasmtime";

/// The function that holds all the tests that were written from the specification.
const TESTS: &str = "conformance.wasm";
/// The file of those that must fail.
const WRONG: &str = "wrong";
/// How many tests there are at least.
const MANY: usize = 350;
/// What every one of them is sent, and the values behind the names of its file and of itself.
const BODY: &[u8] = b"0123456789";
const VALUES: &str = "&empty=&text=z%20w";
/// The environment of the route that has one, in an order that is not the one of the names.
const NO_ENVIRONMENT: &str = r#""environ":{}"#;
const ENVIRONMENT: &str = r#""environ":{"FIRST":"1","EMPTY":"","LONG":"value=x y"}"#;
/// How a recipe ends that lacks its tool chain.
const NO_TOOL_CHAIN: i32 = 3;

fn the_interface_is_as_specified_in_the_interpreter(lab: &Lab) -> Result<()> {
    all_pass(lab, INTERPRETER)
}

fn the_interface_is_as_specified_in_native_code(lab: &Lab) -> Result<()> {
    all_pass(lab, NATIVE_CODE)
}

fn a_wrong_expectation_of_the_interface_is_noticed(lab: &Lab) -> Result<()> {
    let machine = serve(lab, folder(lab)?, INTERPRETER)?;
    let mut cases = cases(&machine)?;
    cases.retain(|case| case.file == WRONG);
    ensure!(cases.len() > 5, "there are only {}", cases.len());
    let report = Report::of(&machine, &cases);
    ensure!(
        report.sum() == (0, cases.len()),
        "of {} only {:?} failed",
        cases.len(),
        report.wrong
    );
    for case in &cases {
        let named = format!("{WRONG}/{}: ", case.name);
        let is_named = report.wrong.iter().any(|line| line.starts_with(&named));
        ensure!(is_named, "nothing is said of {}", case.name);
    }
    Ok(())
}

/// Zig's empty slices point outside of memory.
fn empty_slices_of_zig_are_empty_buffers(lab: &Lab) -> Result<()> {
    let folder = lab.folder("zig")?;
    let recipe = lab.workshop().root().join("tests/guests/zig/build.sh");
    let built = Command::new(recipe).arg(folder.path()).status()?;
    if built.code() == Some(NO_TOOL_CHAIN) {
        println!("the guests in Zig are left out: its tool chain is missing");
        return Ok(());
    }
    ensure!(built.success(), "{built}");
    let module = folder.path().join("empty-slices.wasm");
    for engine in [INTERPRETER, NATIVE_CODE] {
        let spec = spec(&[route("empty-slices", AMPLE_US)]);
        let served = lab.folder(engine)?.file("functions.json", spec)?;
        let machine = serve(lab, served.copy("empty-slices.wasm", &module)?, engine)?;
        let response = machine.client().post("/empty-slices", BODY)?;
        let expected = "head tail\n10 0 ffffffff\n";
        response.expect(expected).context(engine)?;
    }
    Ok(())
}

/// A row of the document for each file, one for what others wrote, and one for all: a test that gets lost is
/// noticed here.
fn the_published_counts_of_the_interface_are_those_of_its_tests(lab: &Lab) -> Result<()> {
    let document = lab.workshop().root().join("kernel/docs/wasi.md");
    let document = fs::read_to_string(document)?;
    let machine = serve(lab, folder(lab)?, INTERPRETER)?;
    let cases = right(&machine)?;
    let others = Others::build(lab)?;
    let mut rows = by_file(&cases);
    if !others.are_missing() {
        let programs = by_file(&others.cases).len();
        let name = format!("{programs} programs of Node.js");
        rows.push((name, others.cases.len()));
        rows.push(("all".to_owned(), cases.len() + others.cases.len()));
    }
    for (file, tests) in rows {
        let row = format!("| {file} | {tests} | all pass | all pass |");
        ensure!(document.contains(&row), "the document does not say: {row}");
    }
    Ok(())
}

fn all_pass(lab: &Lab, engine: &str) -> Result<()> {
    let machine = serve(lab, folder(lab)?, engine)?;
    let mut report = Report::of(&machine, &right(&machine)?);
    let (passed, failed) = report.sum();
    ensure!(
        passed + failed >= MANY,
        "there are only {passed} + {failed} tests"
    );
    drop(machine);
    let others = Others::build(lab)?;
    if others.are_missing() {
        println!("the tests of others are left out: their source could not be had");
    } else {
        let machine = serve(lab, others.folder(lab)?, engine)?;
        report = report.and(Report::of(&machine, &others.cases));
    }
    let path = lab.workshop().reports()?.join(format!("wasi-{engine}.txt"));
    fs::write(path, report.text(engine))?;
    let (passed, failed) = report.sum();
    ensure!(
        failed == 0,
        "{failed} of {} failed:\n{}",
        passed + failed,
        report.wrong.join("\n")
    );
    Ok(())
}

/// The tests from the specification, by the three routes that they want.
fn folder(lab: &Lab) -> Result<Folder> {
    let route = |name, mut keys| {
        crate::served::extend(&mut keys, &json!({ "path": TESTS }));
        route_with(name, AMPLE_US, &keys)
    };
    let routes = [
        route("full", json!({ "folder": "shelf", "environ": {} })),
        route("bare", json!({ "max-scratch-bytes": 0 })),
        route("small", json!({ "max-scratch-bytes": 64 << 10 })),
    ];
    let text = spec(&routes).replace(NO_ENVIRONMENT, ENVIRONMENT);
    let shelf = lab.workshop().root().join("tests/guests/data/shelf");
    let module = lab.workshop().guests()?.join("wasi").join(TESTS);
    let folder = lab.folder("disk")?.file("functions.json", text)?;
    folder.copy(TESTS, module)?.copy_folder("shelf", &shelf)
}

fn serve(lab: &Lab, folder: Folder, engine: &str) -> Result<Machine> {
    let disk = if engine == NATIVE_CODE {
        Disk::Image(lab.native_image(&folder)?)
    } else {
        folder.disk()
    };
    let boot = Boot::new(Kernel::Product).disk(disk);
    let boot = boot.append(&format!("engine={engine} admission=off"));
    lab.serve(&boot.limit(Duration::from_secs(600)))
}

/// The tests that the function says it has.
fn cases(machine: &Machine) -> Result<Vec<Case>> {
    let list = machine.client().get("/full")?;
    list.expect_status(200)?;
    let list = String::from_utf8(list.body)?;
    let case = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, name, route, outcome, answer] = fields[..] else {
            bail!("no test: {line:?}");
        };
        Ok(Case {
            file: file.to_owned(),
            name: name.to_owned(),
            request: format!("/{route}?file={file}&test={name}{VALUES}"),
            body: BODY.to_vec(),
            outcome: outcome.to_owned(),
            answer: answer.to_owned(),
        })
    };
    list.lines().map(case).collect()
}

/// Those that must pass.
fn right(machine: &Machine) -> Result<Vec<Case>> {
    let mut cases = cases(machine)?;
    cases.retain(|case| case.file != WRONG);
    Ok(cases)
}
