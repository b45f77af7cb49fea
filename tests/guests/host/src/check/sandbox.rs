//! A sandbox that is a thread: the same face as the kernel's towards engine and WASI.

use std::ops::Deref;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use luge_disk::Part;
use luge_journal::LinearStack;
use luge_sandbox::{Outcome, Times};
use luge_trap::Trap;
use luge_wasi::{Folder, Unreadable};

use crate::arch::time::Instant;
use crate::files::HostFiles;
use crate::observe::steps::Step;

/// The most that a guest may have of memory and tables, in bytes.
const MEMORY_BYTES: u64 = 64 << 20;
/// The most that a guest may write, in bytes.
const OUTPUT_BYTES: usize = 4 << 20;

/// The most that a guest may have in files of its own, in bytes.
const SCRATCH_BYTES: u64 = 32 << 20;

/// Files that a sandbox can read.
pub trait Files: Send + Sync {
    fn folder(&self) -> &Folder;
    fn read(&self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, Unreadable>;
}

/// What runs in a sandbox.
pub trait Workload: Send + Sync {
    fn run(&self, sandbox: Current) -> Outcome;

    /// A number that no other program has.
    #[expect(dead_code, reason = "the kernel keeps arenas by it")]
    fn program(&self) -> u64;
}

#[derive(Default)]
pub struct Sandbox {
    pub name: String,
    pub arguments: Vec<String>,
    pub body: Vec<u8>,
    pub files: Option<HostFiles>,
    pub output: Mutex<Vec<u8>>,
    pub doomed: AtomicBool,
}

/// The sandbox that runs, as its own code sees it.
#[derive(Clone, Copy)]
pub struct Current(pub &'static Sandbox);

impl Deref for Current {
    type Target = Sandbox;
    fn deref(&self) -> &Sandbox {
        self.0
    }
}

/// The sandbox is to end now.
pub struct EndNow(pub Outcome);

/// Here it just calls `f`: the guest's thread is the host's.
pub fn gate<R>(f: impl FnOnce() -> R) -> Result<R, EndNow> {
    Ok(f())
}

/// The same for a host call whose length the kernel measures.
pub fn gate_for<R>(_: Step, f: impl FnOnce() -> R) -> Result<R, EndNow> {
    gate(f)
}

/// Here there is but one memory.
pub fn in_own_memory<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Sandbox {
    pub fn id(&self) -> u64 {
        1
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    pub fn environment(&self) -> &[(String, String)] {
        &[]
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub fn memory_limit(&self) -> u64 {
        MEMORY_BYTES
    }

    pub fn scratch_limit(&self) -> u64 {
        SCRATCH_BYTES
    }

    pub fn response_file(&self) -> Option<&str> {
        None
    }

    pub fn output_limit(&self) -> u64 {
        OUTPUT_BYTES as u64
    }

    pub fn is_success(&self, outcome: Outcome) -> bool {
        outcome.is_success()
    }

    pub fn files(&self) -> Option<&dyn Files> {
        self.files.as_ref().map(|files| files as &dyn Files)
    }

    pub fn times(&self) -> Times {
        Times {
            run_ns: Instant::now().as_ns(),
            ..Times::default()
        }
    }

    /// Says that the stack in linear memory ran out.
    pub fn report_linear_stack(&self, _: Trap, stack: LinearStack) {
        log::warn!("{}: {stack}", self.name);
    }

    pub fn write_output(&self, bytes: &[u8]) -> usize {
        let mut output = self.output.lock().unwrap();
        let taken = bytes.len().min(OUTPUT_BYTES - output.len());
        output.extend_from_slice(&bytes[..taken]);
        taken
    }

    pub fn may_log(&self) -> bool {
        true
    }

    pub fn step_aside(&self) -> bool {
        std::thread::yield_now();
        !self.doomed.load(Relaxed)
    }

    /// The host lets others run by itself.
    pub fn breathe(&self) -> bool {
        !self.doomed.load(Relaxed)
    }

    pub fn sleep_until(&self, moment: Instant) {
        while Instant::now() < moment && !self.doomed.load(Relaxed) {
            let left = moment.since(Instant::now()).min(10_000_000);
            std::thread::sleep(Duration::from_nanos(left));
        }
    }
}
