//! How long each scenario took, for whoever looks for the slow ones.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use luge_harness::lab::Workshop;

/// How many of the slowest are printed.
const PRINTED: usize = 10;

/// The scenarios that have run, and how long each took in the host's time, builds that it waited for included.
pub struct Times {
    all: Mutex<Vec<(Duration, String)>>,
    file: PathBuf,
}

impl Times {
    /// None yet; they are kept in `target/scenarios/times.txt`.
    pub fn new(workshop: &Workshop) -> Times {
        Times {
            all: Mutex::default(),
            file: workshop.times(),
        }
    }

    /// Runs a scenario and notes how long it took.
    pub fn of<T>(&self, name: &str, run: impl FnOnce() -> T) -> T {
        // Host's time: it is printed, and nothing depends on it.
        let begun = Instant::now();
        let result = run();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((begun.elapsed(), name.to_owned()));
        all.sort_by(|one, other| other.cmp(one));
        // Written again and again, so that they are there if the run does not come to its end.
        if let Err(error) = fs::write(&self.file, text(&all, all.len())) {
            println!("{}: {error}", self.file.display());
        }
        result
    }

    /// Prints the slowest.
    pub fn report(&self) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        println!("the slowest, of all in {}:", self.file.display());
        print!("{}", text(&all, PRINTED));
    }
}

/// A line for each of the first `most`.
fn text(all: &[(Duration, String)], most: usize) -> String {
    let lines = all.iter().take(most);
    lines
        .map(|(took, name)| format!("{:8.1} s  {name}\n", took.as_secs_f64()))
        .collect()
}
