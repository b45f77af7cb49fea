//! Machines that come to a bad end, and are started again.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use luge_boot_info::exit::ExitCode;
use luge_harness::{Boot, End, Kernel, Lab, process, stub};
use nix::sys::signal::Signal;

use crate::guests::{Engine, Guests};

scenarios![
    a_machine_that_panics_is_started_again_after_pauses_that_grow,
    a_machine_that_resets_itself_is_started_again,
    a_machine_whose_qemu_is_killed_serves_again,
    a_machine_that_ends_well_or_would_end_so_again_is_not_started_again,
    without_being_asked_for_no_machine_is_started_again,
    a_kernel_that_hangs_says_where_and_is_started_again,
    a_guest_that_turns_in_circles_is_no_hang,
    a_card_that_misbehaves_is_reset_and_serves_on,
    a_card_that_is_past_mending_ends_the_machine,
    a_disk_that_does_not_answer_is_reset_or_ends_the_machine,
    a_machine_without_a_card_ends,
];

/// A machine that runs nothing but `code`.
fn stub(lab: &Lab, code: &[u8]) -> Result<Boot> {
    let folder = lab.folder("stub")?.file("stub", stub::image(code))?;
    let loader: PathBuf = folder.path().join("stub");
    Ok(Boot::new(Kernel::File(loader.clone())).loader(loader))
}

fn panics() -> Vec<u8> {
    stub::exit_with(ExitCode::Panic.value())
}

/// What `qemu-run.sh` says before each start but the first.
const AGAIN: &str = "it is started again in";

fn a_machine_that_panics_is_started_again_after_pauses_that_grow(lab: &Lab) -> Result<()> {
    let mut machine = lab.boot(&stub(lab, &panics())?.switch("--restart"))?;
    for (restart, pause) in [(1, 1), (2, 2), (3, 4)] {
        let wanted = format!("status 33; {AGAIN} {pause} s (restart {restart})");
        let said = machine.report.wait_for(|line| line.contains(&wanted));
        said.with_context(|| wanted.clone())?;
    }
    machine.signal(Signal::SIGINT)?;
    machine.ends_with(End::Other(130))
}

fn a_machine_that_resets_itself_is_started_again(lab: &Lab) -> Result<()> {
    let machine = lab.boot(&stub(lab, stub::TRIPLE_FAULT)?.switch("--restart"))?;
    let twice = |line: &str| line.contains("status 3; ") && line.contains("(restart 2)");
    machine.report.wait_for(twice).context("a second start")?;
    Ok(())
}

fn a_machine_whose_qemu_is_killed_serves_again(lab: &Lab) -> Result<()> {
    let boot = Guests::new(lab, Engine::Wasmi)?.boot(lab)?;
    let machine = lab.serve(&boot.switch("--restart"))?;
    machine.client().get("/fib?n=20")?.expect("6765\n")?;
    let before = machine.serial.lines().len();
    process::kill_now(machine.qemu()?)?;
    machine.line_from(before, "ready once more", |line| line.contains("] ready"))?;
    machine.client().get("/fib?n=20")?.expect("6765\n")
}

fn a_machine_that_ends_well_or_would_end_so_again_is_not_started_again(lab: &Lab) -> Result<()> {
    let damaged = stub::exit_with(ExitCode::BadKernel.value());
    let mut machine = lab.boot(&stub(lab, &damaged)?.switch("--restart"))?;
    machine.ends_with(End::Code(ExitCode::BadKernel))?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");

    let asleep = stub::saying("asleep\n", stub::SLEEP);
    let mut machine = lab.boot(&stub(lab, &asleep)?.switch("--restart"))?;
    machine.line("that it sleeps", |line| line == "asleep")?;
    fs::write(
        lab.workshop().files_of(&machine).join("monitor.in"),
        "quit\n",
    )?;
    machine.ends_with(End::PowerOff)?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");
    Ok(())
}

fn without_being_asked_for_no_machine_is_started_again(lab: &Lab) -> Result<()> {
    let mut machine = lab.boot(&stub(lab, &panics())?)?;
    machine.ends_with(End::Code(ExitCode::Panic))?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");
    Ok(())
}

