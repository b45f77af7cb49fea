//! WebAssembly as its authors mean it: the official suite and modules made at random, carried out in the booted
//! kernel by both engines (`kernel/src/conformance`, `tests/spec`; the counts are in `kernel/docs/webassembly.md`).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use luge_harness::conformance::{Scripts, Tests, sum};
use luge_harness::{Boot, Disk, End, Kernel, Lab};

scenarios![
    the_official_suite_passes_in_the_interpreter,
    the_official_suite_passes_in_native_code,
    the_official_suite_passes_with_every_store_of_an_integer_replaced,
    random_modules_do_in_the_interpreter_what_they_do_on_the_host,
    random_modules_do_the_same_with_every_store_of_an_integer_replaced,
    random_modules_do_in_native_code_what_they_do_on_the_host,
    whatever_a_module_is_like_it_is_taken_or_refused,
    a_wrong_expectation_is_noticed_in_either_engine,
    the_published_counts_are_those_of_the_scripts,
];

/// The engines, by the kernel's names.
const INTERPRETER: &str = "wasmi";
const NATIVE_CODE: &str = "wasmtime";

/// The interpreter again, with every store of an integer replaced as those are that it cannot take.
const REPLACED: &str = "wasmi-replaced";

/// What a machine reported.
struct Report {
    lines: Vec<String>,
    passed: u64,
    failed: u64,
    files: u64,
}

/// Boots a machine that carries out all scripts of these tests, and keeps what it says of each file in
/// `target/scenarios/conformance`.
fn carry_out(lab: &Lab, scripts: &Scripts, engine: &str, name: &str) -> Result<Report> {
    let boot = Boot::new(Kernel::Scenarios)
        .disk(Disk::Image(scripts.image.clone()))
        .append(&format!("scenario=conformance-{engine} log=error"))
        .switch("--memory")
        .switch("512M")
        .limit(Duration::from_secs(1_800));
    let mut machine = lab.boot(&boot)?;
    machine.ends_with(End::PowerOff)?;
    let mut lines = machine.serial.lines();
    lines.retain(|line| line.starts_with("conformance: "));
    let folder = lab.workshop().reports()?;
    fs::write(
        folder.join(format!("{name}-{engine}.txt")),
        lines.join("\n"),
    )?;
    let sum = lines.last().context("the machine said nothing")?;
    let words = sum.split_whitespace();
    let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    let [passed, failed, files] = numbers[..] else {
        bail!("not a sum: {sum}");
    };
    Ok(Report {
        lines,
        passed,
        failed,
        files,
    })
}

/// Nothing fails, and as much passes as there is for the engine.
fn all_pass(lab: &Lab, tests: Tests, name: &str, engine: &str) -> Result<()> {
    let scripts = lab.workshop().scripts(tests)?;
    let report = carry_out(lab, &scripts, engine, name)?;
    ensure!(
        report.failed == 0,
        "{} of {} failed",
        report.failed,
        report.passed + report.failed
    );
    let native = scripts.native_sets.iter().filter(|_| engine == NATIVE_CODE);
    let (files, steps) = sum(scripts.sets.iter().chain(native));
    ensure!(
        (report.passed, report.files) == (steps, files),
        "{} steps of {steps} in {} files of {files}",
        report.passed,
        report.files
    );
    Ok(())
}

fn the_official_suite_passes_in_the_interpreter(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Suite, "suite", INTERPRETER)
}

fn the_official_suite_passes_in_native_code(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Suite, "suite", NATIVE_CODE)
}

fn the_official_suite_passes_with_every_store_of_an_integer_replaced(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Suite, "suite", REPLACED)
}

fn random_modules_do_in_the_interpreter_what_they_do_on_the_host(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Random, "random", INTERPRETER)
}

fn random_modules_do_the_same_with_every_store_of_an_integer_replaced(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Random, "random", REPLACED)
}

fn random_modules_do_in_native_code_what_they_do_on_the_host(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Random, "random", NATIVE_CODE)
}

/// Modules that are odd or broken: the check that stands before the interpreter says the same as on the host, and
/// the interpreter translates whatever passes it. A panic of either would be the end of the machine.
fn whatever_a_module_is_like_it_is_taken_or_refused(lab: &Lab) -> Result<()> {
    all_pass(lab, Tests::Odd, "odd", INTERPRETER)
}

fn a_wrong_expectation_is_noticed_in_either_engine(lab: &Lab) -> Result<()> {
    let scripts = lab.workshop().scripts(Tests::Wrong)?;
    let (_, steps) = sum(&scripts.sets);
    for engine in [INTERPRETER, NATIVE_CODE] {
        let report = carry_out(lab, &scripts, engine, "wrong")?;
        ensure!(
            (report.passed, report.failed) == (0, steps),
            "{engine}: {} passed and {} failed of {steps}",
            report.passed,
            report.failed
        );
        for line in 1..=steps {
            let said = format!("conformance: {engine}: wrong:{line}: expected ");
            let is_named = report.lines.iter().any(|other| other.starts_with(&said));
            ensure!(is_named, "{engine}: nothing is said of line {line}");
        }
    }
    Ok(())
}

/// A row of the document for each set, one for their sum, and a sentence for the random and for the odd modules: a file that gets
/// lost is noticed here.
fn the_published_counts_are_those_of_the_scripts(lab: &Lab) -> Result<()> {
    let document = lab.workshop().root().join("kernel/docs/webassembly.md");
    let document = fs::read_to_string(document)?;
    let suite = lab.workshop().scripts(Tests::Suite)?;
    let random = lab.workshop().scripts(Tests::Random)?;
    ensure!(sum(&suite.native_sets).1 > 0, "no step has exceptions");
    let with_exceptions = suite.native_sets.iter().map(|(set, files, steps)| {
        format!("| {set}, with exceptions | {files} | {steps} | left out | all pass |")
    });
    let (files, steps) = sum(&suite.sets);
    let mut for_both = suite.sets.clone();
    for_both.push(("all".to_owned(), files, steps));
    let for_both = for_both
        .iter()
        .map(|(set, files, steps)| format!("| {set} | {files} | {steps} | all pass | all pass |"));
    for row in for_both.chain(with_exceptions) {
        ensure!(document.contains(&row), "the document does not say: {row}");
    }
    let odd = lab.workshop().scripts(Tests::Odd)?;
    for said in [
        format!("{} steps, ", sum(&random.sets).1),
        format!("{} steps, which all pass", sum(&odd.sets).1),
    ] {
        ensure!(
            document.contains(&said),
            "the document does not say: {said}"
        );
    }
    Ok(())
}
