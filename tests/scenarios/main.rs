//! One scenario for each way in which a running machine must behave, or can go wrong.
//!
//! `cargo run -p luge-harness --bin luge-scenarios -- [FILTER]` runs those whose name contains FILTER, for
//! instance `http::` or `overflow`; `--list` names them all, `--ignored` runs those that take long, and `--test-threads`
//! says how many machines may run at once.
//!
//! A scenario is a function, named as the rule that it checks. It boots what it needs in its [`Lab`] and
//! returns an error if the machine does anything but what the rule says.

mod times;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use luge_harness::lab::Workshop;
use luge_harness::{Lab, process};

use times::Times;

/// A scenario.
pub struct Scenario {
    /// The rule that it checks.
    pub name: &'static str,
    /// Its check.
    pub check: fn(&Lab) -> Result<()>,
    /// It is not in the default run: see `tests/README.md`.
    pub is_long: bool,
}

/// Lists the scenarios of a file; `long` before a name keeps a scenario out of the default run.
macro_rules! scenarios {
    ($($words:ident $($name:ident)?),* $(,)?) => {
        pub const SCENARIOS: &[crate::Scenario] = &[$(scenarios!(@one $words $($name)?)),*];
    };
    (@one long $name:ident) => {
        crate::Scenario { name: stringify!($name), check: $name, is_long: true }
    };
    (@one $name:ident) => {
        crate::Scenario { name: stringify!($name), check: $name, is_long: false }
    };
}

mod admin;
mod answers;
mod bodies;
mod catalogue;
mod clock;
mod conformance;
mod connections;
mod controls;
mod cores;
mod crowd;
mod deadlines;
mod debugger;
mod deployments;
mod disks;
mod estimates;
mod examples;
mod exceptions;
mod faults;
mod files;
mod floods;
mod gate;
mod guests;
mod hostile;
mod http;
mod idle;
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
mod places;
mod programs;
mod promises;
mod random;
mod readers;
mod readme;
mod records;
mod replacements;
mod schedules;
mod script;
mod served;
mod setup;
mod shares;
mod shortage;
mod slow;
mod steps;
mod supervision;
mod templates;
mod throws;
mod tickets;
mod walk;
mod wasi;
mod wire;

/// All scenarios, by the file that they are in.
const GROUPS: &[(&str, &[Scenario])] = &[
    ("controls", controls::SCENARIOS),
    ("conformance", conformance::SCENARIOS),
    ("wasi", wasi::SCENARIOS),
    ("script", script::SCENARIOS),
    ("supervision", supervision::SCENARIOS),
    ("setup", setup::SCENARIOS),
    ("shares", shares::SCENARIOS),
    ("slow", slow::SCENARIOS),
    ("wire", wire::SCENARIOS),
    ("places", places::SCENARIOS),
    ("idle", idle::SCENARIOS),
    ("readers", readers::SCENARIOS),
    ("steps", steps::SCENARIOS),
    ("floods", floods::SCENARIOS),
    ("loader", loader::SCENARIOS),
    ("kernel_faults", kernel_faults::SCENARIOS),
    ("examples", examples::SCENARIOS),
    ("files", files::SCENARIOS),
    ("answers", answers::SCENARIOS),
    ("bodies", bodies::SCENARIOS),
    ("programs", programs::SCENARIOS),
    ("templates", templates::SCENARIOS),
    ("disks", disks::SCENARIOS),
    ("http", http::SCENARIOS),
    ("clock", clock::SCENARIOS),
    ("random", random::SCENARIOS),
    ("connections", connections::SCENARIOS),
    ("hostile", hostile::SCENARIOS),
    ("catalogue", catalogue::SCENARIOS),
    ("exceptions", exceptions::SCENARIOS),
    ("last_bytes", last_bytes::SCENARIOS),
    ("gate", gate::SCENARIOS),
    ("instances", instances::SCENARIOS),
    ("image", image::SCENARIOS),
    ("load", load::SCENARIOS),
    ("shortage", shortage::SCENARIOS),
    ("loading", loading::SCENARIOS),
    ("crowd", crowd::SCENARIOS),
    ("operators", operators::SCENARIOS),
    ("deadlines", deadlines::SCENARIOS),
    ("promises", promises::SCENARIOS),
    ("estimates", estimates::SCENARIOS),
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
    ("throws", throws::SCENARIOS),
    ("debugger", debugger::SCENARIOS),
    ("walk", walk::SCENARIOS),
    ("cores", cores::SCENARIOS),
];

/// What a machine and its QEMU may need of the host's memory, in bytes.
const MACHINE_BYTES: u64 = 1 << 30;
/// More at once were never tried.
const MOST_MACHINES: usize = 4;

/// How many machines may run at once: as many as there are processors, since a machine has one, and as there is memory
/// for. How busy those are makes no difference to what is found.
fn machines() -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let free_bytes = process::free_memory().unwrap_or(MACHINE_BYTES);
    let affordable = usize::try_from(free_bytes / MACHINE_BYTES).unwrap_or(usize::MAX);
    processors.min(affordable).clamp(1, MOST_MACHINES)
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(machines()));
    let workshop = Workshop::open()?;
    let times = Arc::new(Times::new(&workshop));
    let scenarios = GROUPS
        .iter()
        .flat_map(|&(group, scenarios)| scenarios.iter().map(move |one| (group, one)));
    let trials = scenarios.map(|(group, scenario)| trial(&workshop, &times, group, scenario));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    times.report();
    Ok(conclusion.exit_code())
}

fn trial(workshop: &Arc<Workshop>, times: &Arc<Times>, group: &str, scenario: &Scenario) -> Trial {
    let (workshop, times) = (Arc::clone(workshop), Arc::clone(times));
    let (name, check) = (scenario.name, scenario.check);
    let full_name = format!("{group}::{name}");
    Trial::test(full_name.clone(), move || {
        let lab = Lab::new(workshop, name);
        let result = times.of(&full_name, || check(&lab));
        result.map_err(|error| Failed::from(format!("{error:#}\n{}", lab.last_words())))
    })
    .with_ignored_flag(scenario.is_long)
}
