//! The experiments: who asks for what, and when.

use anyhow::Result;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::plan::{Plan, Route};
use crate::programs::{EMPTY, LONG, MIX, SHORT, Shelf};

/// An experiment.
pub struct Load {
    /// On the command line, and in the names of files.
    pub name: &'static str,
    /// What is played, as the picture's title.
    pub about: &'static str,
    /// Of all requests, the most that a host may do in time that does first what comes first: if it did more,
    /// the experiment would say nothing about deadlines.
    pub first_in_does_percent: f64,
    /// Its requests. The second number is how many times shorter than whole it is to be.
    pub plan: fn(&Shelf, u64) -> Result<Plan>,
}

/// All of them.
pub const LOADS: [Load; 4] = [
    Load {
        name: "crowd",
        about: "empty, asked for by 1 to 100 clients at once",
        first_in_does_percent: 100.0,
        plan: crowd,
    },
    Load {
        name: "two-sizes",
        about: "fib(10) at random moments beside 6 clients of fib(27), 100 % load",
        first_in_does_percent: 70.0,
        plan: two_sizes,
    },
    Load {
        name: "eighty-twenty",
        about: "four requests in five are fib(10), one is fib(27), 90 % load",
        first_in_does_percent: 70.0,
        plan: eighty_twenty,
    },
    Load {
        name: "four-programs",
        about: "four programs with deadlines of 4, 3, 2 and 1.5 times what they take, 80 % load",
        first_in_does_percent: 70.0,
        plan: four_programs,
    },
];

/// The reference gives fib(10) 20 ms and fib(40) 20 s. Ours is smaller, so both have a fiftieth of that.
const SHORT_US: u64 = 20_000 / 50;
const LONG_US: u64 = 20_000_000 / 50;

/// All moments and choices at random are drawn from this.
const SEED: u64 = 0x4c75_6765;

/// Instances of each program that are made beforehand, where more are hardly wanted at once.
const AT_ONCE: u32 = 16;

/// Requests for each number of clients.
const CROWD: u32 = 1_000;

/// `empty`, asked for by more and more clients at once, each of which waits for its answer before it asks
/// again.
fn crowd(shelf: &Shelf, shorter: u64) -> Result<Plan> {
    let steps: [u32; 7] = [1, 2, 5, 10, 20, 50, 100];
    let routes = steps.map(|clients| Route {
        name: clients.to_string(),
        ..Route::new(shelf, &EMPTY, 50_000)
    });
    let mut plan = Plan::new(shelf, "clients at once", routes.to_vec(), steps[6]);
    let requests = CROWD / u32::try_from(shorter)?;
    let step_us = 50_000 + 10 * u64::from(requests) * shelf.alone_us(&EMPTY);
    for (number, clients) in steps.into_iter().enumerate() {
        for _ in 0..clients {
            plan.client(number, number as u64 * step_us, (requests / clients).max(1));
        }
    }
    Ok(plan)
}

fn both_sizes(shelf: &Shelf) -> Plan {
    let routes = vec![
        Route::new(shelf, &SHORT, SHORT_US),
        Route::new(shelf, &LONG, LONG_US),
    ];
    Plan::new(shelf, "program", routes, AT_ONCE)
}

/// Short requests at random moments, for a twentieth of the time, and clients with long ones, so that there is
/// always something to do. The reference has a hundred clients of each kind, on many processors.
fn two_sizes(shelf: &Shelf, shorter: u64) -> Result<Plan> {
    let (clients, each) = (6, 16 / shorter.min(16));
    let mut plan = both_sizes(shelf);
    let span_us = clients * each * shelf.alone_us(&LONG) * 20 / 19;
    let mut random = Random::new();
    let every_us = 20 * shelf.alone_us(&SHORT);
    for start_us in random.moments(every_us, span_us) {
        plan.client(0, start_us, 1);
    }
    for _ in 0..clients {
        plan.client(1, 0, u32::try_from(each)?);
    }
    Ok(plan)
}

/// Requests at random moments, each a short one or, once in five times, a long one.
fn eighty_twenty(shelf: &Shelf, shorter: u64) -> Result<Plan> {
    mixed(both_sizes(shelf), &[80, 20], 90, 4_000_000 / shorter)
}