/// Time is counted in instructions that take long: the watchdog's half minute is over soon.
fn a_kernel_that_hangs_says_where_and_is_started_again(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Scenarios).append("scenario=hang-while-served");
    let boot = boot
        .switch("--icount")
        .switch("--icount-shift")
        .switch("10");
    let machine = lab.boot(&boot.switch("--restart"))?;
    machine.line("what ended it", |line| {
        line.contains("the watchdog: the dispatcher has not come round for 30 s")
    })?;
    let report = &machine.report;
    let place = report.wait_for(|line| line.contains("hang") && line.contains("scenario.rs"));
    place.context("where it hangs")?;
    let again = report.wait_for(|line| line.contains(&format!("status 35; {AGAIN} 1 s")));
    again.context("a second start")?;
    Ok(())
}

/// For two minutes of the machine's time: four times as long as the watchdog waits.
fn a_guest_that_turns_in_circles_is_no_hang(lab: &Lab) -> Result<()> {
    const LOOP: &str = "(func (export \"_start\") (loop $l (br $l)))";
    let keys = serde_json::json!({ "relative-deadline-us": 120_000_000 });
    let boot = Guests::none(lab, Engine::Wasmi)?.text_with("loop", LOOP, keys)?;
    let boot = boot.boot(lab)?.switch("--icount-served");
    let boot = boot
        .switch("--icount-shift")
        .switch("10")
        .switch("--restart");
    let machine = lab.serve(&boot.append("admission=off"))?;
    machine.client().get("/loop")?.expect_status(504)?;
    ensure!(!machine.report.text().contains(AGAIN), "it is restarted");
    Ok(())
}

/// A machine whose devices misbehave as `scenario` says.
fn mishap(lab: &Lab, scenario: &str) -> Result<Boot> {
    let boot = Guests::new(lab, Engine::Wasmi)?.boot(lab)?;
    Ok(boot.append(&format!("scenario={scenario}")))
}

fn a_card_that_misbehaves_is_reset_and_serves_on(lab: &Lab) -> Result<()> {
    for (scenario, why) in [
        (
            "card-wrong-buffer",
            "returned a buffer that it does not have",
        ),
        ("card-needs-reset", "asks to be reset"),
        ("card-silent", "has sent no frame for 10 s"),
    ] {
        let machine = lab.serve(&mishap(lab, scenario)?)?;
        let fib = || machine.client().get("/fib?n=20")?.expect("6765\n");
        fib()?;
        let wanted = format!("the network card {why}: it is reset");
        let is_reset = |lines: &[String]| lines.iter().any(|line| line.contains(&wanted));
        // A card that has nothing to do cannot be seen to do nothing.
        while scenario == "card-silent" && !is_reset(&machine.serial.lines()) {
            fib()?;
        }
        machine.line(&wanted, |line| line.contains(&wanted))?;
        fib().with_context(|| scenario.to_owned())?;
    }
    Ok(())
}

fn a_card_that_is_past_mending_ends_the_machine(lab: &Lab) -> Result<()> {
    let mut machine = lab.boot(&mishap(lab, "card-wrong-buffers")?)?;
    machine.ends_with(End::Code(ExitCode::DeviceFailed))?;
    let log = machine.serial.text();
    let last = log.lines().last().context("a last line")?;
    let why = "the network card returned a buffer that it does not have, whenever it is reset";
    ensure!(last.contains(why), "{last}");
    Ok(())
}

fn a_disk_that_does_not_answer_is_reset_or_ends_the_machine(lab: &Lab) -> Result<()> {
    let machine = lab.serve(&mishap(lab, "disk-silent-once")?)?;
    machine.line("that the disk was reset", |line| {
        line.contains("the disk does not answer: it is reset and asked again")
    })?;
    machine.client().get("/fib?n=20")?.expect("6765\n")?;

    let mut machine = lab.boot(&mishap(lab, "disk-silent")?)?;
    machine.ends_with(End::Code(ExitCode::DeviceFailed))?;
    let log = machine.serial.text();
    let last = log.lines().last().context("a last line")?;
    ensure!(
        last.contains("the disk does not answer after a reset either"),
        "{last}"
    );
    Ok(())
}

fn a_machine_without_a_card_ends(lab: &Lab) -> Result<()> {
    let boot = Boot::new(Kernel::Scenarios).append("scenario=card-missing");
    let mut machine = lab.boot(&boot)?;
    machine.ends_with(End::Code(ExitCode::DeviceFailed))?;
    let log = machine.serial.text();
    ensure!(
        log.contains("nothing can be served: no network card was found"),
        "{log}"
    );
    Ok(())
}
