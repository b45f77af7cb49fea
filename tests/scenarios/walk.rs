//! The README's walk to the fault of a sandbox, typed as it stands there.

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, Gdb, Kernel, Lab};

use crate::debugger::{ask, in_order, waiting};

scenarios![the_walk_of_the_readme_leads_to_the_fault_of_a_sandbox,];

/// The folder of functions in the README.
const FUNCTIONS: &str = "/tmp/functions";

/// The README's section on the fault of a sandbox: its program, and what is typed.
struct Walk {
    program: String,
    typed: Vec<String>,
}

impl Walk {
    fn of(readme: &str) -> Result<Walk> {
        let (_, rest) = readme
            .split_once("### Stop at the fault of a sandbox\n")
            .context("the section")?;
        let section = rest.split("\n##").next().unwrap_or(rest);
        let fences: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
        let program = fences.iter().find_map(|fence| fence.strip_prefix("rust\n"));
        let typed = fences
            .iter()
            .filter_map(|fence| fence.strip_prefix("sh\n"))
            .flat_map(str::lines);
        Ok(Walk {
            program: program.context("a program")?.to_owned(),
            typed: typed
                .map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned())
                .collect(),
        })
    }

    /// What is typed and begins with `start`, without that.
    fn typed(&self, start: &str) -> Vec<&str> {
        self.typed
            .iter()
            .filter_map(|line| line.strip_prefix(start))
            .collect()
    }
}

fn the_walk_of_the_readme_leads_to_the_fault_of_a_sandbox(lab: &Lab) -> Result<()> {
    let root = lab.workshop().root();
    let walk = Walk::of(&std::fs::read_to_string(root.join("README.md"))?)?;
    ensure!(
        walk.typed("./qemu-run.sh ") == ["--gdb --engine wasmtime --modules /tmp/functions"]
            && walk.typed("gdb ") == ["-x tests/gdb/luge.py"],
        "the machine or gdb is started otherwise: {:?}",
        walk.typed
    );
    let folder = lab.folder("disk")?.file("deep.rs", &walk.program)?;
    for command in walk.typed("rustc ") {
        let arguments = command.replace(FUNCTIONS, &folder.path().display().to_string());
        lab.workshop()
            .run(std::process::Command::new("rustc").args(arguments.split_whitespace()))?;
    }
    let boot = Boot::new(Kernel::Product).disk(Disk::Image(lab.native_image(&folder)?));
    let (machine, port) = waiting(lab, boot.append("engine=wasmtime"))?;
    let gdb = Gdb::attach(lab, &Kernel::Product, port, &walk.typed("(gdb) "))?;
    machine.ready()?;
    for path in walk.typed("curl http://127.0.0.1:8080") {
        ask(&machine, path);
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