/// The reference's mix, by its numbers: the longer a program takes, the more seldom it is asked for.
fn four_programs(shelf: &Shelf, shorter: u64) -> Result<Plan> {
    let tenths = [40, 30, 20, 15];
    let routes = MIX
        .iter()
        .zip(tenths)
        .map(|(program, tenths)| Route::new(shelf, program, shelf.alone_us(program) * tenths / 10));
    let plan = Plan::new(shelf, "program", routes.collect(), AT_ONCE);
    mixed(plan, &[100, 24, 3, 1], 80, 2_000_000 / shorter)
}

/// Requests at random moments for `span_us`, for the routes in the proportion of `shares`, so many that all
/// together would take `percent` of the time.
fn mixed(mut plan: Plan, shares: &[u64], percent: u64, span_us: u64) -> Result<Plan> {
    let whole: u64 = shares.iter().sum();
    let parts = plan.routes.iter().zip(shares);
    let cost_us: u64 = parts.map(|(route, share)| route.alone_us * share).sum();
    let every_us = (cost_us * 100 / (whole * percent)).max(1);
    let mut random = Random::new();
    for start_us in random.moments(every_us, span_us) {
        plan.client(random.choice(shares), start_us, 1);
    }
    Ok(plan)
}

/// What is drawn at random, the same every time.
struct Random(ChaCha8Rng);

impl Random {
    fn new() -> Self {
        Self(ChaCha8Rng::seed_from_u64(SEED))
    }

    /// Moments within `span_us` that come `every_us` on the average and do not know of each other: a Poisson
    /// process.
    fn moments(&mut self, every_us: u64, span_us: u64) -> Vec<u64> {
        let (mut moments, mut now_us) = (Vec::new(), 0.0);
        loop {
            // In (0, 1], for which there is a logarithm.
            let drawn = (self.0.next_u32() as f64 + 1.0) / 4_294_967_296.0;
            now_us -= drawn.ln() * every_us as f64;
            if now_us >= span_us as f64 {
                return moments;
            }
            moments.push(now_us as u64);
        }
    }

    /// One of the numbers from 0 on, in the proportion of `shares`.
    fn choice(&mut self, shares: &[u64]) -> usize {
        let whole: u64 = shares.iter().sum();
        let mut drawn = self.0.next_u64() % whole;
        for (number, share) in shares.iter().enumerate() {
            match drawn.checked_sub(*share) {
                Some(left) => drawn = left,
                None => return number,
            }
        }
        unreachable!("what is drawn is less than all shares together")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::Program;

    fn shelf() -> Shelf {
        let times: [(&'static Program, u64); 7] = [
            (&EMPTY, 5),
            (&SHORT, 10),
            (&LONG, 11_000),
            (&MIX[0], 240),
            (&MIX[1], 220),
            (&MIX[2], 5_000),
            (&MIX[3], 14_000),
        ];
        Shelf::told(&times)
    }

    #[test]
    fn an_experiment_is_the_same_every_time() {
        for load in &LOADS {
            let list = || {
                let plan = (load.plan)(&shelf(), 1).expect(load.name);
                plan.replay.arrivals().to_owned()
            };
            assert_eq!(list(), list(), "{}", load.name);
        }
    }

    #[test]
    fn a_shorter_experiment_has_less_of_everything() {
        for load in &LOADS {
            let requests = |shorter| (load.plan)(&shelf(), shorter).expect(load.name).requests;
            let (whole, part) = (requests(1), requests(8));
            assert!(
                part > whole / 16 && part < whole / 4,
                "{}: {part} of {whole}",
                load.name
            );
        }
    }

    #[test]
    fn moments_at_random_come_as_often_as_they_are_to() {
        let moments = Random::new().moments(100, 1_000_000);
        assert!(moments.is_sorted());
        assert!(
            (9_700..10_300).contains(&moments.len()),
            "{}",
            moments.len()
        );
    }

    #[test]
    fn choices_at_random_are_in_proportion() {
        let mut random = Random::new();
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[random.choice(&[80, 0, 20])] += 1;
        }
        assert!(
            counts[1] == 0 && (7_800..8_200).contains(&counts[0]),
            "{counts:?}"
        );
    }
}
