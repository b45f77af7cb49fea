//! The time of day, and how fast the machine's clock goes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use luge_harness::machine::End;
use luge_harness::{Boot, Kernel, Lab, Machine};
use serde_json::json;

use crate::guests::{Engine, Guests};

scenarios![
    a_clock_that_was_calibrated_wrong_is_right_after_ten_minutes,
    a_battery_backed_clock_that_lies_is_reported_and_not_followed,
    the_time_of_day_is_right_again_after_a_pause,
];

/// When machines whose time is counted in instructions are switched on, by their battery-backed clock: 2026-01-01.
const POWER_ON_NS: i128 = 1_767_225_600_000_000_000;
const SECOND_NS: i128 = 1_000_000_000;
/// 50 parts per million of ten minutes.
const MOST_NS: i128 = 30_000_000;

/// The machine's clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    /// Since power-on, by QEMU's count of instructions.
    truth: i128,
    time_of_day: i128,
    monotonic: i128,
}

/// Boots a machine whose clocks go wrong as `scenario` says. Gives its log, and the clocks after two seconds and ten
/// minutes later.
fn ten_minutes(lab: &Lab, scenario: &str) -> Result<(String, [Clocks; 2])> {
    let boot = Boot::new(Kernel::Scenarios).append(&format!("scenario={scenario}"));
    let mut machine = lab.boot(&boot.switch("--icount"))?;
    machine.ends_with(End::PowerOff)?;
    let log = machine.serial.text();
    let lines = log.lines().filter_map(|line| line.split_once("clocks: "));
    let clocks: Result<Vec<_>> = lines.map(|(_, figures)| clocks(figures)).collect();
    let clocks = clocks?.try_into();
    Ok((log, clocks.ok().context("the clocks at two moments")?))
}

fn clocks(figures: &str) -> Result<Clocks> {
    let figures: Result<Vec<i128>, _> = figures.split_whitespace().map(str::parse).collect();
    let [truth, time_of_day, monotonic] = figures?[..] else {
        anyhow::bail!("three figures");
    };
    Ok(Clocks {
        truth,
        time_of_day,
        monotonic,
    })
}

/// The time of day is right at both moments, to the end of the second that the battery-backed clock shows.
fn are_right([early, late]: [Clocks; 2]) -> Result<()> {
    let off = |clocks: Clocks| clocks.time_of_day - clocks.truth - POWER_ON_NS;
    println!("off by {} ns, then by {} ns", off(early), off(late));
    ensure!(off(early).abs() <= MOST_NS, "{early:?}");
    ensure!(off(late).abs() <= MOST_NS, "{late:?}");
    let gained = late.monotonic - early.monotonic - (late.truth - early.truth);
    println!("the monotonic clock has gained {gained} ns");
    ensure!(gained.abs() <= MOST_NS, "{early:?} {late:?}");
    Ok(())
}

/// By 233 parts per million, as it happens to be.
fn a_clock_that_was_calibrated_wrong_is_right_after_ten_minutes(lab: &Lab) -> Result<()> {
    let (log, clocks) = ten_minutes(lab, "wrong-rate")?;
    are_right(clocks)?;
    ensure!(!log.contains("not followed"), "a clock was not trusted");
    Ok(())
}

/// After five minutes of ten.
fn a_battery_backed_clock_that_lies_is_reported_and_not_followed(lab: &Lab) -> Result<()> {
    for (scenario, report) in [
        ("clock-goes-back", "went back by 3599."),
        ("clock-leaps", "leapt by 158111999."),
        ("clock-breaks", "shows no date"),
    ] {
        let (log, clocks) = ten_minutes(lab, scenario)?;
        are_right(clocks).context(scenario)?;
        let reports = log.lines().filter(|line| line.contains("not followed"));
        let reports: Vec<_> = reports.collect();
        let [line] = reports[..] else {
            anyhow::bail!("{scenario}: {reports:?}");
        };
        ensure!(line.contains(report), "{scenario}: {line}");
    }
    Ok(())
}

/// Answers with the time of day, eight bytes.
const NOW: &str = r#"
    (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
    (data (i32.const 0) "\10\00\00\00\08\00\00\00")
    (func (export "_start")
        (drop (call $now (i32.const 0) (i64.const 1) (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#;

/// For how long the machine is paused.
const PAUSE: Duration = Duration::from_secs(5);

/// A function reads the host's time of day, to two seconds: QEMU's clock begins with a whole second of the host's, and until
/// its next second is seen, the kernel knows no more than that one.
fn tells_the_time(machine: &Machine) -> Result<()> {
    // Host's time: the machine's is to be the same, in between.
    let host = || Ok::<_, anyhow::Error>(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let before = i128::try_from(host()?)?;
    let response = machine.client().get("/now")?;
    let after = i128::try_from(host()?)?;
    response.expect_status(200)?;
    let told = u64::from_le_bytes(response.body[..].try_into().context("eight bytes")?);
    let possible = before - 2 * SECOND_NS..=after + SECOND_NS;
    ensure!(
        possible.contains(&told.into()),
        "{told} not in {possible:?}"
    );
    Ok(())
}

/// Says something to QEMU's monitor and waits until it says `answer`.
fn tell_qemu(lab: &Lab, machine: &Machine, command: &str, answer: &str) -> Result<()> {
    let files = lab.workshop().files_of(machine);
    fs::write(
        files.join("monitor.in"),
        format!("{command}\ninfo status\n"),
    )?;
    let said = BufReader::new(File::open(files.join("monitor.out"))?);
    for line in said.split(b'\n') {
        if String::from_utf8_lossy(&line?).contains(answer) {
            return Ok(());
        }
    }
    anyhow::bail!("QEMU ended without {answer:?}")
}

fn the_time_of_day_is_right_again_after_a_pause(lab: &Lab) -> Result<()> {
    let guests = Guests::none(lab, Engine::Wasmi)?.text_with("now", NOW, json!({}))?;
    let machine = lab.serve(&guests.boot(lab)?)?;
    tells_the_time(&machine)?;
    tell_qemu(lab, &machine, "stop", "VM status: paused")?;
    // Host's time: this is the pause. It may be longer.
    thread::sleep(PAUSE);
    tell_qemu(lab, &machine, "cont", "VM status: running")?;
    machine.line("that the clock was set", |line| {
        line.contains("clock: set forward by")
    })?;
    tells_the_time(&machine)
}
