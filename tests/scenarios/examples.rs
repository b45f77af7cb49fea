//! The example functions answer as `tests/guests/cases.json` says.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use luge_harness::http::{Client, Response};
use luge_harness::{Boot, Disk, End, Kernel, Lab};
use serde_json::Value;

scenarios![
    every_example_answers_as_the_table_says,
    every_example_runs_in_a_batch,
];

/// The examples alone, as `qemu-run.sh` serves them.
fn examples(lab: &Lab) -> Result<Disk> {
    Ok(Disk::Modules(lab.workshop().guests()?.join("examples")))
}

fn every_example_answers_as_the_table_says(lab: &Lab) -> Result<()> {
    let table = fs::read_to_string(lab.workshop().root().join("tests/guests/cases.json"))?;
    let table: Value = serde_json::from_str(&table)?;
    let runs = table["runs"].as_array().context("the table has runs")?;
    // Deadlines are what they are by default, and time is that of instructions.
    let boot = Boot::new(Kernel::Product).disk(examples(lab)?);
    let machine = lab.serve(&boot.switch("--icount-served"))?;
    let client = machine.client();
    let mut wrong = Vec::new();
    let mut right = 0;
    for run in runs {
        let Some(name) = run["module"]
            .as_str()
            .and_then(|module| module.strip_prefix("examples/"))
        else {
            continue;
        };
        match check(lab, &client, name, run) {
            Ok(()) => right += 1,
            Err(why) => wrong.push(format!("{run}: {why:#}")),
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        right + wrong.len(),
        wrong.join("\n")
    );
    ensure!(right > 20, "the table has only {right} examples");
    Ok(())
}

pub fn check(lab: &Lab, client: &Client, name: &str, run: &Value) -> Result<()> {
    let query = run["query"]
        .as_str()
        .map_or(String::new(), |query| format!("?{query}"));
    let folder = lab.workshop().root().join("tests/guests");
    let body = bytes(&folder, run, "stdin")?.unwrap_or_default();
    let response = client.post(&format!("/{name}{query}"), &body)?;
    let outcome = run["outcome"].as_str().context("an outcome")?;
    match bytes(&folder, run, "stdout")? {
        Some(expected) if outcome == "exit 0" => response.expect(expected),
        _ => expect_outcome(&response, outcome),
    }
}

/// The answer is that of a function that ended so.
pub fn expect_outcome(response: &Response, outcome: &str) -> Result<()> {
    match outcome {
        "exit 0" => response.expect_status(200),
        "over-deadline" => response.expect_status(504),
        _ => response.expect_outcome(outcome),
    }
}

/// The text that a case has under `key`, or what is in the file of `folder` that it names.
pub fn bytes(folder: &Path, run: &Value, key: &str) -> Result<Option<Vec<u8>>> {
    if let Some(file) = run[format!("{key}_file")].as_str() {
        let path = folder.join(file);
        return fs::read(&path)
            .with_context(|| format!("reading {}", path.display()))
            .map(Some);
    }
    Ok(run[key].as_str().map(|text| text.as_bytes().to_vec()))
}

fn every_example_runs_in_a_batch(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Product)
        .disk(examples(lab)?)
        .switch("--batch")
        .switch("--icount-served");
    let mut machine = lab.boot(&boot)?;
    machine.ends_with(End::PowerOff)?;
    let lines = machine.serial.lines();
    let closing = lines.iter().rev().find(|line| line.contains(" passed, "));
    let closing = closing.context("no closing line")?;
    ensure!(closing.ends_with(" passed, 0 failed"), "{closing}");
    Ok(())
}
