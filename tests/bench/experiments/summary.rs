//! What came of a run, in figures for each route.

use std::fmt;

use luge_harness::replay::{Report, Request, percent};
use serde_json::{Value, json};

use crate::plan::{Plan, Route};

/// How the kernel is told to schedule, each by its value on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Who goes first.
    pub policy: &'static str,
    /// Whether work is refused that could not be done in time: `on` or `off`.
    pub admission: &'static str,
    /// Whether the CPU is taken from one for another: `on` or `off`.
    pub preempt: &'static str,
}

/// What came of an experiment that was played in one way.
pub struct Run {
    /// In which.
    pub way: Way,
    /// For each route of the plan, in its order.
    pub figures: Vec<Figures>,
    /// CPU time of all requests, in percent of the time from the first one to the last answer.
    pub load_percent: f64,
    /// Tickets of admission that were not given back.
    pub tickets: u64,
}

/// What came of the requests for a route. Those of the warm-up are left out.
#[derive(Debug, Default, PartialEq)]
pub struct Figures {
    /// Answered with success by their deadline.
    pub done: u64,
    /// Let in, and not that.
    pub missed: u64,
    /// Not let in.
    pub refused: u64,
    /// From arrival to answer, of those that were answered with success, late or not.
    pub took: Percentiles,
    /// Those that are done, a second, from the route's first request to its last answer.
    pub done_per_s: f64,
}

/// Times, in microseconds; all 0 if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of all took no longer.
    pub p50: u64,
    /// Nine of ten took no longer.
    pub p90: u64,
    /// 99 of a hundred took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Way {
    /// What the kernel is told.
    pub fn append(&self) -> String {
        format!(
            "sched={} admission={} preempt={}",
            self.policy, self.admission, self.preempt
        )
    }
}

impl Run {
    /// Counts what was reported.
    pub fn new(way: Way, plan: &Plan, report: &Report) -> Run {
        let mut of_routes = vec![Vec::new(); plan.routes.len()];
        for request in &report.requests {
            if let Some(route) = plan.route_of(request) {
                of_routes[route].push(request);
            }
        }
        let all = of_routes.concat();
        let cpu_us = all.iter().map(|request| request.cpu_us).sum();
        Run {
            way,
            figures: of_routes.iter().map(|some| Figures::of(some)).collect(),
            load_percent: percent(cpu_us, span_us(&all)),
            tickets: report.tickets,
        }
    }

    /// For programs. `plan` is what was played.
    pub fn json(&self, plan: &Plan) -> Value {
        let routes = plan.routes.iter().zip(&self.figures);
        let routes: Vec<_> = routes
            .map(|(route, figures)| figures.json(&route.name))
            .collect();
        json!({
            "policy": self.way.policy, "admission": self.way.admission,
            "preemption": self.way.preempt, "load_percent": self.load_percent, "routes": routes
        })
    }

    /// For people: a line for each route, below [`HEAD`].
    pub fn table(&self, plan: &Plan) -> String {
        let Way {
            policy,
            admission,
            preempt,
        } = self.way;
        let routes = plan.routes.iter().zip(&self.figures);
        let line = |(route, figures): (&Route, &Figures)| {
            format!(
                "{policy:6} {admission:9} {preempt:7} {:>10} {figures} {:6.1}\n",
                route.name, self.load_percent
            )
        };
        routes.map(line).collect()
    }
}

/// What stands above the lines of [`Run::table`]. Times are in microseconds, the load is that of the run.
pub const HEAD: &str = "policy admission preempt      route requests      p50      p90      p99      max   done/s  done % missed % refused % load %";

impl Figures {
    /// Counts requests for a route.
    fn of(requests: &[&Request]) -> Figures {
        let count = |of: fn(&Request) -> bool| requests.iter().filter(|r| of(r)).count() as u64;
        let missed = count(Request::is_missed);
        let refused = count(|request| !request.is_admitted());
        let done = requests.len() as u64 - missed - refused;
        let answered = requests.iter().filter(|request| request.end == "exit 0");
        Figures {
            done,
            missed,
            refused,
            took: Percentiles::of(answered.map(|request| request.took_us).collect()),
            done_per_s: done as f64 * 1e6 / span_us(requests).max(1) as f64,
        }
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.done + self.missed + self.refused
    }

