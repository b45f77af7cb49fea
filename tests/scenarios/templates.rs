//! The templates of `tests/guests/templates`: one command from their sources to functions that answer.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Kernel, Lab, Machine};

scenarios![every_template_is_a_function_after_one_command,];

const FOLDER: &str = "tests/guests/templates";
/// Those whose tool chains every machine has on which the tests run.
const ALWAYS: [&str; 2] = ["c", "rust"];
fn every_template_is_a_function_after_one_command(lab: &Lab) -> Result<()> {
    let names = templates(&lab.workshop().root().join(FOLDER))?;
    ensure!(
        ALWAYS.iter().all(|name| names.iter().any(|it| it == name)),
        "there are only {names:?}"
    );
    let folders: Vec<String> = names.iter().map(|it| format!("{FOLDER}/{it}")).collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let boot = Boot::new(Kernel::Product).switch("--icount-served");
    let machine = lab.boot_by(&format!("{FOLDER}/serve.sh"), &folders, &boot)?;
    machine.ready()?;
    for (name, folder) in names.iter().zip(&folders) {
        let left_out = format!("{folder} is left out");
        if machine.report.text().contains(&left_out) {
            ensure!(!ALWAYS.contains(&name.as_str()), "{left_out}");
            println!("{left_out}: its tool chain is missing");
            continue;
        }
        answers(&machine, name).with_context(|| name.clone())?;
    }
    Ok(())
}

/// Their names, in order.
fn templates(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("build.sh").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn answers(machine: &Machine, name: &str) -> Result<()> {
    let client = machine.client();
    let path = format!("/{name}");
    client
        .get(&path)?
        .expect("Hello, world! You sent 0 bytes.\n")?;
    let response = client.post(&format!("{path}?name=Luge"), &[b'x'; 10_000])?;
    response.expect("Hello, Luge! You sent 10000 bytes.\n")
}
