//! Tests that are requests, and what became of them file by file.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use luge_harness::Machine;

use crate::examples::expect_outcome;

/// How much of the log is shown of a test that fails.
const LINES: usize = 6;

/// A test: where it stands, how it is asked for, and how it must end.
pub struct Case {
    pub file: String,
    pub name: String,
    pub request: String,
    pub body: Vec<u8>,
    pub outcome: String,
    pub answer: String,
}

/// What became of the tests of a file.
#[derive(Default)]
pub struct Count {
    pub file: String,
    pub passed: usize,
    pub failed: usize,
}

/// What became of all of them.
#[derive(Default)]
pub struct Report {
    pub counts: Vec<Count>,
    /// What is to be said of each that failed.
    pub wrong: Vec<String>,
}

impl Report {
    /// Carries tests out, in the order of their files.
    pub fn of(machine: &Machine, cases: &[Case]) -> Report {
        let client = machine.client();
        let mut report = Report::default();
        for case in cases {
            let since = machine.serial.lines().len();
            let answered = client.post(&case.request, &case.body).and_then(|response| {
                let ended = expect_outcome(&response, &case.outcome);
                ended.with_context(|| said(machine, since))?;
                let answer = String::from_utf8_lossy(&response.body);
                let is_right = case.outcome != "exit 0" || answer == case.answer;
                ensure!(is_right, "answered {answer:?}, not {:?}", case.answer);
                Ok(())
            });
            report.add(case, answered);
        }
        report
    }

    fn add(&mut self, case: &Case, answered: Result<()>) {
        let Case { file, name, .. } = case;
        let counts = &mut self.counts;
        if counts.last().is_none_or(|count| count.file != *file) {
            counts.push(Count {
                file: file.clone(),
                ..Count::default()
            });
        }
        let Some(count) = counts.last_mut() else {
            return;
        };
        match answered {
            Ok(()) => count.passed += 1,
            Err(why) => {
                count.failed += 1;
                self.wrong.push(format!("{file}/{name}: {why:#}"));
            }
        }
    }

    /// Both reports as one.
    pub fn and(mut self, other: Report) -> Report {
        self.counts.extend(other.counts);
        self.wrong.extend(other.wrong);
        self
    }

    /// How many passed, and how many failed.
    pub fn sum(&self) -> (usize, usize) {
        let sum = |of: fn(&Count) -> usize| self.counts.iter().map(of).sum();
        (sum(|count| count.passed), sum(|count| count.failed))
    }

    /// A line for each file and one for all, as the suite of WebAssembly has them.
    pub fn text(&self, engine: &str) -> String {
        let mut text = String::new();
        for count in &self.counts {
            let (passed, failed) = (count.passed, count.failed);
            let counts = format!("{passed} passed, {failed} failed");
            let _ = writeln!(text, "conformance: {engine}: {}: {counts}", count.file);
        }
        for wrong in &self.wrong {
            let _ = writeln!(text, "conformance: {engine}: {wrong}");
        }
        let (passed, failed) = self.sum();
        let counts = format!("{passed} passed, {failed} failed");
        let files = self.counts.len();
        let _ = writeln!(text, "conformance: {engine}: {counts} in {files} files");
        text
    }
}

/// What the log has to say of a test that failed.
fn said(machine: &Machine, since: usize) -> String {
    let lines = machine.serial.lines();
    let lines = &lines[since..];
    lines[lines.len().saturating_sub(LINES)..].join(" / ")
}

/// How many tests each file has.
pub fn by_file(cases: &[Case]) -> Vec<(String, usize)> {
    let mut files: Vec<(String, usize)> = Vec::new();
    for case in cases {
        match files.last_mut() {
            Some((file, tests)) if *file == case.file => *tests += 1,
            _ => files.push((case.file.clone(), 1)),
        }
    }
    files
}
