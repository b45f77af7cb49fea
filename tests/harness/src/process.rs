//! Processes of the host: ending them, waiting for them, and what they have used.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a process that is waited for is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// How often one that was told to end is looked at before it is killed: for a minute at least, and longer on a host
/// that is busy with something else.
const GLANCES: u32 = 6_000;

/// Sleeps until it is worth looking again at what is waited for.
pub fn pause() {
    // Host's time: whoever looks again has a condition.
    thread::sleep(GLANCE);
}

/// Waits for the end of `child`, which was told to end, and kills it if it does not.
pub fn end(child: &mut Child) {
    for _ in 0..GLANCES {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        pause();
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Sends a signal to a process that this one started.
///
/// # Errors
/// The process is gone.
pub fn signal(child: &Child, signal: Signal) -> Result<()> {
    kill(Pid::from_raw(child.id().try_into()?), signal).context("sending a signal")
}

/// The names of the processes that have a file open, this one aside.
///
/// # Errors
/// The file is not there, or the host does not list its processes.
pub fn who_has_open(file: &Path) -> Result<Vec<String>> {
    let file = file.canonicalize()?;
    let own = std::process::id().to_string();
    let mut names = Vec::new();
    for process in fs::read_dir("/proc")?.flatten() {
        // Processes come and go while they are looked at, and not all show what they have open.
        let opened = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten();
        let mut opened = opened
            .flatten()
            .flat_map(|entry| fs::read_link(entry.path()));
        let number = process.file_name().into_string().unwrap_or_default();
        let is_other = number != own && number.parse::<u32>().is_ok();
        if is_other && opened.any(|other| other == file) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            names.push(name.trim().to_owned());
        }
    }
    Ok(names)
}

/// Stops a process, until it is told to go on.
///
/// # Errors
/// There is no such process.
pub fn stop(process: u32) -> Result<()> {
    kill(Pid::from_raw(process.try_into()?), Signal::SIGSTOP).context("stopping a process")
}

/// Kills a process.
///
/// # Errors
/// There is no such process.
pub fn kill_now(process: u32) -> Result<()> {
    kill(Pid::from_raw(process.try_into()?), Signal::SIGKILL).context("killing a process")
}

/// Lets a process go on.
///
/// # Errors
/// There is no such process.
pub fn go_on(process: u32) -> Result<()> {
    kill(Pid::from_raw(process.try_into()?), Signal::SIGCONT).context("letting it go on")
}

/// Whether a process still runs. One that has ended and that nobody has asked about yet does not.
#[must_use]
pub fn is_running(process: u32) -> bool {
    // The state follows the command's name, which stands in parentheses and may hold any. proc(5), "stat".
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Memory of the host that new processes can have, in bytes (`proc(5)`, "/proc/meminfo", `MemAvailable`).
///
/// # Errors
/// The host does not say.
pub fn free_memory() -> Result<u64> {
    let all = fs::read_to_string("/proc/meminfo")?;
    let line = all.lines().find_map(|it| it.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("a line with MemAvailable")?.parse()?;
    Ok(kilobytes << 10)
}

/// The processes that `parent` has started and that still run.
///
/// # Errors
/// There is no such process.
pub fn children(parent: u32) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    // Linux keeps a list for each thread of the parent.
    for thread in fs::read_dir(format!("/proc/{parent}/task"))? {
        let list = fs::read_to_string(thread?.path().join("children"))?;
        for pid in list.split_whitespace() {
            all.push(pid.parse().context("a process id")?);
        }
    }
    Ok(all)
}

/// The name of a process's program, at most 15 characters of it.
///
/// # Errors
/// There is no such process.
pub fn name(pid: u32) -> Result<String> {
    Ok(fs::read_to_string(format!("/proc/{pid}/comm"))?
        .trim_end()
        .to_owned())
}

/// CPU time that a process has used so far, in user and system mode, all threads together. The host
/// counts it in hundredths of a second (`proc(5)`, "/proc/pid/stat", fields 14 and 15).
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets and may have blanks in it.
    let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let user = ticks.next().context("field 14")??;
    let system = ticks.next().context("field 15")??;
    Ok(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_was_told_to_end_is_waited_for() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        signal(&child, Signal::SIGTERM).unwrap();
        end(&mut child);
        assert!(!is_running(child.id()));
    }

    #[test]
    fn the_host_has_some_memory_free() {
        assert!(free_memory().unwrap() > 1 << 20);
    }

    #[test]
    fn a_process_that_sleeps_uses_no_cpu_time() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(children(std::process::id()).unwrap().contains(&child.id()));
        assert!(cpu_time(child.id()).unwrap() < Duration::from_millis(100));
        signal(&child, Signal::SIGKILL).unwrap();
        child.wait().unwrap();
    }
}
