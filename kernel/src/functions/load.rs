//! From the files on the disk to the table of functions.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use log::{error, info, warn};
use luge_spec::{FILE_NAME, LARGEST_SPEC, ModulePath, Route, Spec, Tenant};

use super::{Function, Table};
use crate::arch::paging::PAGE_BYTES;
use crate::disk::{self, FileError, Volume};
use crate::engine::{CompileError, LARGEST_MODULE, Program};
use crate::mm;

/// These lines are about functions, whichever file they come from.
const LOG: &str = "functions";

/// The table for the disk that is attached. `port` is the only tenant's where there is no spec.
pub fn table(port: u16) -> Table {
    let (volume, spec) = match disk::open() {
        Ok(volume) => {
            let spec = spec(&volume, port);
            (Some(volume), spec)
        }
        Err(why) => {
            error!(target: LOG, "{why}");
            (None, None)
        }
    };
    let table = match (volume, spec) {
        (Some(volume), Some(spec)) => Loader::new(&volume).load(spec),
        _ => Table {
            ports: vec![port],
            ..Table::default()
        },
    };
    report(&table);
    table
}

/// The spec on the disk, or the one that stands in for it; none if what is there is no use.
fn spec(volume: &Volume, port: u16) -> Option<Spec> {
    match volume.read(FILE_NAME, LARGEST_SPEC) {
        Ok(text) => parse(&text),
        Err(FileError::NotFound) => from_modules(volume, port),
        Err(why) => {
            error!(target: LOG, "{FILE_NAME} cannot be read: {why}");
            None
        }
    }
}

fn parse(text: &[u8]) -> Option<Spec> {
    match Spec::parse(FILE_NAME, text) {
        Ok((spec, warnings)) => {
            for warning in warnings {
                warn!(target: LOG, "{warning}");
            }
            Some(spec)
        }
        Err(why) => {
            error!(target: LOG, "{why}");
            None
        }
    }
}

/// Without a spec, every module is a route.
fn from_modules(volume: &Volume, port: u16) -> Option<Spec> {
    let files = match volume.files() {
        Ok(files) => files,
        Err(why) => {
            error!(target: LOG, "the disk's files cannot be listed: {why}");
            return None;
        }
    };
    let (spec, unroutable) = Spec::from_modules(files.iter().map(String::as_str), port);
    for module in unroutable {
        warn!(target: LOG, "{module}");
    }
    if spec.tenants.iter().all(|tenant| tenant.routes.is_empty()) {
        error!(target: LOG, "the disk has no {FILE_NAME} and no module (NAME.wasm) in its top folder");
    }
    Some(spec)
}

/// Why a module is left out.
enum Refusal {
    File(FileError),
    Compile(CompileError),
    /// Translating so many bytes could take more memory than is free, in bytes.
    NoMemory {
        module: usize,
        free: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::File(why) => why.fmt(f),
            Refusal::Compile(why) => why.fmt(f),
            Refusal::NoMemory { module, free } => write!(
                f,
                "{module} bytes may take {AMPLIFICATION} times as much memory to translate, and {free} bytes are free"
            ),
        }
    }
}

/// Compiles modules, each once, and fills the table.
struct Loader<'v> {
    volume: &'v Volume,
    /// What became of each module; none if it is left out.
    programs: BTreeMap<ModulePath, Option<Arc<Program>>>,
    table: Table,
}

impl<'v> Loader<'v> {
    fn new(volume: &'v Volume) -> Self {
        Loader {
            volume,
            programs: BTreeMap::new(),
            table: Table::default(),
        }
    }

    fn load(mut self, spec: Spec) -> Table {
        for mut tenant in spec.tenants {
            self.table.ports.push(tenant.port);
            let name = Arc::from(tenant.name.as_str());
            for route in core::mem::take(&mut tenant.routes) {
                self.add(&tenant, &name, route);
            }
        }
        self.table.left_out = self
            .programs
            .values()
            .filter(|program| program.is_none())
            .count();
        self.table
    }

    /// Adds a function, unless its module is left out.
    fn add(&mut self, tenant: &Tenant, name: &Arc<str>, route: Route) {
        let Some(program) = self.program(&route.module) else {
            warn!(target: LOG, "{}: not served, {} is left out",
                place(tenant.port, &route.route),
                route.module
            );
            return;
        };
        self.table.add(Function {
            name: Arc::from(route.route.trim_start_matches('/')),
            tenant: name.clone(),
            port: tenant.port,
            workload: program,
            limits: route.limits,
            content_type: route.content_type,
            environment: route.environ,
            relative_deadline_ns: u64::from(route.relative_deadline_us) * 1_000,
            route: route.route,
        });
    }

    /// The program of a module, compiled at its first use. Says why if there is none.
    fn program(&mut self, module: &ModulePath) -> Option<Arc<Program>> {
        if let Some(known) = self.programs.get(module) {
            return known.clone();
        }
        let program = compile(self.volume, module)
            .map_err(|why| error!(target: LOG, "{module}: left out: {}", one_line(&why)))
            .ok();
        self.programs.insert(module.clone(), program.clone());
        program
    }
}

fn compile(volume: &Volume, module: &ModulePath) -> Result<Arc<Program>, Refusal> {
    let bytes: Vec<u8> = volume
        .read(module.as_str(), LARGEST_MODULE as u64)
        .map_err(Refusal::File)?;
    check_room(bytes.len())?;
    let program = Program::compile(&bytes).map_err(Refusal::Compile)?;
    Ok(Arc::new(program))
}

/// What the interpreter makes of a module may be so many times its size, while it is being made: about
/// three times are usual, and its vectors double as they grow.
const AMPLIFICATION: usize = 8;

/// The interpreter takes it that memory never runs out, so a module that may take too much of it is not
/// begun.
fn check_room(module: usize) -> Result<(), Refusal> {
    let free = mm::statistics().frames_free * PAGE_BYTES as usize;
    if module.saturating_mul(AMPLIFICATION) > free {
        return Err(Refusal::NoMemory { module, free });
    }
    Ok(())
}

/// What an engine says in several lines, in one.
fn one_line(why: &impl ToString) -> String {
    let text = why.to_string();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

/// Logs the table.
fn report(table: &Table) {
    for function in table.functions() {
        info!(target: LOG,
            "{}: {}, deadline {} us, stack {} KiB, memory {} KiB",
            place(function.port, &function.route),
            function.tenant,
            function.relative_deadline_ns / 1_000,
            function.limits.stack >> 10,
            function.limits.memory >> 10,
        );
    }
    let functions = table.functions.len();
    match table.left_out {
        0 => info!(target: LOG, "functions: {functions}"),
        left_out => warn!(target: LOG, "functions: {functions}, modules left out: {left_out}"),
    }
}

fn place(port: u16, route: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "route :{port}{route}"))
}
