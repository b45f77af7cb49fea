//! Files: a folder of the disk at `/`, and what a request writes to `/tmp`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use luge_harness::http::Client;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::Value;

use crate::examples::check;
use crate::load::{settled_memory, wait_for_memory, wait_for_the_end_of};
use crate::served::{AMPLE_US, beside_a_neighbour, machine_with, route, spec};

scenarios![
    every_user_of_files_answers_as_the_table_says,
    every_user_of_files_answers_the_same_in_native_code,
    a_folder_that_is_not_on_the_disk_is_named_with_its_route,
    a_scratch_that_is_full_says_so_and_holds_nobody_up,
    a_scratch_that_may_be_larger_than_the_machine_takes_no_more_than_there_is,
    nothing_of_one_requests_scratch_is_seen_by_the_next,
    a_thousand_requests_that_wrote_files_and_trapped_leave_nothing_behind,
    every_allocation_of_a_scratch_may_fail_and_the_kernel_goes_on,
    bytes_written_one_by_one_between_yields_arrive_whole,
];

/// A folder of functions that use files, each with a folder, and once more without, as `bare-NAME`.
pub fn with_folder(lab: &Lab) -> Result<luge_harness::disk::Folder> {
    let mut routes = Vec::new();
    for name in ["files", "anthology"] {
        let (mut with, mut bare) = (route(name, AMPLE_US), route(name, AMPLE_US));
        with["folder"] = "shelf".into();
        bare["route"] = format!("/bare-{name}").into();
        routes.extend([with, bare]);
    }
    let shelf = lab.workshop().root().join("tests/guests/data/shelf");
    lab.folder("disk")?
        .file("functions.json", spec(&routes))?
        .copy("files.wasm", lab.file_user("files")?)?
        .copy("anthology.wasm", lab.file_user("anthology")?)?
        .copy_folder("shelf", &shelf)
}

pub fn answer_as_the_table_says(lab: &Lab, machine: &Machine) -> Result<()> {
    let table = fs::read_to_string(lab.workshop().root().join("tests/guests/cases.json"))?;
    let table: Value = serde_json::from_str(&table)?;
    let runs = table["runs"].as_array().context("the table has runs")?;
    let client = machine.client();
    let mut checked = 0;
    for run in runs {
        let module = run["module"].as_str().context("a module")?;
        let Some(name) = module.strip_prefix("files/") else {
            continue;
        };
        let bare = if run.get("folder").is_some() {
            ""
        } else {
            "bare-"
        };
        check(lab, &client, &format!("{bare}{name}"), run).with_context(|| run.to_string())?;
        checked += 1;
    }
    ensure!(checked >= 15, "the table has only {checked} that use files");
    Ok(())
}

fn every_user_of_files_answers_as_the_table_says(lab: &Lab) -> Result<()> {
    let disk = with_folder(lab)?.disk();
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    answer_as_the_table_says(lab, &machine)
}

fn every_user_of_files_answers_the_same_in_native_code(lab: &Lab) -> Result<()> {
    let disk = Disk::Image(lab.native_image(&with_folder(lab)?)?);
    let boot = Boot::new(Kernel::Product)
        .disk(disk)
        .append("engine=wasmtime");
    answer_as_the_table_says(lab, &lab.serve(&boot)?)
}

fn a_folder_that_is_not_on_the_disk_is_named_with_its_route(lab: &Lab) -> Result<()> {
    let mut missing = route("files", AMPLE_US);
    missing["folder"] = "no/such".into();
    let routes = [missing, route("fib", AMPLE_US)];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let folder = folder.copy("files.wasm", lab.file_user("files")?)?;
    let folder = folder.copy("fib.wasm", lab.example("fib")?)?;
    let disk = Disk::Image(lab.plain_image(&folder)?);
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    let said = "route :8080/files: folder \"no/such\": there is no such folder";
    machine.line(said, |line| line.contains(said))?;
    machine.client().get("/files")?.expect_status(404)?;
    machine.client().get("/fib?n=10")?.expect("55\n")
}

