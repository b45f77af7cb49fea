//! What must be so in the figures, whatever the machine: an experiment that shows something else has found a
//! mistake, in the kernel or in itself.

use luge_harness::replay::percent;

use crate::loads::Load;
use crate::plan::Plan;
use crate::summary::{Figures, Run, Way};

/// The host as it is.
pub const BEST: Way = Way {
    policy: "edf",
    admission: "on",
    preempt: "on",
};

/// A host that does first what comes first.
pub const WORST: Way = Way {
    policy: "fifo",
    admission: "off",
    preempt: "off",
};

/// What is not so, in sentences.
pub fn broken(load: &Load, plan: &Plan, runs: &[Run]) -> Vec<String> {
    let mut broken = Vec::new();
    for run in runs {
        let mut check = |is_so: bool, what: String| {
            if !is_so {
                broken.push(format!("{}, {}: {what}", load.name, run.way.append()));
            }
        };
        let (tickets, requests) = (run.tickets, sum(run, Figures::requests));
        check(tickets == 0, format!("{tickets} tickets are out"));
        check(
            requests == plan.requests,
            format!("{requests} of {} requests came", plan.requests),
        );
        let missed = sum(run, |figures| figures.missed);
        if run.way == BEST {
            check(missed == 0, format!("{missed} that were let in missed"));
        }
        if run.way == WORST {
            let done = percent(sum(run, |figures| figures.done), requests);
            let most = load.first_in_does_percent;
            check(
                done <= most,
                format!("{done:.1} % are done, more than {most:.0}"),
            );
        }
    }
    broken
}

fn sum(run: &Run, of: impl Fn(&Figures) -> u64) -> u64 {
    run.figures.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Route;
    use crate::programs::{EMPTY, Shelf};

    fn told(way: Way, figures: Figures, tickets: u64) -> Vec<String> {
        let load = Load {
            name: "test",
            about: "",
            first_in_does_percent: 70.0,
            plan: |_, _| unreachable!("it has been played"),
        };
        let shelf = Shelf::told(&[(&EMPTY, 10)]);
        let mut plan = Plan::new(&shelf, "", vec![Route::new(&shelf, &EMPTY, 100)], 1);
        plan.client(0, 0, 10);
        let run = Run {
            way,
            figures: vec![figures],
            load_percent: 0.0,
            tickets,
        };
        broken(&load, &plan, &[run])
    }

    fn figures(done: u64, missed: u64, refused: u64) -> Figures {
        Figures {
            done,
            missed,
            refused,
            ..Figures::default()
        }
    }

    #[test]
    fn what_is_as_it_must_be_is_not_named() {
        assert!(told(BEST, figures(6, 0, 4), 0).is_empty());
        assert!(told(WORST, figures(7, 3, 0), 0).is_empty());
        let other = Way {
            policy: "sjf",
            ..WORST
        };
        assert!(told(other, figures(0, 10, 0), 0).is_empty());
    }

    #[test]
    fn whatever_is_not_is_named() {
        let cases = [
            (told(BEST, figures(9, 1, 0), 0), "1 that were let in missed"),
            (told(BEST, figures(9, 0, 0), 0), "9 of 10 requests came"),
            (told(WORST, figures(0, 10, 0), 2), "2 tickets are out"),
            (
                told(WORST, figures(8, 2, 0), 0),
                "80.0 % are done, more than 70",
            ),
        ];
        for (named, expected) in cases {
            assert_eq!(named.len(), 1, "{named:?}");
            assert!(named[0].ends_with(expected), "{named:?}");
        }
    }
}
