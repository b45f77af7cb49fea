//! Replays: lists of requests that the kernel plays by itself, in virtual time, and what came of them.
//!
//! Time is counted in instructions (`qemu-run.sh --icount`), so a replay is the same on every host and
//! every time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Boot, Disk, End, Kernel, Lab};

/// The most processor time of the host that a replay may take.
const LIMIT: Duration = Duration::from_secs(600);

/// A list of requests, and the functions that they are for.
#[derive(Clone, Default)]
pub struct Replay {
    spec: Value,
    modules: Vec<(String, PathBuf)>,
    arrivals: String,
    memory: Option<String>,
    is_native: bool,
}

/// What became of a request. Times are in microseconds of the machine's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its line in the list, from 1.
    pub line: usize,
    /// The path of its route.
    pub route: String,
    /// When it was due, after the beginning.
    pub arrived_us: u64,
    /// From then to its end.
    pub took_us: u64,
    /// CPU time that it was charged with.
    pub cpu_us: u64,
    /// It was not done at its deadline.
    pub is_late: bool,
    /// How it ended: its outcome, or `refused`.
    pub end: String,
}

/// What the kernel counted for a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Let in.
    pub admitted: u64,
    /// Not let in.
    pub refused: u64,
    /// Not done at their deadlines.
    pub missed: u64,
    /// Ended by the host.
    pub killed: u64,
    /// How often the CPU was taken from one.
    pub preempted: u64,
}

/// What became of all of them.
#[derive(Clone, Debug)]
pub struct Report {
    /// By the path of the route.
    pub counts: BTreeMap<String, Counts>,
    /// In the order in which they were sent.
    pub requests: Vec<Request>,
    /// From the first request to the last answer.
    pub wall_us: u64,
    /// CPU time of all sandboxes.
    pub charged_us: u64,
    /// Time in which the CPU was halted.
    pub idle_us: u64,
    /// Tickets that were not given back.
    pub tickets: u64,
}

impl Replay {
    /// No requests for the functions of this spec.
    #[must_use]
    pub fn new(spec: Value) -> Replay {
        Replay {
            spec,
            ..Replay::default()
        }
    }

    /// Adds a module that the spec names.
    #[must_use]
    pub fn module(mut self, name: &str, path: PathBuf) -> Replay {
        self.modules.push((name.to_owned(), path));
        self
    }

    /// Plays it on a machine with this much memory, as `qemu-run.sh --memory` has it.
    #[must_use]
    pub fn memory(mut self, size: &str) -> Replay {
        self.memory = Some(size.to_owned());
        self
    }

    /// Plays it in native code.
    #[must_use]
    pub fn native(mut self) -> Replay {
        self.is_native = true;
        self
    }

    /// A client that sends `times` requests, one after the other, from `start_us` on. `target` is the
    /// route with arguments behind it.
    pub fn client(&mut self, start_us: u64, times: u32, target: &str) {
        writeln!(self.arrivals, "{start_us} {times} {target}").expect("a text takes everything");
    }

    /// The list so far, as `arrivals.txt` has it.
    #[must_use]
    pub fn arrivals(&self) -> &str {
        &self.arrivals
    }

    /// Plays the list on a machine with `append` on its command line.
    ///
    /// # Errors
    /// The machine does not end as it should, or says something unexpected.
    pub fn play(&self, lab: &Lab, append: &str) -> Result<Report> {
        let mut folder = lab
            .folder("replay")?
            .file("functions.json", self.spec.to_string())?
            .file("arrivals.txt", &self.arrivals)?;
        for (name, path) in &self.modules {
            folder = folder.copy(name, path)?;
            if self.is_native {
                let code = lab.native_code_of(path)?;
                folder = folder.file(&format!("{}.cwasm", name.trim_end_matches(".wasm")), code)?;
            }
        }
        let mut boot = Boot::new(Kernel::Product)
            .disk(Disk::Image(lab.plain_image(&folder)?))
            .switch("--icount")
            .append("replay log=error")
            .append(append)
            .limit(LIMIT);
        if self.is_native {
            boot = boot.append("engine=wasmtime");
        }
        if let Some(size) = &self.memory {
            boot = boot.switch("--memory").switch(size);
        }
        let mut machine = lab.boot(&boot)?;
        machine.ends_with(End::PowerOff)?;
        Report::read(&machine.serial.lines())
    }
}

