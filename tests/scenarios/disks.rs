//! Disks, good and bad: what can be served is served, and what cannot is named.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::http::Client;
use luge_harness::{Boot, Disk, End, Kernel, Lab, Machine, golden, ports};
use serde_json::json;

use crate::served::{AMPLE_US, route, spec};

scenarios![
    a_missing_disk_is_told_and_the_host_answers,
    a_disk_that_was_cut_off_is_told_and_the_host_answers,
    a_disk_of_noise_is_told_and_the_host_answers,
    a_disk_with_nothing_on_it_is_told_and_the_host_answers,
    bad_modules_are_named_and_left_out_and_the_others_serve,
    a_mistake_in_the_spec_is_named_and_the_host_answers,
    a_mistake_in_the_spec_stops_the_making_of_the_disk,
    a_disk_made_with_ordinary_tools_is_served,
    each_module_becomes_a_route_where_there_is_no_spec,
    two_tenants_are_served_on_ports_of_their_own,
    a_batch_runs_every_function_and_powers_off,
    a_batch_with_a_failure_says_so_by_its_status,
];

/// Boots a machine that has nothing to serve: it must say why, answer for its health, and know no function.
fn serves_nothing(lab: &Lab, disk: Disk, why: &str) -> Result<()> {
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    machine.line(why, |line| line.contains(why))?;
    let client = machine.client();
    client.get("/healthz")?.expect_status(200)?;
    client.get("/fib")?.expect_status(404)
}

fn a_missing_disk_is_told_and_the_host_answers(lab: &Lab) -> Result<()> {
    serves_nothing(lab, Disk::None, "disk")
}

/// An image with `fib` on it, made by mke2fs alone.
fn plain_image(lab: &Lab) -> Result<PathBuf> {
    lab.plain_image(&lab.folder("plain")?.copy("fib.wasm", lab.example("fib")?)?)
}

fn a_disk_that_was_cut_off_is_told_and_the_host_answers(lab: &Lab) -> Result<()> {
    let whole = fs::read(plain_image(lab)?)?;
    let short = lab
        .folder("short")?
        .file("short.img", &whole[..64 << 10])?
        .path()
        .join("short.img");
    serves_nothing(lab, Disk::Image(short), "disk")
}

fn a_disk_of_noise_is_told_and_the_host_answers(lab: &Lab) -> Result<()> {
    let noise: Vec<u8> = (0..1_u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let image = lab
        .folder("noise")?
        .file("noise.img", noise)?
        .path()
        .join("noise.img");
    serves_nothing(lab, Disk::Image(image), "disk")
}

fn a_disk_with_nothing_on_it_is_told_and_the_host_answers(lab: &Lab) -> Result<()> {
    let image = lab.plain_image(&lab.folder("empty")?)?;
    serves_nothing(lab, Disk::Image(image), "no functions.json and no module")
}

fn bad_modules_are_named_and_left_out_and_the_others_serve(lab: &Lab) -> Result<()> {
    let fib = fs::read(lab.example("fib")?)?;
    let mut folder = lab.folder("bad")?.file("fib.wasm", &fib)?;
    folder = folder
        .file("cut-off.wasm", &fib[..fib.len() / 2])?
        .file("noise.wasm", b"\x7fELF, or is it?")?;
    for name in [
        "no-start",
        "no-memory",
        "unknown-import",
        "wrong-import",
        "many-memories",
    ] {
        folder = folder.copy(&format!("{name}.wasm"), lab.hostile(name)?)?;
    }
    let image = lab.plain_image(&folder)?;
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(Disk::Image(image)))?;
    machine.client().get("/fib?n=10")?.expect("55\n")?;
    machine.client().get("/no-start")?.expect_status(404)?;
    golden::check(
        "bad-modules",
        &log_of(&machine, &["functions", "main"], &[".wasm", "left out"]),
    )
}

/// The lines of these modules' log that have one of these words in them, without what differs by run.
fn log_of(machine: &Machine, modules: &[&str], words: &[&str]) -> String {
    let lines = machine.serial.lines().into_iter().filter(|line| {
        let head = line.split(']').next().unwrap_or_default();
        let ours = modules.iter().any(|module| head.contains(module));
        ours && words.iter().any(|word| line.contains(word))
    });
    lines.map(|line| line + "\n").collect()
}

const MISTAKEN: &str = r#"[
  { "name": "main", "port": 8080, "routes": [
    { "route": "/fib", "path": "fib.wasm", "relative-deadline-us": 50000,
      "stack-sise": 65536 } ] }
]
"#;