    /// Of all requests, what is done, missed, and refused, in percent.
    pub fn percent(&self) -> [f64; 3] {
        [self.done, self.missed, self.refused].map(|part| percent(part, self.requests()))
    }

    fn json(&self, name: &str) -> Value {
        let Percentiles { p50, p90, p99, max } = self.took;
        let [done, missed, refused] = self.percent();
        json!({
            "route": name, "requests": self.requests(),
            "p50_us": p50, "p90_us": p90, "p99_us": p99, "max_us": max,
            "done_per_second": self.done_per_s,
            "done_percent": done, "missed_percent": missed, "refused_percent": refused
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Percentiles { p50, p90, p99, max } = self.took;
        let [done, missed, refused] = self.percent();
        write!(
            f,
            "{:8} {p50:8} {p90:8} {p99:8} {max:8} {:8.0} {done:7.1} {missed:8.1} {refused:9.1}",
            self.requests(),
            self.done_per_s
        )
    }
}

impl Percentiles {
    /// By nearest rank: the smallest of the times than which so many percent are not longer.
    fn of(mut times_us: Vec<u64>) -> Percentiles {
        times_us.sort_unstable();
        let at = |percentile: usize| {
            let rank = (times_us.len() * percentile).div_ceil(100);
            let time = rank.checked_sub(1).map(|index| times_us[index]);
            time.unwrap_or(0)
        };
        Percentiles {
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }
}

/// From the first arrival to the last end.
fn span_us(requests: &[&Request]) -> u64 {
    let first = requests.iter().map(|request| request.arrived_us).min();
    let ends = requests.iter();
    let last = ends
        .map(|request| request.arrived_us + request.took_us)
        .max();
    last.unwrap_or(0) - first.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arrived_us: u64, took_us: u64, is_late: bool, end: &str) -> Request {
        Request {
            line: 1,
            route: "/0".to_owned(),
            arrived_us,
            took_us,
            cpu_us: 1,
            is_late,
            end: end.to_owned(),
        }
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred = Percentiles::of((1..=100).rev().collect());
        let expected = Percentiles {
            p50: 50,
            p90: 90,
            p99: 99,
            max: 100,
        };
        assert_eq!(hundred, expected);
        let three = Percentiles::of(vec![30, 10, 20]);
        assert_eq!((three.p50, three.p90, three.max), (20, 30, 30));
    }

    #[test]
    fn one_time_is_all_percentiles_and_no_time_is_none() {
        let one = Percentiles::of(vec![7]);
        assert_eq!((one.p50, one.p99, one.max), (7, 7, 7));
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }

    #[test]
    fn every_request_is_done_or_missed_or_refused() {
        let all = [
            request(0, 10, false, "exit 0"),
            request(10, 20, true, "exit 0"),
            request(20, 5, true, "over-deadline"),
            request(30, 5, false, "trap unreachable"),
            request(40, 0, false, "refused"),
        ];
        let figures = Figures::of(&all.each_ref());
        assert_eq!((figures.done, figures.missed, figures.refused), (1, 3, 1));
        assert_eq!(figures.requests(), all.len() as u64);
        let sum: f64 = figures.percent().iter().sum();
        assert!((sum - 100.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn who_is_late_counts_in_the_times_and_who_has_no_answer_does_not() {
        let all = [
            request(0, 10, false, "exit 0"),
            request(0, 90, true, "exit 0"),
            request(0, 500, true, "over-deadline"),
            request(0, 500, false, "refused"),
        ];
        assert_eq!(Figures::of(&all.each_ref()).took.max, 90);
    }

    #[test]
    fn throughput_is_what_is_done_from_the_first_arrival_to_the_last_end() {
        let all = [
            request(1_000, 100, false, "exit 0"),
            request(250_000, 251_000, false, "exit 0"),
        ];
        assert_eq!(Figures::of(&all.each_ref()).done_per_s, 4.0);
    }

    #[test]
    fn no_requests_are_no_figures() {
        assert_eq!(Figures::of(&[]), Figures::default());
        assert_eq!(Figures::default().percent(), [0.0; 3]);
    }
}
