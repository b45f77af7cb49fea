//! Debugging with gdb, as the README describes it.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Kernel, Lab, ports, process};

scenarios![gdb_stops_at_the_first_instruction_and_finds_kernel_main,];

/// How long gdb may take.
const LIMIT: Duration = Duration::from_secs(60);

fn gdb_stops_at_the_first_instruction_and_finds_kernel_main(lab: &Lab) -> Result<()> {
    let port = ports::free()?.to_string();
    let machine = lab.boot(
        &Boot::new(Kernel::Product)
            .switch("--gdb")
            .switch("--gdb-port")
            .switch(&port),
    )?;
    let deadline = Instant::now() + LIMIT;
    machine
        .report
        .wait_for(deadline, |line| line.contains("gdb"))
        .context("no invitation to start gdb")?;
    let said = gdb(lab, &port, deadline)?;
    // The reset vector, 16 bytes below 4 GiB, of which gdb shows the offset in the segment.
    ensure!(
        said.contains("first is 0xfff0"),
        "not at the first instruction:\n{said}"
    );
    ensure!(
        said.contains("Breakpoint 1, ") && said.contains("in pvh_entry ()"),
        "no stop in the loader:\n{said}"
    );
    ensure!(
        said.contains(", kernel_main (") && said.contains("kernel/src/main.rs:"),
        "no line number:\n{said}"
    );
    ensure!(
        said.contains("#1 ") && said.contains("__impl_start"),
        "no backtrace:\n{said}"
    );
    Ok(())
}

/// What gdb says when it is led to the kernel's first line of Rust.
fn gdb(lab: &Lab, port: &str, deadline: Instant) -> Result<String> {
    let shop = lab.workshop();
    let images = [
        ("kernel", shop.kernel(&Kernel::Product)?),
        ("loader", shop.loader()?),
    ];
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", &format!("set $luge_port = {port}")]);
    for (name, path) in images {
        gdb.args(["-ex", &format!("set $luge_{name} = \"{}\"", path.display())]);
    }
    gdb.arg("-x").arg(shop.root().join("tests/gdb/luge.gdb"));
    for command in [
        "printf \"first is %#x\\n\", $pc",
        "break pvh_entry",
        "break kernel_main",
    ] {
        gdb.args(["-ex", command]);
    }
    for command in ["continue", "continue", "backtrace", "kill"] {
        gdb.args(["-ex", command]);
    }
    let log = lab.folder("gdb")?.path().join("log");
    let file = std::fs::File::create(&log)?;
    let mut child = gdb
        .stdout(file.try_clone()?)
        .stderr(file)
        .stdin(std::process::Stdio::null())
        .spawn()?;
    let ended = process::wait(&mut child, deadline)?;
    if ended.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let said = std::fs::read_to_string(&log)?;
    ensure!(ended.is_some(), "gdb did not get through:\n{said}");
    Ok(said)
}
