//! Programs that people use answer as `tests/guests/programs/cases.json` says.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::Value;

use crate::examples::{bytes, expect_outcome};

scenarios![
    every_program_answers_as_the_table_says,
    every_program_answers_the_same_in_native_code,
];

/// Where the programs are, below the top of the source tree.
const FOLDER: &str = "tests/guests/programs";
/// The programs that are no crates. They are left out where their source or their compiler cannot be had.
const OPTIONAL: [&str; 2] = ["ocr", "go"];
/// How many programs there are at least.
const PROGRAMS: usize = 11;

fn every_program_answers_as_the_table_says(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(lab.workshop().programs()?);
    answer_as_the_table_says(lab, &lab.serve(&boot(disk, "engine=wasmi"))?)
}

fn every_program_answers_the_same_in_native_code(lab: &Lab) -> Result<()> {
    let programs = lab.workshop().programs()?;
    let image = lab.folder("native")?.path().with_extension("img");
    let disk = Disk::Image(lab.native_image_of(&programs, &image)?);
    answer_as_the_table_says(lab, &lab.serve(&boot(disk, "engine=wasmtime"))?)
}

fn boot(disk: Disk, append: &str) -> Boot {
    let boot = Boot::new(Kernel::Product).disk(disk).append(append);
    boot.switch("--memory")
        .switch("512M")
        .limit(Duration::from_secs(300))
}

fn answer_as_the_table_says(lab: &Lab, machine: &Machine) -> Result<()> {
    let there = lab.workshop().programs()?;
    let table = fs::read_to_string(lab.workshop().root().join(FOLDER).join("cases.json"))?;
    let table: Value = serde_json::from_str(&table)?;
    let runs = table["runs"].as_array().context("the table has runs")?;
    let (mut wrong, mut answered) = (Vec::new(), Vec::new());
    for run in runs {
        let program = run["program"].as_str().context("a program")?;
        if OPTIONAL.contains(&program) && !there.join(format!("{program}.wasm")).exists() {
            println!("{program} is left out: its source or its compiler could not be had");
            continue;
        }
        answered.push(program);
        if let Err(why) = check(lab, machine, program, run) {
            wrong.push(format!("{run}: {why:#}"));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        answered.len(),
        wrong.join("\n")
    );
    answered.dedup();
    ensure!(
        answered.len() >= PROGRAMS,
        "the table has only {answered:?}"
    );
    Ok(())
}

fn check(lab: &Lab, machine: &Machine, program: &str, run: &Value) -> Result<()> {
    let query = run["query"]
        .as_str()
        .map_or(String::new(), |query| format!("?{query}"));
    let folder = lab.workshop().root().join(FOLDER);
    let body = bytes(&folder, run, "stdin")?.unwrap_or_default();
    let since = machine.serial.lines().len();
    let response = machine
        .client()
        .post(&format!("/{program}{query}"), &body)?;
    expect_outcome(&response, run["outcome"].as_str().unwrap_or("exit 0"))?;
    if let Some(expected) = bytes(&folder, run, "stdout")? {
        response.expect(expected)?;
    }
    match run["log"].as_str() {
        // They are on their way over the serial port when the answer is there.
        Some(words) => {
            let said = machine.line_from(since, words, |line| line.contains(words));
            said.map(drop)
        }
        None => Ok(()),
    }
}
