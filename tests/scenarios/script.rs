//! What `qemu-run.sh` promises to whoever starts it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use luge_harness::{Boot, Disk, End, Kernel, Lab, Machine, ports, process, stub};
use nix::sys::signal::Signal;

use crate::served::wait_until;

scenarios![
    an_unknown_option_is_named_and_refused,
    what_was_probably_meant_is_said,
    help_has_every_option,
    colours_are_for_terminals_alone,
    what_is_not_there_yet_is_refused_and_not_ignored,
    a_value_that_makes_no_sense_is_refused,
    a_port_that_is_taken_is_an_error_before_anything_is_built,
    a_machine_is_ended_when_its_time_is_over,
    an_interrupt_ends_the_machine_too,
    a_termination_ends_the_machine_too,
    even_a_killed_script_leaves_no_machine_behind,
    nothing_holds_the_output_of_the_script_open_after_its_end,
    one_command_builds_and_serves_and_leaves_nothing_behind,
    another_engine_builds_nothing_anew,
    a_bad_module_is_an_error_and_the_script_has_the_option_that_the_error_names,
    bad_modules_are_reported_and_left_out_where_that_is_allowed,
];

/// Runs the script with `options`; it must refuse, and say all of `words`. Returns all that it said.
fn refusal(lab: &Lab, options: &[&str], words: &[&str]) -> Result<String> {
    let output = lab.workshop().qemu_run().args(options).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.code() == Some(2),
        "{options:?}: {:?}: {said}",
        output.status
    );
    for word in words {
        ensure!(said.contains(word), "{options:?}: no {word:?} in: {said}");
    }
    Ok(said)
}

fn refuses(lab: &Lab, options: &[&str], words: &[&str]) -> Result<()> {
    refusal(lab, options, words).map(drop)
}

fn an_unknown_option_is_named_and_refused(lab: &Lab) -> Result<()> {
    refuses(lab, &["--fast"], &["unknown option", "--fast"])?;
    refuses(lab, &["--fast=yes"], &["unknown option", "--fast"])?;
    refuses(lab, &["fast"], &["unknown option", "fast"])
}

fn what_was_probably_meant_is_said(lab: &Lab) -> Result<()> {
    refuses(
        lab,
        &["--modles", "x"],
        &["did you mean --modules?", "--help"],
    )?;
    refuses(lab, &["tests/guests"], &["--modules tests/guests"])?;
    refuses(
        lab,
        &["--modules", "README.md"],
        &["is a file", "--modules ."],
    )?;
    refuses(
        lab,
        &["--core", "target"],
        &["is a directory", "--core target/luge.core"],
    )?;
    refuses(
        lab,
        &["--allow-invalid", "--image", "none"],
        &["--allow-invalid and --image", "leaves out anyway"],
    )?;
    refuses(lab, &["--gdb=yes"], &["unknown option", "--gdb"])
}

fn help_has_every_option(lab: &Lab) -> Result<()> {
    let help = lab.workshop().qemu_run().arg("--help").output()?;
    let help = String::from_utf8(help.stdout)?;
    let options = fs::read_to_string(lab.workshop().root().join("boot/qemu/options.sh"))?;
    let (_, lists) = options
        .split_once("valued=(")
        .context("the list of options")?;
    let (lists, _) = lists.split_once("\n\n").context("its end")?;
    let known: Vec<&str> = lists
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .collect();
    let known: Vec<_> = known.iter().filter(|word| word.starts_with("--")).collect();
    ensure!(known.len() > 15, "only {known:?}");
    for option in known {
        ensure!(
            help.contains(&format!("\n  {option} ")),
            "no {option} in --help"
        );
    }
    Ok(())
}

/// `script` gives a command a terminal.
fn colours_are_for_terminals_alone(lab: &Lab) -> Result<()> {
    let coloured = |no_color: bool| -> Result<bool> {
        let mut command = Command::new("script");
        command
            .args(["-qec", "./qemu-run.sh --fast", "/dev/null"])
            .current_dir(lab.workshop().root());
        command
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(std::process::Stdio::null());
        if no_color {
            command.env("NO_COLOR", "1");
        }
        Ok(command.output()?.stdout.contains(&0x1b))
    };
    ensure!(coloured(false)?, "no colours on a terminal");
    ensure!(!coloured(true)?, "colours in spite of NO_COLOR");
    let output = lab.workshop().qemu_run().arg("--fast").output()?;
    ensure!(
        !output.stderr.contains(&0x1b),
        "colours where there is no terminal"
    );
    Ok(())
}

fn what_is_not_there_yet_is_refused_and_not_ignored(lab: &Lab) -> Result<()> {
    refuses(lab, &["--smp", "2"], &["--smp 2", "not yet"])
}

