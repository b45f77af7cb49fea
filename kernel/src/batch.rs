//! The batch: every function of the disk once, a line each, and the count.
//!
//! It stands in for the network: the dispatcher polls it as it would poll connections. Functions run
//! one after the other, with no arguments and an empty body.
//!
//! ```text
//! fib: exit 0, 3 bytes in 1532 us
//! 7 passed, 1 failed
//! ```
//! A module that was left out when the disk was read counts as failed.
#![deny(unsafe_code)]

use alloc::sync::Arc;
use alloc::{string::ToString, vec::Vec};
use core::fmt::{self, Write};

use luge_boot_info::exit::ExitCode;

use crate::arch::lock::Lock;
use crate::arch::power;
use crate::arch::time::Instant;
use crate::functions::{Function, loading, table};
use crate::mm::bodies::Body;
use crate::observe::dropped;
use crate::observe::logger::Port;
use crate::sandbox::{self, Request, Sandbox};

struct Batch {
    next: usize,
    running: Option<Run>,
    passed: usize,
    failed: usize,
}

struct Run {
    sandbox: Arc<Sandbox>,
    bytes: usize,
}

static BATCH: Lock<Batch> = Lock::new(Batch {
    next: 0,
    running: None,
    passed: 0,
    failed: 0,
});

/// Lets the batch go on; ends the machine when it is through.
pub fn poll(now: Instant) -> Option<Instant> {
    if !loading::is_done() {
        let next = loading::poll(now);
        if !loading::is_done() {
            return next;
        }
    }
    let mut batch = BATCH.lock();
    while batch.step(now) {}
    None
}

impl Batch {
    /// False while there is something to wait for.
    fn step(&mut self, now: Instant) -> bool {
        let Some(run) = &mut self.running else {
            return self.start_next(now);
        };
        while let Some(buffer) = run.sandbox.take_output() {
            run.bytes += buffer.len();
        }
        let Some(outcome) = run.sandbox.outcome() else {
            return false;
        };
        let micros = run.sandbox.times().total_ns / 1_000;
        let name = run.sandbox.name().to_string();
        let bytes = run.bytes;
        print(format_args!(
            "{name}: {outcome}, {bytes} bytes in {micros} us"
        ));
        let succeeded = run.sandbox.is_success(outcome);
        self.count(succeeded);
        self.running = None;
        true
    }

    fn start_next(&mut self, now: Instant) -> bool {
        let table = table();
        let Some(function) = table.functions().nth(self.next) else {
            self.close();
        };
        self.next += 1;
        match sandbox::submit(request(function), now) {
            Ok(sandbox) => self.running = Some(Run { sandbox, bytes: 0 }),
            Err(refused) => {
                print(format_args!("{}: refused: {refused:?}", function.name));
                self.failed += 1;
            }
        }
        true
    }

    fn count(&mut self, succeeded: bool) {
        if succeeded {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    fn close(&self) -> ! {
        dropped::say();
        let failed = self.failed + table().left_out();
        print(format_args!("{} passed, {failed} failed", self.passed));
        if failed > 0 {
            power::exit(ExitCode::BatchFailed.value());
        }
        power::off()
    }
}

/// A request for a function whose module is ready, with no arguments and an empty body.
pub fn request(function: &Function) -> Request {
    let program = function.module.program();
    let program = program.expect("all modules are made before the first request");
    function.request(program.clone(), Vec::new(), Body::default(), None)
}

/// A line without time and level: these lines are for scripts to read.
fn print(text: fmt::Arguments<'_>) {
    // Writing to the port cannot fail.
    let _ = writeln!(Port, "{text}");
}
