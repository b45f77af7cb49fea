//! Experiments with the scheduler: the same requests under every policy, with and without preemption.
//!
//! `cargo run -p luge-harness --bin luge-experiments -- [NAME…]` plays all, or those named, in virtual time,
//! so that a figure is the same on every host. For each it prints a table and writes
//! `target/experiments/NAME.json` and `NAME.svg`. `kernel/docs/experiments.md` shows what came out.
//!
//! The exit status is 1 if a figure is not as theory says it must be.

mod expectations;
mod loads;
mod picture;
mod plan;
mod programs;
mod scale;
mod summary;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use luge_harness::Lab;
use luge_harness::lab::Workshop;
use serde_json::{Value, json};

use loads::{LOADS, Load};
use plan::Plan;
use programs::Shelf;
use summary::{Run, Way};

/// The policies, with admission or without: first the host as it is, then as in the reference, where
/// nobody is refused and deadlines only order the queue.
const POLICIES: [(&str, &str); 5] = [
    ("edf", "on"),
    ("edf", "off"),
    ("fifo", "off"),
    ("sjf", "off"),
    ("rr", "off"),
];
/// How many times less `--quick` plays of everything.
const QUICK: u64 = 8;

/// Plays the same requests under every policy, with and without preemption, in virtual time.
///
/// For each experiment there is a table on the standard output, and a JSON file and a picture in
/// target/experiments. Times are from arrival to answer.
#[derive(Parser)]
struct Options {
    /// Plays an eighth of everything, in the best of the ways and the worst, to see that it works.
    #[arg(long)]
    quick: bool,
    /// The experiments to play; all if none is named.
    #[arg(value_parser = PossibleValuesParser::new(LOADS.map(|load| load.name)))]
    names: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let workshop = Workshop::open()?;
    let target = workshop.root().join("target/experiments");
    fs::create_dir_all(&target)?;
    let lab = Lab::new(workshop, "experiments");
    let broken = play_all(&lab, &options, &target).inspect_err(|_| {
        eprintln!("{}", lab.last_words());
    })?;
    println!("written to {}", target.display());
    for what in &broken {
        eprintln!("not as it must be: {what}");
    }
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Plays what is asked for. Gives what is not as it must be.
fn play_all(lab: &Lab, options: &Options, target: &Path) -> Result<Vec<String>> {
    let mut ways: Vec<_> = POLICIES.into_iter().flat_map(ways_of).collect();
    let mut shorter = 1;
    if options.quick {
        ways.retain(|way| [expectations::BEST, expectations::WORST].contains(way));
        shorter = QUICK;
    }
    let is_wanted = |load: &&Load| {
        options.names.is_empty() || options.names.iter().any(|name| name == load.name)
    };
    let shelf = Shelf::measured(lab)?;
    let mut broken = Vec::new();
    for load in LOADS.iter().filter(is_wanted) {
        let plan = (load.plan)(&shelf, shorter)?;
        let runs = play(lab, load, &plan, &ways)?;
        let report = report(load, &plan, &runs);
        let file = |kind: &str| target.join(format!("{}.{kind}", load.name));
        fs::write(file("json"), serde_json::to_string_pretty(&report)? + "\n")?;
        fs::write(file("svg"), picture::draw(load.about, &plan, &runs)?)?;
        broken.extend(expectations::broken(load, &plan, &runs));
    }
    Ok(broken)
}

/// A policy with preemption and without.
fn ways_of((policy, admission): (&'static str, &'static str)) -> [Way; 2] {
    ["on", "off"].map(|preempt| Way {
        policy,
        admission,
        preempt,
    })
}

/// Plays an experiment in these ways, and prints what comes of each.
fn play(lab: &Lab, load: &Load, plan: &Plan, ways: &[Way]) -> Result<Vec<Run>> {
    println!("{}: {}\n{}", load.name, load.about, summary::HEAD);
    let one = |way: &Way| {
        let append = way.append();
        let report = plan.replay.play(lab, &append);
        let report = report.with_context(|| format!("{}, {append}", load.name))?;
        let run = Run::new(*way, plan, &report);
        print!("{}", run.table(plan));
        Ok(run)
    };
    ways.iter().map(one).collect()
}

/// An experiment for programs.
fn report(load: &Load, plan: &Plan, runs: &[Run]) -> Value {
    let route = |route: &plan::Route| {
        json!({
            "route": route.name, "program": route.program.name, "alone_us": route.alone_us,
            "deadline_us": route.deadline_us
        })
    };
    json!({
        "experiment": load.name,
        "about": load.about,
        "unit": "microseconds of virtual time, each of which is 1000 guest instructions",
        "routes": plan.routes.iter().map(route).collect::<Vec<_>>(),
        "runs": runs.iter().map(|run| run.json(plan)).collect::<Vec<_>>(),
    })
}