fn a_value_that_makes_no_sense_is_refused(lab: &Lab) -> Result<()> {
    refuses(lab, &["--port", "66000"], &["66000", "port"])?;
    refuses(lab, &["--port"], &["--port needs a value"])?;
    refuses(lab, &["--memory", "much"], &["much", "512M"])?;
    refuses(lab, &["--memory", "39M"], &["39M", "40M"])?;
    refuses(lab, &["--engine", "v8"], &["v8"])?;
    refuses(lab, &["--accel", "warp"], &["warp"])?;
    refuses(lab, &["--smp", "none"], &["none"])?;
    refuses(lab, &["--timeout", "-1"], &["-1"])?;
    refuses(lab, &["--cpu-timeout", "0.5"], &["0.5"])?;
    refuses(
        lab,
        &["--icount", "--icount-shift", "11"],
        &["11", "0 to 10"],
    )?;
    refuses(lab, &["--icount-shift", "2"], &["--icount-served"])?;
    refuses(lab, &["--modules", "no/such/folder"], &["no/such/folder"])?;
    refuses(lab, &["--image", "no.img"], &["no.img"])
}

fn a_port_that_is_taken_is_an_error_before_anything_is_built(lab: &Lab) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port().to_string();
    let said = refusal(lab, &["--port", &port], &[&port, "taken", "--port"])?;
    ensure!(!said.contains("building"), "{said}");
    Ok(())
}

/// A machine that hangs, to be booted.
fn hang(lab: &Lab) -> Result<Boot> {
    let code = stub::saying("hanging\n", stub::HANG);
    let loader = lab
        .folder("stub")?
        .file("stub", stub::image(&code))?
        .path()
        .join("stub");
    Ok(Boot::new(Kernel::File(loader.clone())).loader(loader))
}

/// By the clock on the wall, which is what people mean.
fn a_machine_is_ended_when_its_time_is_over(lab: &Lab) -> Result<()> {
    let mut machine = lab.boot(&hang(lab)?.switch("--timeout").switch("1"))?;
    machine.ends_with(End::Timeout)?;
    let report = machine.report.text();
    ensure!(report.contains("no end after 1 seconds"), "{report}");
    Ok(())
}

/// A machine that hangs, and its QEMU's process id.
fn hanging(lab: &Lab) -> Result<(Machine, u32)> {
    let machine = lab.boot(&hang(lab)?)?;
    machine.line("that it hangs", |line| line == "hanging")?;
    let qemu = machine.qemu()?;
    Ok((machine, qemu))
}

fn ends_by(lab: &Lab, signal: Signal) -> Result<()> {
    let (machine, qemu) = hanging(lab)?;
    machine.signal(signal)?;
    wait_until(|| Ok(!process::is_running(qemu))).context("QEMU outlives the script")
}

fn an_interrupt_ends_the_machine_too(lab: &Lab) -> Result<()> {
    ends_by(lab, Signal::SIGINT)
}

fn a_termination_ends_the_machine_too(lab: &Lab) -> Result<()> {
    ends_by(lab, Signal::SIGTERM)
}

fn even_a_killed_script_leaves_no_machine_behind(lab: &Lab) -> Result<()> {
    ends_by(lab, Signal::SIGKILL)
}

/// Whoever reads what the script says to its end waits for all that has it open.
fn nothing_holds_the_output_of_the_script_open_after_its_end(lab: &Lab) -> Result<()> {
    let panic = stub::image(&stub::exit_with(16));
    let folder = lab.folder("output")?.file("stub", panic)?;
    let stub = folder.path().join("stub");
    let said = folder.path().join("said");
    let output = File::create(&said)?;
    let mut run = lab.workshop().qemu_run();
    run.args(["--accel", "tcg", "--no-build", "--image", "none"])
        .args(["--port", &ports::free()?.to_string()])
        .args(["--cpu-timeout", "60"]);
    run.arg("--loader").arg(&stub).arg("--kernel").arg(&stub);
    let status = run.stdout(output.try_clone()?).stderr(output).status()?;
    let holders = process::who_has_open(&said)?;
    ensure!(
        status.code() == Some(33),
        "{status}: {}",
        fs::read_to_string(said)?
    );
    ensure!(holders.is_empty(), "{holders:?}");
    Ok(())
}

/// What git sees in the tree that it does not know, or knows otherwise; `target` is not for it to see.
fn changes(lab: &Lab) -> Result<String> {
    let git = Command::new("git")
        .args(["status", "--porcelain"])
        .current_dir(lab.workshop().root())
        .output()?;
    Ok(String::from_utf8(git.stdout)?)
}

