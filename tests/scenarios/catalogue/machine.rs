//! A machine on which the cases of the catalogue run, each beside a neighbour's computation.

use std::cell::Cell;
use std::ops::Range;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use luge_harness::http::Response;
use luge_harness::{Lab, Machine};
use serde_json::json;

use super::fault::{self, Code, Fault, Logged, Touched};
use super::table::Case;
use crate::guests::{AMPLE_US, Engine, Guests, text};
use crate::load::{settle, wait_for_the_end_of};

/// The deadline of the cases: before the neighbour's, so that they take the CPU from it.
const CASE_US: u64 = AMPLE_US / 2;

/// How often a case is tried beside a neighbour that must not finish before it.
const TRIES: u32 = 100;

/// A machine with some cases, by one engine.
pub struct Catalogue {
    /// The machine.
    pub machine: Machine,
    engine: Engine,
    /// Turns of the neighbour's loop.
    turns: u32,
    /// Where the executor's section is.
    executor: Range<u64>,
    /// Sandboxes that have been asked for.
    asked: Cell<u64>,
}

/// A computation of a neighbour's that has begun.
pub struct Computation {
    thread: JoinHandle<Result<Response>>,
    answer: u64,
}

impl Catalogue {
    /// Boots it.
    pub fn serve(lab: &Lab, engine: Engine, cases: &[&Case], append: &str) -> Result<Catalogue> {
        let turns = match engine {
            Engine::Wasmi => 300_000,
            Engine::Wasmtime => 3_000_000,
        };
        let mut guests = Guests::new(lab, engine)?.text("neighbour", &text::computation(turns))?;
        for case in cases {
            let keys = json!({ "stack-size": case.stack, "relative-deadline-us": CASE_US });
            guests = case.add_to(guests, lab, keys)?;
        }
        let machine = lab.serve(
            &guests
                .boot(lab)?
                .append("memory_report log_all_ends")
                .append(append),
        )?;
        Ok(Catalogue {
            engine,
            turns,
            executor: fault::executor(lab)?,
            asked: Cell::new(0),
            machine,
        })
    }

    /// Has a neighbour compute something, and comes back when it has begun.
    pub fn begin_a_computation(&self) -> Result<Computation> {
        let start = self.machine.serial.lines().len();
        let client = self.machine.client();
        let thread = thread::spawn(move || client.get("/neighbour"));
        self.asked.set(self.asked.get() + 1);
        self.machine
            .line_from(start, "that the neighbour computes", |line| {
                line.ends_with("computing")
            })?;
        Ok(Computation {
            thread,
            answer: text::computed(self.turns),
        })
    }

    /// Runs a case beside a neighbour, and checks all that the table says of it.
    pub fn check(&self, case: &Case) -> Result<()> {
        for _ in 0..TRIES {
            let neighbour = self.begin_a_computation()?;
            let result = self.check_alone(case);
            let in_the_middle = !neighbour.thread.is_finished();
            neighbour.finish().context("the neighbour")?;
            result?;
            if in_the_middle {
                return Ok(());
            }
        }
        anyhow::bail!("the neighbour was always done before")
    }

    /// Runs a case and checks how it ends and what the log says of its fault.
    pub fn check_alone(&self, case: &Case) -> Result<()> {
        let end = case.expected(self.engine).context("it has no end here")?;
        let start = self.machine.serial.lines().len();
        let response = self.machine.client().get(&format!("/{}", case.name))?;
        self.asked.set(self.asked.get() + 1);
        response.expect_outcome(&format!("trap {}", end.trap))?;
        let ended = format!("({}) ended: trap {}", case.name, end.trap);
        let (last, _) = self
            .machine
            .line_from(start, "how it ended", |line| line.contains(&ended))?;
        let its = format!("({}) fault: trap {}: ", case.name, end.trap);
        let lines = self.machine.serial.lines();
        let mut faults = lines[start..last].iter().filter(|line| line.contains(&its));
        match (faults.next(), end.fault) {
            (None, None) => {}
            (None, Some(fault)) => anyhow::bail!("the log has no {}", fault.exception),
            (Some(line), None) => anyhow::bail!("it was found by the processor: {line}"),
            (Some(line), Some(fault)) => self
                .check_fault(&Logged::parse(line)?, &fault, case)
                .with_context(|| line.clone())?,
        }
        ensure!(faults.next().is_none(), "there is more than one fault");
        Ok(())
    }

    /// Whether a fault is the one that is expected. What overflows a stack may be the first instructions of an
    /// interrupt, which came when the stack was all but used up.
    fn check_fault(&self, logged: &Logged, fault: &Fault, case: &Case) -> Result<()> {
        let expect = |fault| logged.expect(fault, &self.executor, u64::from(case.stack));
        let by_interrupt = Fault {
            code: Code::Kernel,
            ..*fault
        };
        match expect(fault) {
            Err(wrong) if fault.touched == Touched::StackGuard => {
                expect(&by_interrupt).map_err(|_| wrong)
            }
            result => result,
        }
    }

    /// What the kernel reports of its memory, once all that was asked for has ended.
    pub fn memory(&self) -> Result<String> {
        wait_for_the_end_of(&self.machine, self.asked.get())?;
        settle(&self.machine)?;
        let lines = self.machine.serial.lines();
        let mut reports = lines.iter().rev();
        let report = reports.find(|line| line.contains(REPORT));
        Ok(level(report.context("the kernel did not report its memory")?).to_owned())
    }

    /// Waits until the kernel reports this of its memory.
    pub fn memory_is(&self, before: &str) -> Result<()> {
        wait_for_the_end_of(&self.machine, self.asked.get())?;
        self.machine
            .comes_to(REPORT, |line| level(line) == before)
            .with_context(|| format!("memory was {before}"))
    }
}

/// What begins a report of the kernel's on its memory.
const REPORT: &str = "memory: frames_free=";

/// What a report says of memory that must come back. Page tables stay with a slot; they count as free frames.
fn level(report: &str) -> &str {
    let (_, figures) = report.split_once(REPORT).unwrap_or_default();
    figures
        .split_once(" tables=")
        .map_or(figures, |(level, _)| level)
}

impl Computation {
    /// Waits for the neighbour, whose result must be right.
    pub fn finish(self) -> Result<()> {
        let response = self.thread.join().ok().context("its thread")??;
        response.expect(self.answer.to_le_bytes())
    }
}
