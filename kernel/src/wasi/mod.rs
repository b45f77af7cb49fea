//! The outside of a command: [`luge_wasi::Host`] over a sandbox.
//!
//! Everything here runs inside the gate, called by [`luge_wasi::Context`]. Key type: [`Outside`].
//!
//! Invariant: [`Outside`] lies in the sandbox's arena and owns nothing of the kernel's; what it calls
//! in the kernel keeps nothing of it.
#![deny(unsafe_code)]

use alloc::string::String;

use log::{Level, info, log_enabled, warn};
use luge_disk::Part;
use luge_journal::Harmless;
use luge_sandbox::Outcome;
use luge_wasi::{Folder, Host, NoResponse, Unreadable};

use crate::arch::random;
use crate::arch::time::{self, Instant};
use crate::sandbox::{Current, in_own_memory};

/// The target of what guests write to stderr.
const LOG: &str = "guest";

/// What one command sees of the world.
pub struct Outside {
    sandbox: Current,
}

impl Outside {
    /// The world around `sandbox`.
    #[must_use]
    pub fn new(sandbox: Current) -> Self {
        Self { sandbox }
    }
}

impl Outside {
    /// Whether a command that ends so is answered by a file.
    #[must_use]
    pub fn is_answered_by_file(&self, outcome: Outcome) -> bool {
        self.sandbox.response_file().is_some() && self.sandbox.is_success(outcome)
    }

    /// The most that may ever be written to standard output, in bytes.
    #[must_use]
    pub fn output_limit(&self) -> u64 {
        self.sandbox.output_limit()
    }

    /// Says why there is no answer.
    pub fn say_no_response(&self, why: NoResponse) {
        let (id, name) = (self.sandbox.id(), self.sandbox.name());
        let file = self.sandbox.response_file().unwrap_or_default();
        warn!(
            "sandbox {id} ({name}): /tmp/{} is not the response: {why}",
            Harmless(file.as_bytes())
        );
    }
}

impl Host for Outside {
    fn arguments(&self) -> &[String] {
        self.sandbox.arguments()
    }

    fn environment(&self) -> &[(String, String)] {
        self.sandbox.environment()
    }

    fn body(&self) -> &[u8] {
        self.sandbox.body()
    }

    fn monotonic_ns(&mut self) -> u64 {
        Instant::now().as_ns()
    }

    fn realtime_ns(&mut self) -> u64 {
        time::wall_clock_ns()
    }

    fn cpu_time_ns(&mut self) -> u64 {
        self.sandbox.times().run_ns
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random::fill(bytes);
    }

    fn write_stdout(&mut self, bytes: &[u8]) -> usize {
        self.sandbox.write_output(bytes)
    }

    fn write_log(&mut self, line: &[u8]) {
        if log_enabled!(target: LOG, Level::Info) && self.sandbox.may_log() {
            info!(
                target: LOG,
                sandbox = self.sandbox.id(), function = self.sandbox.name();
                "{}", Harmless(line)
            );
        }
    }

    fn sleep_until(&mut self, deadline_ns: u64) {
        self.sandbox.sleep_until(Instant::from_ns(deadline_ns));
    }

    fn yield_now(&mut self) -> bool {
        self.sandbox.step_aside()
    }

    fn breathe(&self) -> bool {
        self.sandbox.breathe()
    }

    fn folder(&self) -> Option<&Folder> {
        self.sandbox.files().map(|files| files.folder())
    }

    fn read_file(&mut self, file: u32, offset: u64, into: &mut [u8]) -> Result<usize, Unreadable> {
        let files = self.sandbox.files().ok_or(Unreadable)?;
        loop {
            let part = files.read(file, offset, into)?;
            // Nobody else had the CPU while the disk was waited for.
            let wanted = matches!(part, Part::Ready(_)) || self.sandbox.step_aside();
            match part {
                Part::Ready(bytes) | Part::Waited(bytes) => return Ok(bytes),
                Part::OnTheWay if wanted => {}
                Part::OnTheWay => return Err(Unreadable),
            }
        }
    }

    fn scratch_bytes(&self) -> u64 {
        self.sandbox.scratch_limit()
    }

    fn response_file(&self) -> Option<&str> {
        self.sandbox.response_file()
    }

    fn in_own_memory<R>(&mut self, f: impl FnOnce() -> R) -> R {
        in_own_memory(f)
    }
}
