//! From the spec on the disk to the table of functions, whose programs are made later ([`super::loading`]).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use log::{error, warn};
use luge_sched::{Reservation, SHARED, TenantId, TenantTerms};
use luge_spec::command_line::Options;
use luge_spec::{
    ARRIVALS_FILE, Arrival, Engine, FILE_NAME, FolderPath, LARGEST_ARRIVALS, LARGEST_SPEC,
    ModulePath, Route, Spec, Tenant, parse_arrivals,
};

use super::loading::Job;
use super::module::Module;
use super::{FromDisk, Function, LOG, Owner, Table, folder, ns, place, terms};
use crate::disk::{self, FileError, Store, Volume};
use crate::mm::frames;
use crate::sandbox::Files;
use crate::sched::admission;

/// What there is on a disk.
pub struct Found {
    pub table: Table,
    /// What is to be made, and where it lies; none if there is no disk.
    pub to_make: Option<(Arc<Store>, Vec<Job>)>,
}

/// What there is on the disk that is attached.
pub fn find(options: &Options) -> Found {
    let port = options.port;
    let (store, spec) = match disk::open() {
        Ok(store) => {
            let spec = store.ask(|volume| spec(volume, port));
            (Some(Arc::new(store)), spec)
        }
        Err(why) => {
            error!(target: LOG, "{why}");
            (None, None)
        }
    };
    match (store, spec) {
        (Some(store), Some(spec)) => {
            let arrivals = store.ask(|volume| arrivals(volume, options));
            Loader::new(store, options.engine).load(spec, arrivals)
        }
        // Functions may still be deployed.
        _ => {
            let owners = vec![owner(&Tenant::alone(port))];
            let disk = FromDisk {
                owners,
                ..FromDisk::default()
            };
            let table = Table {
                disk: Arc::new(disk),
                ..Table::default()
            };
            Found {
                table,
                to_make: None,
            }
        }
    }
}

/// The requests of the replay that is asked for, if they can be read.
fn arrivals(volume: &Volume, options: &Options) -> Vec<Arrival> {
    if !options.replay {
        return Vec::new();
    }
    let text = match volume.read(ARRIVALS_FILE, LARGEST_ARRIVALS) {
        Ok(text) => text,
        Err(why) => {
            error!(target: LOG, "{ARRIVALS_FILE} cannot be read: {why}");
            return Vec::new();
        }
    };
    parse_arrivals(&String::from_utf8_lossy(&text)).unwrap_or_else(|why| {
        error!(target: LOG, "{why}");
        Vec::new()
    })
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

/// Finds modules, each once for each engine that is wanted, and fills the table.
struct Loader {
    store: Arc<Store>,
    /// The engine where a route names none.
    engine: Option<Engine>,
    modules: BTreeMap<(ModulePath, Option<Engine>), Arc<Module>>,
    jobs: Vec<Job>,
    /// What became of each folder; none if it cannot be mounted.
    folders: BTreeMap<FolderPath, Option<Arc<dyn Files>>>,
    table: Table,
}

impl Loader {
    fn new(store: Arc<Store>, engine: Option<Engine>) -> Self {
        Loader {
            store,
            engine,
            modules: BTreeMap::new(),
            jobs: Vec::new(),
            folders: BTreeMap::new(),
            table: Table::default(),
        }
    }

    fn load(mut self, spec: Spec, arrivals: Vec<Arrival>) -> Found {
        let mut owners = Vec::new();
        for mut tenant in spec.tenants {
            let owner = owner(&tenant);
            owners.push(owner.clone());
            for route in core::mem::take(&mut tenant.routes) {
                self.add(&owner, route);
            }
        }
        let folders = self.folders.values().filter(|folder| folder.is_none());
        self.table.disk = Arc::new(FromDisk {
            owners,
            folders_left_out: folders.count(),
            modules: self.modules.into_values().collect(),
            arrivals,
        });
        Found {
            table: self.table,
            to_make: Some((self.store, self.jobs)),
        }
    }

    /// Adds a function, unless its folder is left out.
    fn add(&mut self, owner: &Owner, route: Route) {
        let Ok(files) = self.files(owner.port, &route) else {
            return;
        };
        let module = self.module(&route);
        let terms = terms(owner.id, &route);
        let id = admission::add_route(terms);
        let function = Function::new(owner, id, terms, route, module);
        self.table.put(Function { files, ..function });
    }

    /// A route's module, which is to be made from its first use on.
    fn module(&mut self, route: &Route) -> Arc<Module> {
        let engine = route.engine.or(self.engine);
        let key = (route.module.clone(), engine);
        let (store, jobs) = (&self.store, &mut self.jobs);
        let module = self.modules.entry(key).or_insert_with(|| {
            let job = Job::new(store, &route.module, engine);
            let module = job.module.clone();
            jobs.push(job);
            module
        });
        module.clone()
    }
}

fn owner(tenant: &Tenant) -> Owner {
    Owner {
        name: Arc::from(tenant.name.as_str()),
        port: tenant.port,
        tells_faults: tenant.fault_reports,
        id: admit_tenant(tenant),
        memory: frames::add_tenant(tenant.max_memory),
    }
}

/// Makes a tenant known to admission, and warns if more is reserved than there is.
fn admit_tenant(tenant: &Tenant) -> TenantId {
    let share = Reservation::new(ns(tenant.max_budget_us), ns(tenant.replenishment_period_us));
    let terms = TenantTerms {
        group: SHARED,
        most_at_once: tenant.max_concurrency,
        most_waiting: tenant.max_queue,
        most_memory: tenant.max_memory,
    };
    let (id, fits) = admission::add_tenant(share, terms);
    if !fits {
        warn!(target: LOG,
            "tenant {}: with its reservation, all that there is to promise is reserved", tenant.name
        );
    }
    id
}

/// A route's folder cannot be mounted, and that has been said.
struct NoFolder;

impl Loader {
    /// The files of a route's folder, if it names one, mounted at its first use. Says why if they cannot
    /// be had.
    fn files(&mut self, port: u16, route: &Route) -> Result<Option<Arc<dyn Files>>, NoFolder> {
        let Some(path) = &route.folder else {
            return Ok(None);
        };
        let store = &self.store;
        let files = self.folders.entry(path.clone()).or_insert_with(|| {
            let mounted = folder::mount(store, path)
                .map_err(|why| error!(target: LOG, "{}: {why}", place(port, &route.route)));
            mounted
                .ok()
                .map(|mounted| Arc::new(mounted) as Arc<dyn Files>)
        });
        match files {
            Some(files) => Ok(Some(files.clone())),
            None => {
                warn!(target: LOG, "{}: not served, folder {path} is left out",
                    place(port, &route.route));
                Err(NoFolder)
            }
        }
    }
}
