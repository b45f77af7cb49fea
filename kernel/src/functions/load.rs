//! From the files on the disk to the table of functions.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use core::fmt;

use log::{error, info, warn};
use luge_spec::{Engine, FILE_NAME, LARGEST_SPEC, ModulePath, Route, Spec, Tenant};

use super::{Function, LOG, Table, one_line, program};
use crate::disk::{self, FileError, Volume};
use crate::sandbox::Workload;

/// The table for the disk that is attached. `port` is the only tenant's where there is no spec; `engine`
/// is that of the routes that name none.
pub fn table(port: u16, engine: Option<Engine>) -> Table {
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
        (Some(volume), Some(spec)) => Loader::new(&volume, engine).load(spec),
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

/// A module's program, if it is not left out.
type Program = Option<Arc<dyn Workload>>;

/// Makes programs of modules, each once for each engine that is wanted, and fills the table.
struct Loader<'v> {
    volume: &'v Volume,
    /// The engine where a route names none.
    engine: Option<Engine>,
    /// What became of each module in each engine; none if it is left out.
    programs: BTreeMap<(ModulePath, Option<Engine>), Program>,
    table: Table,
}

impl<'v> Loader<'v> {
    fn new(volume: &'v Volume, engine: Option<Engine>) -> Self {
        Loader {
            volume,
            engine,
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
        let Some(program) = self.program(&route) else {
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

    /// The program of a route's module, made at its first use. Says why if there is none.
    fn program(&mut self, route: &Route) -> Program {
        let engine = route.engine.or(self.engine);
        let key = (route.module.clone(), engine);
        if let Some(known) = self.programs.get(&key) {
            return known.clone();
        }
        let module = &route.module;
        let program = program::load(self.volume, module, engine)
            .map_err(|why| error!(target: LOG, "{module}: left out: {}", one_line(&why)))
            .ok();
        self.programs.insert(key, program.clone());
        program
    }
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