/// The guest finds that `/tmp` is full, that what it removes makes room, and that this is so for many
/// small files too.
fn a_scratch_that_is_full_says_so_and_holds_nobody_up(lab: &Lab) -> Result<()> {
    let machine = machine_with(lab, Kernel::Product, "fill-scratch", AMPLE_US)?;
    beside_a_neighbour(&machine, "/fill-scratch")?.expect_status(200)
}

/// A machine that serves `fill-scratch` with this limit, and `fib`.
fn filling(lab: &Lab, scratch_bytes: u64, append: &str) -> Result<Machine> {
    let mut fill = route("fill-scratch", AMPLE_US);
    fill["max-scratch-bytes"] = scratch_bytes.into();
    let routes = [fill, route("fib", AMPLE_US)];
    let folder = lab.folder("disk")?.file("functions.json", spec(&routes))?;
    let folder = folder.copy("fill-scratch.wasm", lab.hostile("fill-scratch")?)?;
    let disk = folder.copy("fib.wasm", lab.example("fib")?)?.disk();
    let boot = Boot::new(Kernel::Product).disk(disk).append(append);
    lab.serve(&boot.limit(Duration::from_secs(300)))
}

fn a_scratch_that_may_be_larger_than_the_machine_takes_no_more_than_there_is(
    lab: &Lab,
) -> Result<()> {
    let machine = filling(lab, 1 << 30, "")?;
    for _ in 0..3 {
        machine.client().get("/fill-scratch")?.expect_status(200)?;
        machine.client().get("/fib?n=10")?.expect("55\n")?;
    }
    Ok(())
}

fn nothing_of_one_requests_scratch_is_seen_by_the_next(lab: &Lab) -> Result<()> {
    let disk = lab
        .folder("disk")?
        .copy("files.wasm", lab.file_user("files")?)?
        .disk();
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    for _ in 0..20 {
        let client = machine.client();
        client.get("/files?do=keep&text=secret")?.expect("secret")?;
        client.get("/files?do=list&path=/tmp")?.expect("")?;
    }
    Ok(())
}

fn a_thousand_requests_that_wrote_files_and_trapped_leave_nothing_behind(lab: &Lab) -> Result<()> {
    const WARM_UP: u64 = 20;
    const REQUESTS: u64 = 1_000;
    let machine = filling(lab, 128 << 10, "memory_report=1")?;
    let trap = |client: &Client| {
        let response = client.get("/fill-scratch?end=trap")?;
        response.expect_outcome("trap unreachable")
    };
    let traps = |count: u64| {
        let client = machine.client();
        (0..count).try_for_each(|_| trap(&client))
    };
    traps(WARM_UP)?;
    wait_for_the_end_of(&machine, WARM_UP)?;
    let before = settled_memory(&machine)?;
    traps(REQUESTS)?;
    wait_for_the_end_of(&machine, WARM_UP + REQUESTS)?;
    wait_for_memory(&machine, &before)
}

/// What is refused in a host call is an errno, anywhere else the end of the sandbox.
fn every_allocation_of_a_scratch_may_fail_and_the_kernel_goes_on(lab: &Lab) -> Result<()> {
    let folder = lab.folder("disk")?;
    let folder = folder.copy("anthology.wasm", lab.file_user("anthology")?)?;
    let boot = Boot::new(Kernel::Scenarios)
        .disk(folder.disk())
        .append("scenario=failing-allocations");
    let machine = lab.serve(&boot)?;
    let report = "failing allocations: anthology:";
    let line = machine.line(report, |line| line.contains(report))?;
    ensure!(line.ends_with("then exit 0"), "{line}");
    // The guest panics if it cannot have a file, which is a trap of its own.
    let odd = machine.serial.text().contains("kernel panic");
    ensure!(!odd, "the kernel panicked");
    Ok(())
}

fn bytes_written_one_by_one_between_yields_arrive_whole(lab: &Lab) -> Result<()> {
    let machine = machine_with(lab, Kernel::Product, "tiny-writes", AMPLE_US)?;
    beside_a_neighbour(&machine, "/tiny-writes")?.expect("x".repeat(20_000))
}