fn one_command_builds_and_serves_and_leaves_nothing_behind(lab: &Lab) -> Result<()> {
    // Cargo has one place for all kernels; nobody else may build one while the script does.
    for kernel in [Kernel::Product, Kernel::Scenarios] {
        lab.workshop().kernel(&kernel)?;
    }
    lab.workshop().guests()?;
    let before = changes(lab)?;
    let machine = lab.boot_by_default()?;
    machine.ready()?;
    machine.client().get("/fib?n=20")?.expect("6765\n")?;
    machine.signal(Signal::SIGINT)?;
    machine.report.wait_closed();
    let files = lab.workshop().files_of(&machine);
    ensure!(!files.exists(), "{} is still there", files.display());
    let after = changes(lab)?;
    ensure!(before == after, "the tree has changed:\n{before}\n{after}");
    Ok(())
}

/// Which file a path leads to, and when it was written.
fn stamp(path: &Path) -> Result<(u64, SystemTime)> {
    let file = fs::metadata(path).with_context(|| path.display().to_string())?;
    Ok((file.ino(), file.modified()?))
}

/// Cargo has one place for a program, whatever its features: a program that is built with others for each engine
/// would be swapped under a run of the other one.
fn another_engine_builds_nothing_anew(lab: &Lab) -> Result<()> {
    let panic = stub::image(&stub::exit_with(16));
    let stub = lab.folder("stub")?.file("stub", panic)?.path().join("stub");
    let modules = lab.folder("modules")?;
    let modules = modules.copy("fib.wasm", lab.example("fib")?)?;
    let image_tool = lab.workshop().compiler()?;
    let compiler = image_tool.with_file_name("luge-compile");
    let before = (stamp(&image_tool)?, stamp(&compiler)?);
    for engine in ["wasmtime", "wasmi", "wasmtime"] {
        let mut run = lab.workshop().qemu_run();
        run.args(["--accel", "tcg", "--port", &ports::free()?.to_string()]);
        run.args(["--engine", engine, "--modules"])
            .arg(modules.path());
        run.arg("--loader").arg(&stub).arg("--kernel").arg(&stub);
        let output = run.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(33), "{engine}: {said}");
        let after = (stamp(&image_tool)?, stamp(&compiler)?);
        ensure!(after == before, "{engine}: built anew: {said}");
    }
    Ok(())
}

/// A good module, one that is none, and one that wants what nobody provides.
fn mixed(lab: &Lab) -> Result<PathBuf> {
    let foreign = r#"(module (import "env" "f" (func)) (memory (export "memory") 1) (func (export "_start")))"#;
    let folder = lab.folder("mixed")?.copy("fib.wasm", lab.example("fib")?)?;
    let folder = folder.file("text.wasm", "no module")?;
    let folder = folder.file("foreign.wasm", wat::parse_str(foreign)?)?;
    Ok(folder.path().to_owned())
}

fn a_bad_module_is_an_error_and_the_script_has_the_option_that_the_error_names(
    lab: &Lab,
) -> Result<()> {
    let modules = mixed(lab)?;
    let output = lab.workshop().qemu_run().arg("--help").output()?;
    let help = String::from_utf8(output.stdout)?;
    let mut run = lab.workshop().qemu_run();
    run.args(["--no-build", "--port", &ports::free()?.to_string()]);
    run.arg("--loader").arg(lab.workshop().loader()?);
    run.arg("--kernel")
        .arg(lab.workshop().kernel(&Kernel::Product)?);
    let output = run.arg("--modules").arg(modules).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1),
        "{:?}: {said}",
        output.status
    );
    for line in [
        "error: foreign.wasm: ",
        "error: text.wasm: ",
        "(see --allow-invalid)",
    ] {
        ensure!(said.contains(line), "no {line:?} in: {said}");
    }
    let words = said.split(|c: char| c.is_whitespace() || "()`\"".contains(c));
    for option in words.filter(|word| word.starts_with("--")) {
        ensure!(
            help.contains(&format!("\n  {option} ")),
            "the script has no {option}: {said}"
        );
    }
    Ok(())
}

fn bad_modules_are_reported_and_left_out_where_that_is_allowed(lab: &Lab) -> Result<()> {
    let disk = Disk::Modules(mixed(lab)?);
    let boot = Boot::new(Kernel::Product)
        .disk(disk)
        .switch("--allow-invalid");
    let machine = lab.serve(&boot)?;
    machine.client().get("/fib?n=20")?.expect("6765\n")?;
    for name in ["text", "foreign"] {
        let answer = machine.client().get(&format!("/{name}"))?;
        ensure!(answer.status == 404, "{name}: {answer:?}");
        let line = format!("warning: {name}.wasm: left out: ");
        let report = machine.report.lines();
        ensure!(
            report.iter().any(|said| said.starts_with(&line)),
            "{report:#?}"
        );
    }
    Ok(())
}
