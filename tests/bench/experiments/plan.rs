//! What an experiment plays: routes, and who asks for them when.
//!
//! Every program is asked for before the experiment begins, so that the kernel has made the instances that it
//! keeps, and knows how long each route takes. That does not count.

use luge_harness::replay::{Replay, Request};
use serde_json::{Value, json};

use crate::programs::{Program, Shelf};

/// For so long each route is asked for before the experiment begins, one after the other, in microseconds, and so many times at least and at
/// most: from eight measurements on the kernel reckons with them, and with the last 64.
const ASKED_US: u64 = 100_000;
const TIMES: (u64, u64) = (8, 64);
/// What an instance takes to be made beyond what a request takes, at most, in microseconds.
const MADE_US: u64 = 1_000;
/// The time that those requests have which come at once, in microseconds.
const AMPLE_US: u64 = 10_000_000;
/// Which percentile of a route's measured times is booked for a request.
const PERCENTILE: u8 = 99;

/// A route, which is what figures are reckoned for.
#[derive(Clone, Debug)]
pub struct Route {
    /// What it is called in tables and pictures.
    pub name: String,
    /// What it runs.
    pub program: &'static Program,
    /// What that takes when nothing else is to be done, in microseconds.
    pub alone_us: u64,
    /// The time that a request has, in microseconds.
    pub deadline_us: u64,
}

/// All that is played.
pub struct Plan {
    /// In the order in which they are shown.
    pub routes: Vec<Route>,
    /// What tells the routes from each other.
    pub axis: &'static str,
    /// The requests, on a disk with the routes' programs.
    pub replay: Replay,
    /// How many requests are part of the experiment.
    pub requests: u64,
    /// Lines of the replay that are not, which are the first.
    warm_up_lines: usize,
    /// When the experiment begins, in microseconds of the replay.
    begin_us: u64,
}

impl Route {
    /// A route under its program's name.
    pub fn new(shelf: &Shelf, program: &'static Program, deadline_us: u64) -> Route {
        Route {
            name: program.name.to_owned(),
            program,
            alone_us: shelf.alone_us(program),
            deadline_us,
        }
    }

    fn path(number: usize) -> String {
        format!("/{number}")
    }

    fn warm_up_path(number: usize) -> String {
        format!("/warm-up-{number}")
    }

    /// As the kernel reads it, and a second route to the same program for the warm-up. Who is late goes on, as
    /// in the reference, so that it is known how late.
    fn specs(&self, number: usize) -> [Value; 2] {
        let spec = |path: String, deadline_us: u64| {
            json!({
                "route": path, "path": self.program.file(), "on-miss": "run",
                "relative-deadline-us": deadline_us, "expected-execution-us": self.alone_us,
                "admissions-percentile": PERCENTILE
            })
        };
        [
            spec(Route::path(number), self.deadline_us),
            spec(Route::warm_up_path(number), AMPLE_US),
        ]
    }
}

impl Plan {
    /// Only the warm-up as yet, in which each program is asked for `at_once` times at once, so that there are as
    /// many instances of it.
    pub fn new(shelf: &Shelf, axis: &'static str, routes: Vec<Route>, at_once: u32) -> Plan {
        let specs = routes.iter().enumerate();
        let specs: Vec<_> = specs
            .flat_map(|(number, route)| route.specs(number))
            .collect();
        let mut plan = Plan {
            replay: shelf.replay(&specs),
            routes,
            axis,
            requests: 0,
            warm_up_lines: 0,
            begin_us: 0,
        };
        for number in 0..plan.routes.len() {
            plan.warm_up(number, at_once);
        }
        plan
    }

    fn warm_up(&mut self, number: usize, at_once: u32) {
        let Route {
            program, alone_us, ..
        } = self.routes[number];
        let target = program.target(&Route::warm_up_path(number));
        for _ in 0..at_once {
            self.replay.client(self.begin_us, 1, &target);
        }
        self.begin_us += u64::from(at_once) * (alone_us + MADE_US);
        let times = (ASKED_US / alone_us).clamp(TIMES.0, TIMES.1);
        let target = program.target(&Route::path(number));
        self.replay.client(self.begin_us, times as u32, &target);
        self.begin_us += times * 2 * alone_us + MADE_US;
        self.warm_up_lines += at_once as usize + 1;
    }

    /// A client that sends `times` requests for the route of this number, one after the other, from `start_us`
    /// after the beginning of the experiment.
    pub fn client(&mut self, route: usize, start_us: u64, times: u32) {
        let target = self.routes[route].program.target(&Route::path(route));
        self.replay.client(self.begin_us + start_us, times, &target);
        self.requests += u64::from(times);
    }

    /// The number of the route that a request is for, or none if it was part of the warm-up.
    pub fn route_of(&self, request: &Request) -> Option<usize> {
        if request.line <= self.warm_up_lines {
            return None;
        }
        (0..self.routes.len()).find(|number| Route::path(*number) == request.route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::{EMPTY, SHORT};

    #[test]
    fn what_comes_before_the_experiment_does_not_count() {
        let shelf = Shelf::told(&[(&EMPTY, 10), (&SHORT, 100)]);
        let routes = [&EMPTY, &SHORT].map(|program| Route::new(&shelf, program, 1_000));
        let mut plan = Plan::new(&shelf, "program", routes.to_vec(), 4);
        let warm_up = plan.replay.arrivals().lines().count();
        plan.client(1, 5, 3);
        let request = |line: usize, route: &str| Request {
            line,
            route: route.to_owned(),
            arrived_us: 0,
            took_us: 0,
            cpu_us: 0,
            is_late: false,
            end: "exit 0".to_owned(),
        };
        assert_eq!(plan.route_of(&request(warm_up, "/1")), None);
        assert_eq!(plan.route_of(&request(warm_up + 1, "/1")), Some(1));
        assert_eq!(plan.requests, 3);
        let last = plan.replay.arrivals().lines().last().expect("a line");
        assert_eq!(last, format!("{} 3 /1 10", plan.begin_us + 5));
    }
}
