//! The README's walks, typed as they stand there: a function of one's own, why a request got 500, what missed its
//! deadline, how to stop at the fault of a sandbox.

use anyhow::{Result, ensure};
use luge_harness::{Boot, Disk, Gdb, Kernel, Lab, Machine};

use crate::debugger::{ask, in_order, waiting};
use crate::readme::Section;

scenarios![
    the_readme_leads_to_a_function_of_ones_own,
    the_readme_leads_to_why_a_request_got_500,
    the_readme_leads_to_what_missed_its_deadline,
    the_walk_of_the_readme_leads_to_the_fault_of_a_sandbox,
];

/// The machine of a section, with the functions that are made in it, and those of another one if it says so.
fn served(lab: &Lab, section: &Section, options: &str) -> Result<Machine> {
    let typed = section.typed_after("./qemu-run.sh ");
    ensure!(
        typed == [options],
        "the machine is started otherwise: {typed:?}"
    );
    let folder = lab.folder("functions")?;
    section.build(lab, folder.path())?;
    let (disk, append) = if options.contains("--engine wasmtime") {
        (Disk::Image(lab.native_image(&folder)?), "engine=wasmtime")
    } else {
        (folder.disk(), "")
    };
    lab.serve(&Boot::new(Kernel::Product).disk(disk).append(append))
}

fn the_readme_leads_to_a_function_of_ones_own(lab: &Lab) -> Result<()> {
    let section = Section::read(lab, "## A function of your own, in five minutes")?;
    let machine = served(lab, &section, "--modules /tmp/functions")?;
    section.ask(lab, &machine)
}

fn the_readme_leads_to_why_a_request_got_500(lab: &Lab) -> Result<()> {
    let section = Section::read(lab, "### Why did a request get 500?")?;
    let machine = served(lab, &section, "--engine wasmtime --modules /tmp/functions")?;
    section.ask(lab, &machine)
}

fn the_readme_leads_to_what_missed_its_deadline(lab: &Lab) -> Result<()> {
    let section = Section::read(lab, "### What missed its deadline?")?;
    let machine = served(lab, &section, "--modules /tmp/functions")?;
    section.ask(lab, &machine)
}

fn the_walk_of_the_readme_leads_to_the_fault_of_a_sandbox(lab: &Lab) -> Result<()> {
    // The function is that of the section before.
    let program = Section::read(lab, "### Why did a request get 500?")?;
    let walk = Section::read(lab, "### Stop at the fault of a sandbox")?;
    ensure!(
        walk.typed_after("./qemu-run.sh ") == ["--gdb --engine wasmtime --modules /tmp/functions"]
            && walk.typed_after("gdb ") == ["-x tests/gdb/luge.py"],
        "the machine or gdb is started otherwise: {:?}",
        walk.typed()
    );
    let folder = lab.folder("functions")?;
    program.build(lab, folder.path())?;
    let boot = Boot::new(Kernel::Product).disk(Disk::Image(lab.native_image(&folder)?));
    let (machine, port) = waiting(lab, boot.append("engine=wasmtime"))?;
    let typed = walk.typed_after("(gdb) ");
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    let gdb = Gdb::attach(lab, &Kernel::Product, port, &typed)?;
    machine.ready()?;
    for path in walk.typed_after("curl http://127.0.0.1:8080") {
        ask(&machine, &path);
    }
    let words = [
        "(deep) faults: #PF",
        "::deeper",
        "the guard of its stack",
        "(deep): running",
        " frames more ",
        "deeper",
        "guard: yes",
    ];
    in_order(&gdb.end()?, &words)
}
