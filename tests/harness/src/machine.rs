//! A machine that runs, under `qemu-run.sh`.

use std::fmt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use luge_boot_info::exit::ExitCode;
use nix::sys::signal::Signal;

use crate::http::Client;
use crate::process;
use crate::transcript::Transcript;

/// How a machine ended: the exit status of `qemu-run.sh`, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It powered itself off.
    PowerOff,
    /// `qemu-run.sh` was asked for something impossible, or a tool is missing.
    Refused,
    /// It reset itself after a triple fault.
    TripleFault,
    /// It used more processor time than it may, or none for too long.
    Timeout,
    /// Loader or kernel left with a code of their own.
    Code(ExitCode),
    /// Any other status.
    Other(i32),
}

impl End {
    /// The meaning of an exit status of `qemu-run.sh`; its `--help` has the list.
    #[must_use]
    pub fn from_status(status: i32) -> End {
        match status {
            0 => End::PowerOff,
            2 => End::Refused,
            3 => End::TripleFault,
            124 => End::Timeout,
            _ => u8::try_from(status)
                .ok()
                .and_then(ExitCode::from_qemu_status)
                .map_or(End::Other(status), End::Code),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::PowerOff => f.write_str("clean power-off"),
            End::Refused => f.write_str("refused by qemu-run.sh"),
            End::TripleFault => f.write_str("triple fault"),
            End::Timeout => f.write_str("timeout"),
            End::Code(code) => code.fmt(f),
            End::Other(status) => write!(f, "status {status}"),
        }
    }
}

/// A machine that was booted. Dropping it ends it.
///
/// Nothing here waits for a time: what is waited for comes, or the machine ends. One that hangs is ended by
/// `qemu-run.sh --cpu-timeout`, whether it turns in circles or sleeps for ever.
pub struct Machine {
    child: Child,
    port: u16,
    /// What came over the serial port.
    pub serial: Arc<Transcript>,
    /// What `qemu-run.sh` said itself, symbolised backtraces among it.
    pub report: Arc<Transcript>,
}

impl Machine {
    /// Starts `qemu-run.sh`; the host's `port` leads to the machine's first tenant.
    ///
    /// # Errors
    /// The script cannot be started.
    pub(crate) fn start(mut qemu_run: Command, port: u16) -> Result<Machine> {
        let mut child = qemu_run
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting qemu-run.sh")?;
        let serial = Transcript::follow(child.stdout.take().context("a piped output")?);
        let report = Transcript::follow(child.stderr.take().context("a piped output")?);
        Ok(Machine {
            child,
            port,
            serial,
            report,
        })
    }

    /// The host's port that leads to the first tenant.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client of the first tenant.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// Waits for a line of the serial log of which `wanted` is true.
    ///
    /// # Errors
    /// The machine ended without it; `what` says in the error what was waited for.
    pub fn line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.line_from(0, what, wanted).map(|(_, line)| line)
    }

    /// As [`line`](Self::line), among the lines from `start` on, with the number of the line found.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn line_from(
        &self,
        start: usize,
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(usize, String)> {
        let found = self.serial.wait_from(start, wanted);
        found.with_context(|| format!("the machine did not say {what}"))
    }

    /// Waits until the last line of the serial log with `mark` in it is one of which `wanted` is true. The kernel
    /// reports some figures again and again, and this waits for what they come to.
    ///
    /// # Errors
    /// The machine ended before; the error has the last such line.
    pub fn comes_to(&self, mark: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let last = |lines: &[String]| {
            let mut newest = lines.iter().rev();
            newest.find(|line| line.contains(mark)).cloned()
        };
        let is_there = |lines: &[String]| last(lines).is_some_and(|line| wanted(&line));
        if self.serial.wait_until(is_there) {
            return Ok(());
        }
        let lines = self.serial.lines();
        bail!("the machine ended with {:?} of {mark:?}", last(&lines))
    }

    /// Waits until the machine says that it is ready, and that all functions are.
    ///
    /// # Errors
    /// It did not say so while it lived.
    pub fn ready(&self) -> Result<()> {
        if self.serves()?.contains(STILL) {
            self.line("that all modules are made", |line| line.contains(ALL_MADE))?;
        }
        Ok(())
    }

    /// Waits until the machine says that it serves, whether or not all functions are ready. Returns the line.
    ///
    /// # Errors
    /// It did not say so while it lived.
    pub fn serves(&self) -> Result<String> {
        self.line("ready", is_ready)
    }

    /// Waits until the machine ends by itself.
    ///
    /// # Errors
    /// Whatever waiting fails with.
    pub fn end(&mut self) -> Result<End> {
        let status = self.child.wait()?;
        self.serial.wait_closed();
        self.report.wait_closed();
        Ok(status.code().map_or(End::Other(-1), End::from_status))
    }

    /// Waits until the machine ends by itself, and checks how.
    ///
    /// # Errors
    /// It ended in another way.
    pub fn ends_with(&mut self, expected: End) -> Result<()> {
        let end = self.end()?;
        if end == expected {
            Ok(())
        } else {
            bail!("the machine ended with: {end}; expected: {expected}")
        }
    }

    /// Sends a signal to `qemu-run.sh`.
    ///
    /// # Errors
    /// The machine has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        process::signal(&self.child, signal)
    }

    /// The process id of `qemu-run.sh`.
    #[must_use]
    pub fn script(&self) -> u32 {
        self.child.id()
    }

    /// The process id of QEMU.
    ///
    /// # Errors
    /// It has not been started yet, or has ended.
    pub fn qemu(&self) -> Result<u32> {
        process::children(self.child.id())?
            .into_iter()
            .find(|&pid| process::name(pid).is_ok_and(|name| name.starts_with("qemu-system")))
            .context("QEMU is not running")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = process::signal(&self.child, Signal::SIGTERM);
        process::end(&mut self.child);
    }
}

/// What the line has that says that the machine serves, if not all functions are ready.
const STILL: &str = "still to be made";
/// What is logged when all are.
const ALL_MADE: &str = "all modules are made";

/// Does a line of the log say that the machine is ready to serve? The word has to stand alone: the
/// route table names `/readyz`.
fn is_ready(line: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '/')
        .any(|word| word == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_loader_and_kernel_is_recognised() {
        for code in ExitCode::ALL {
            assert_eq!(End::from_status(code.qemu_status().into()), End::Code(code));
        }
    }

    #[test]
    fn qemu_run_has_words_for_every_code_of_loader_and_kernel() {
        let script = include_str!("../../../boot/qemu/ending.sh");
        for code in ExitCode::ALL {
            let status = code.qemu_status();
            assert!(
                script.contains(&format!("    {status}) ")),
                "no words for {status}, {code}"
            );
        }
    }

    #[test]
    fn only_the_word_itself_means_ready() {
        assert!(is_ready("[    0.012345 cpu0 main ] ready: 3 functions"));
        assert!(!is_ready("  GET /readyz"));
        assert!(!is_ready("already there"));
    }
}