fn a_mistake_in_the_spec_is_named_and_the_host_answers(lab: &Lab) -> Result<()> {
    let folder = lab.folder("spec")?.file("functions.json", MISTAKEN)?;
    let image = lab.plain_image(&folder.copy("fib.wasm", lab.example("fib")?)?)?;
    serves_nothing(
        lab,
        Disk::Image(image),
        "functions.json:4:7: unknown key \"stack-sise\"",
    )
}

fn a_mistake_in_the_spec_stops_the_making_of_the_disk(lab: &Lab) -> Result<()> {
    let folder = lab.folder("spec")?.file("functions.json", MISTAKEN)?;
    let disk = folder.copy("fib.wasm", lab.example("fib")?)?.disk();
    let mut machine = lab.boot(&Boot::new(Kernel::Product).disk(disk))?;
    machine.ends_with(End::Other(1))?;
    let said = machine.report.text();
    ensure!(
        said.contains("functions.json:4:7") && said.contains("stack-sise"),
        "{said}"
    );
    Ok(())
}

fn a_disk_made_with_ordinary_tools_is_served(lab: &Lab) -> Result<()> {
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(Disk::Image(plain_image(lab)?)))?;
    machine.client().get("/fib?n=10")?.expect("55\n")
}

fn each_module_becomes_a_route_where_there_is_no_spec(lab: &Lab) -> Result<()> {
    let folder = lab.folder("plain")?.copy("one.wasm", lab.example("fib")?)?;
    let disk = folder.copy("two.wasm", lab.example("echo")?)?.disk();
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    machine.client().get("/one?n=10")?.expect("55\n")?;
    machine.client().post("/two", b"two")?.expect("two")?;
    machine.client().get("/fib")?.expect_status(404)
}

fn two_tenants_are_served_on_ports_of_their_own(lab: &Lab) -> Result<()> {
    let second = ports::free()?;
    let spec = json!([
        { "name": "first", "port": 9000, "routes": [route("fib", AMPLE_US)] },
        { "name": "second", "port": second, "routes": [route("echo", AMPLE_US)] },
    ]);
    let folder = lab
        .folder("tenants")?
        .file("functions.json", spec.to_string())?;
    let folder = folder.copy("fib.wasm", lab.example("fib")?)?;
    let disk = folder.copy("echo.wasm", lab.example("echo")?)?.disk();
    let machine = lab.serve(&Boot::new(Kernel::Product).disk(disk))?;
    let (first, second) = (machine.client(), Client::new(second));
    first.get("/fib?n=10")?.expect("55\n")?;
    second.post("/echo", b"second")?.expect("second")?;
    first.get("/echo")?.expect_status(404)?;
    second.get("/fib")?.expect_status(404)
}

fn a_batch_runs_every_function_and_powers_off(lab: &Lab) -> Result<()> {
    let folder = lab.folder("good")?.copy("fib.wasm", lab.example("fib")?)?;
    let disk = folder.copy("empty.wasm", lab.example("empty")?)?.disk();
    let mut machine = lab.boot(&Boot::new(Kernel::Product).disk(disk).switch("--batch"))?;
    machine.ends_with(End::PowerOff)?;
    let lines = machine.serial.lines();
    ensure!(
        lines
            .iter()
            .any(|line| line.ends_with("2 passed, 0 failed")),
        "no closing line"
    );
    Ok(())
}

fn a_batch_with_a_failure_says_so_by_its_status(lab: &Lab) -> Result<()> {
    let routes = [
        route("fib", AMPLE_US),
        route("unreachable", AMPLE_US),
        route("loop", 300_000),
    ];
    let folder = lab.folder("mixed")?.file("functions.json", spec(&routes))?;
    let folder = folder.copy("fib.wasm", lab.example("fib")?)?;
    let folder = folder.copy("unreachable.wasm", lab.hostile("unreachable")?)?;
    let disk = folder.copy("loop.wasm", lab.hostile("loop")?)?.disk();
    let mut machine = lab.boot(&Boot::new(Kernel::Product).disk(disk).switch("--batch"))?;
    machine.ends_with(End::Code(ExitCode::BatchFailed))?;
    let lines = machine.serial.lines();
    ensure!(
        lines
            .iter()
            .any(|line| line.ends_with("1 passed, 2 failed")),
        "no closing line"
    );
    Ok(())
}
