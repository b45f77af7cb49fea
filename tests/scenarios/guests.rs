//! Machines with guests from the collection and guests made of text, for either engine.

pub mod text;
pub mod thrown;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use luge_harness::disk::Folder;
use luge_harness::{Boot, Disk, Kernel, Lab, Machine};
use serde_json::{Value, json};

pub use crate::served::AMPLE_US;
use crate::served::{route, spec};

/// What runs guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The interpreter.
    Wasmi,
    /// Native code.
    Wasmtime,
}

impl Engine {
    /// The command line on which nothing runs by the other engine.
    pub fn parameter(self) -> &'static str {
        match self {
            Engine::Wasmi => "engine=wasmi",
            Engine::Wasmtime => "engine=wasmtime",
        }
    }
}

/// A folder with guests of the collection, modules made of text, and the neighbours; and their routes.
pub struct Guests {
    engine: Engine,
    folder: Folder,
    routes: Vec<Value>,
}

impl Guests {
    /// The neighbours alone.
    pub fn new(lab: &Lab, engine: Engine) -> Result<Guests> {
        let mut guests = Guests::none(lab, engine)?;
        for name in ["fib", "echo"] {
            guests = guests.file(name, lab.example(name)?)?;
        }
        Ok(guests)
    }

    /// Nobody yet.
    pub fn none(lab: &Lab, engine: Engine) -> Result<Guests> {
        let name = match engine {
            Engine::Wasmi => "disk-wasmi",
            Engine::Wasmtime => "disk-wasmtime",
        };
        Ok(Guests {
            engine,
            folder: lab.folder(name)?,
            routes: Vec::new(),
        })
    }

    /// A guest that is there as a file.
    pub fn file(self, name: &str, from: PathBuf) -> Result<Guests> {
        self.file_with(name, from, json!({}))
    }

    /// With more keys for its route.
    pub fn file_with(mut self, name: &str, from: PathBuf, more: Value) -> Result<Guests> {
        self.folder = self.folder.copy(&format!("{name}.wasm"), from)?;
        Ok(self.routed(name, more))
    }

    /// A guest made of the fields of a module.
    pub fn text(self, name: &str, fields: &str) -> Result<Guests> {
        self.text_with(name, fields, json!({}))
    }

    /// With more keys for its route.
    pub fn text_with(mut self, name: &str, fields: &str, more: Value) -> Result<Guests> {
        let module = text::module(fields);
        self.folder = self.folder.file(&format!("{name}.wasm"), module)?;
        Ok(self.routed(name, more))
    }

    fn routed(mut self, name: &str, more: Value) -> Guests {
        let mut route = route(name, AMPLE_US);
        if let (Some(route), Some(more)) = (route.as_object_mut(), more.as_object()) {
            route.extend(more.clone());
        }
        self.routes.push(route);
        self
    }

    /// The disk, with native code beside every module if that is what is to run.
    pub fn disk(self, lab: &Lab) -> Result<Disk> {
        let folder = self.folder.file("functions.json", spec(&self.routes))?;
        Ok(Disk::Image(match self.engine {
            Engine::Wasmi => lab.plain_image(&folder)?,
            Engine::Wasmtime => lab.native_image(&folder)?,
        }))
    }

    /// A machine with these guests, which run by the engine or not at all.
    pub fn boot(self, lab: &Lab) -> Result<Boot> {
        let engine = self.engine;
        let boot = Boot::new(Kernel::Scenarios)
            .disk(self.disk(lab)?)
            .append(engine.parameter());
        Ok(boot.limit(Duration::from_secs(300)))
    }

    /// Boots it.
    pub fn serve(self, lab: &Lab) -> Result<Machine> {
        lab.serve(&self.boot(lab)?)
    }
}

/// Holds the reports of a kernel with `scenario=failing-allocations` against the outcome of each function once all of its
/// allocations have failed, one after the other.
///
/// # Errors
/// A failed allocation had another outcome than out of memory, or none failed.
pub fn every_allocation_fails_in_turn(machine: &Machine, outcomes: &[(&str, &str)]) -> Result<()> {
    for (function, outcome) in outcomes {
        let line = machine.line("the report of the scenario", |line| {
            line.contains(&format!("failing allocations: {function}:"))
        })?;
        ensure!(line.ends_with(&format!("then {outcome}")), "{line}");
        ensure!(!line.contains(": 0 points"), "nothing failed: {line}");
    }
    let odd = machine.serial.text().contains(" failed: ");
    ensure!(!odd, "a failure had another end than out of memory");
    Ok(())
}
