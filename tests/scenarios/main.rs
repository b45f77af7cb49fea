//! One scenario for each way in which a running machine must behave, or can go wrong.
//!
//! `cargo run -p luge-harness --bin luge-scenarios -- [FILTER]` runs those whose name contains FILTER, for
//! instance `http::` or `overflow`; `--list` names them all. Two machines run at the same time at most.
//!
//! A scenario is a function, named as the rule that it checks. It boots what it needs in its [`Lab`] and
//! returns an error if the machine does anything but what the rule says.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use luge_harness::Lab;
use luge_harness::lab::Workshop;

/// A scenario: its name and its check.
type Scenario = (&'static str, fn(&Lab) -> Result<()>);

/// Lists the scenarios of a file.
macro_rules! scenarios {
    ($($name:ident,)*) => {
        pub const SCENARIOS: &[crate::Scenario] = &[$((stringify!($name), $name)),*];
    };
}

mod admin;
mod answers;
mod catalogue;
mod conformance;
mod controls;
mod cores;
mod crowd;
mod deadlines;
mod debugger;
mod deployments;
mod disks;
mod examples;
mod exceptions;
mod faults;
mod files;
mod gate;
mod guests;
mod hostile;
mod http;
mod image;
mod instances;
mod kernel_faults;
mod last_bytes;
mod linear_stack;
mod load;
mod loader;
mod loading;
mod logs;
mod metrics;
mod native;
mod operators;
mod page;
mod pages;
mod programs;
mod promises;
mod readme;
mod records;
mod replacements;
mod schedules;
mod script;
mod served;
mod setup;
mod templates;
mod tickets;
mod walk;
mod wasi;

/// All scenarios, by the file that they are in.
const GROUPS: &[(&str, &[Scenario])] = &[
    ("controls", controls::SCENARIOS),
    ("conformance", conformance::SCENARIOS),
    ("wasi", wasi::SCENARIOS),
    ("script", script::SCENARIOS),
    ("setup", setup::SCENARIOS),
    ("loader", loader::SCENARIOS),
    ("kernel_faults", kernel_faults::SCENARIOS),
    ("examples", examples::SCENARIOS),
    ("files", files::SCENARIOS),
    ("answers", answers::SCENARIOS),
    ("programs", programs::SCENARIOS),
    ("templates", templates::SCENARIOS),
    ("disks", disks::SCENARIOS),
    ("http", http::SCENARIOS),
    ("hostile", hostile::SCENARIOS),
    ("catalogue", catalogue::SCENARIOS),
    ("exceptions", exceptions::SCENARIOS),
    ("last_bytes", last_bytes::SCENARIOS),
    ("gate", gate::SCENARIOS),
    ("instances", instances::SCENARIOS),
    ("image", image::SCENARIOS),
    ("load", load::SCENARIOS),
    ("loading", loading::SCENARIOS),
    ("crowd", crowd::SCENARIOS),
    ("operators", operators::SCENARIOS),
    ("deadlines", deadlines::SCENARIOS),
    ("promises", promises::SCENARIOS),
    ("tickets", tickets::SCENARIOS),
    ("schedules", schedules::SCENARIOS),
    ("admin", admin::SCENARIOS),
    ("replacements", replacements::SCENARIOS),
    ("deployments", deployments::SCENARIOS),
    ("metrics", metrics::SCENARIOS),
    ("faults", faults::SCENARIOS),
    ("linear_stack", linear_stack::SCENARIOS),
    ("pages", pages::SCENARIOS),
    ("page", page::SCENARIOS),
    ("logs", logs::SCENARIOS),
    ("records", records::SCENARIOS),
    ("native", native::SCENARIOS),
    ("debugger", debugger::SCENARIOS),
    ("walk", walk::SCENARIOS),
    ("cores", cores::SCENARIOS),
];

/// How many machines may run at once.
const MACHINES: usize = 2;

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(
        arguments
            .test_threads
            .map_or(MACHINES, |wanted| wanted.min(MACHINES)),
    );
    let workshop = Workshop::open()?;
    let scenarios = GROUPS
        .iter()
        .flat_map(|&(group, scenarios)| scenarios.iter().map(move |one| (group, one)));
    let trials = scenarios.map(|(group, scenario)| trial(&workshop, group, scenario));
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

fn trial(workshop: &Arc<Workshop>, group: &str, &(name, check): &Scenario) -> Trial {
    let workshop = Arc::clone(workshop);
    Trial::test(format!("{group}::{name}"), move || {
        let lab = Lab::new(workshop, name);
        check(&lab).map_err(|error| Failed::from(format!("{error:#}\n{}", lab.last_words())))
    })
}