impl Report {
    fn read(lines: &[String]) -> Result<Report> {
        let lines = lines.iter();
        let lines = lines.filter_map(|line| Some(line.split_once("replay: ")?.1));
        let (mut requests, mut counts, mut sum) = (Vec::new(), BTreeMap::new(), None);
        for line in lines {
            if line.starts_with("request=") {
                requests.push(Request::read(line)?);
            } else if line.starts_with("route=") {
                counts.insert(text(line, "route")?.to_owned(), Counts::read(line)?);
            } else if line.starts_with("wall_us=") {
                sum = Some(line);
            }
        }
        let sum = sum.context("the replay did not end")?;
        ensure!(!requests.is_empty(), "no request was replayed");
        Ok(Report {
            counts,
            requests,
            wall_us: number(sum, "wall_us")?,
            charged_us: number(sum, "charged_us")?,
            idle_us: number(sum, "idle_us")?,
            tickets: number(sum, "tickets")?,
        })
    }

    /// The requests for a route.
    pub fn of<'r>(&'r self, route: &'r str) -> impl Iterator<Item = &'r Request> {
        self.requests
            .iter()
            .filter(move |request| request.route == route)
    }

    /// How much of the time sandboxes had the CPU, in percent.
    #[must_use]
    pub fn load_percent(&self) -> f64 {
        percent(self.charged_us, self.wall_us)
    }
}

impl Counts {
    fn read(line: &str) -> Result<Counts> {
        Ok(Counts {
            admitted: number(line, "admitted")?,
            refused: number(line, "refused")?,
            missed: number(line, "missed")?,
            killed: number(line, "killed")?,
            preempted: number(line, "preempted")?,
        })
    }
}

impl Request {
    fn read(line: &str) -> Result<Request> {
        let (_, end) = line.split_once("end=").context("an end")?;
        Ok(Request {
            line: usize::try_from(number(line, "line")?)?,
            route: text(line, "route")?.to_owned(),
            arrived_us: number(line, "arrived_us")?,
            took_us: number(line, "took_us")?,
            cpu_us: number(line, "cpu_us")?,
            is_late: number(line, "late")? == 1,
            end: end.trim().to_owned(),
        })
    }

    /// Whether it was let in.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.end != "refused"
    }

    /// Whether it was let in and did not end well by its deadline.
    #[must_use]
    pub fn is_missed(&self) -> bool {
        self.is_admitted() && (self.is_late || self.end != "exit 0")
    }
}

/// What `part` is of `whole`, in percent.
#[must_use]
pub fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The value behind `key=` in a line.
fn text<'l>(line: &'l str, key: &str) -> Result<&'l str> {
    let mut words = line.split(' ');
    let value = words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    value.with_context(|| format!("no {key} in {line}"))
}

fn number(line: &str, key: &str) -> Result<u64> {
    let value = text(line, key)?.trim();
    value.parse().with_context(|| format!("{key} in {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_from_the_log() {
        let log = [
            "[    0.1 cpu0 main    ] ready",
            "[    0.2 cpu0 replay: request=0 line=7 route=/fib arrived_us=5 took_us=6 cpu_us=4 late=1 end=exit 0",
            "[    0.2 cpu0 replay: request=1 line=8 route=/fib arrived_us=9 took_us=0 cpu_us=0 late=0 end=refused",
            "[    0.2 cpu0 replay: route=/fib admitted=1 refused=1 missed=1 killed=0 preempted=3",
            "[    0.2 cpu0 replay: wall_us=10 charged_us=4 idle_us=3 tickets=0",
        ];
        let report = Report::read(&log.map(str::to_owned)).expect("a report");
        let first = &report.requests[0];
        assert_eq!((first.line, first.took_us, first.cpu_us), (7, 6, 4));
        assert!(first.is_admitted() && first.is_missed());
        assert!(!report.requests[1].is_admitted() && !report.requests[1].is_missed());
        assert_eq!((report.idle_us, report.tickets), (3, 0));
        let counts = report.counts["/fib"];
        assert_eq!((counts.missed, counts.preempted), (1, 3));
    }

    #[test]
    fn a_replay_that_did_not_end_is_an_error() {
        assert!(Report::read(&["replay: nothing".to_owned()]).is_err());
    }
}
