//! The functions that are deployed: which route of which port runs which program.
//!
//! [`start`] makes the [`Table`] from the spec on the disk ([`load`]); `http` looks requests up in it. What runs is
//! made afterwards, while others are served ([`loading`]).
//! A route is matched by the whole path of the URL, byte for byte, and by the port that the request
//! came to: `/fib` answers for `/fib?n=30` and for nothing else.
//!
//! [`deploy()`] and [`withdraw`] change what is deployed while the machine runs, for `http`.
//!
//! Invariant: a table never changes: a change makes another, and who looks into the old one goes on with
//! that, and each function has its [`Module`], which becomes ready or is left out. Whatever is wrong with the disk, its spec or a
//! module is logged, and what is left is served. A change that finds no memory is refused: guests may hold
//! all of it at any time.
#![deny(unsafe_code)]

mod deploy;
mod folder;
mod load;
pub mod loading;
mod module;
mod program;

use alloc::collections::TryReserveError;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use luge_journal::Harmless;
use luge_memory::layout::ARENA_SLOTS;
use luge_memory::shares::Holder;
use luge_sched::{RouteId, RouteTerms, TenantId, Ticket};
use luge_spec::command_line::Options;
use luge_spec::{Answer, Arrival, Limits, OnMiss, Route};

pub use module::{Module, State};

pub use deploy::{Change, NotDeployed, check_room, deploy, withdraw};
pub use program::{check_unpromised, memory_for_upload, of_upload};

use crate::arch::lock::Lock;
use crate::disk::Volume;
use crate::mm::bodies::Body;
use crate::sandbox::{Files, Request, Workload};
use crate::sched::{self, admission};

/// A program behind a route.
#[derive(Clone)]
pub struct Function {
    /// The route without its leading `/`: what the log and `argv[0]` call the function.
    pub name: Arc<str>,
    /// The whole path of the URL.
    pub route: String,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The TCP port that its tenant listens on.
    pub port: u16,
    /// What runs, once it is ready.
    pub module: Arc<Module>,
    /// What one request may use, in bytes.
    pub limits: Limits,
    /// `Content-Type` of the response.
    pub content_type: String,
    /// What its answer is, and when it has succeeded; none is as usual.
    pub answer: Option<Arc<Answer>>,
    /// Environment variables, which all its requests share.
    pub environment: Arc<[(String, String)]>,
    /// The files that it can read, if there are any.
    pub files: Option<Arc<dyn Files>>,
    /// How long after its arrival a request is to be done, in nanoseconds.
    pub relative_deadline_ns: u64,
    /// What happens if it is not.
    pub on_miss: OnMiss,
    /// CPU time that a request may take, in nanoseconds, if that is limited.
    pub budget_ns: Option<u64>,
    /// As whose its requests' memory counts.
    memory: Holder,
    /// By which admission knows it.
    pub id: RouteId,
    /// What admission knows of it.
    terms: RouteTerms,
    /// Whether its callers may read what ended it, if that was a trap.
    pub tells_faults: bool,
    /// How long its module was in bytes, if somebody has sent it since the machine was started.
    pub uploaded_bytes: Option<usize>,
}

/// Whose functions they are.
#[derive(Clone)]
pub struct Owner {
    /// The tenant's name.
    pub name: Arc<str>,
    /// Where it listens.
    pub port: u16,
    /// Whether callers may read what ended a function by a trap.
    tells_faults: bool,
    id: TenantId,
    memory: Holder,
}

impl Function {
    /// The function of a route, without files.
    fn new(
        owner: &Owner,
        id: RouteId,
        terms: RouteTerms,
        route: Route,
        module: Arc<Module>,
    ) -> Self {
        Function {
            id,
            memory: owner.memory,
            terms,
            name: Arc::from(name_in(&route.route)),
            tenant: owner.name.clone(),
            port: owner.port,
            module,
            limits: route.limits,
            content_type: route.content_type,
            answer: route.answer,
            environment: route.environ.into(),
            files: None,
            relative_deadline_ns: ns(route.relative_deadline_us),
            on_miss: route.on_miss,
            budget_ns: route.max_exec_us.map(ns),
            route: route.route,
            tells_faults: owner.tells_faults,
            uploaded_bytes: None,
        }
    }

    /// A request for the function: for its program, with these arguments behind its name, this body, and the
    /// ticket with which it was let in.
    pub fn request(
        &self,
        program: Arc<dyn Workload>,
        arguments: Vec<String>,
        body: Body,
        ticket: Option<Ticket>,
    ) -> Request {
        let name = core::iter::once(String::from(&*self.name));
        Request {
            name: self.name.clone(),
            workload: program,
            stack_bytes: self.limits.stack,
            memory_bytes: self.limits.memory,
            output_bytes: self.limits.response,
            scratch_bytes: self.limits.scratch,
            arguments: name.chain(arguments).collect(),
            answer: self.answer.clone(),
            environment: self.environment.clone(),
            files: self.files.clone(),
            body,
            relative_deadline_ns: self.relative_deadline_ns,
            on_miss: self.on_miss,
            budget_ns: self.budget_ns,
            tenant: Some(self.memory),
            ticket,
        }
    }
}

/// All functions, in the order of the spec; behind them, those that were deployed since.
#[derive(Default)]
pub struct Table {
    entries: Vec<Entry>,
    /// The places of all entries, in the order of their ports and routes.
    index: Vec<u32>,
    disk: Arc<FromDisk>,
}

/// What was read at the start and stays so.
#[derive(Default)]
struct FromDisk {
    /// All tenants, in the order of the spec.
    owners: Vec<Owner>,
    /// How many folders of the disk cannot be used.
    folders_left_out: usize,
    /// All its modules, once for each engine in which they are to run.
    modules: Vec<Arc<Module>>,
    /// The requests of a replay, if one was asked for.
    arrivals: Vec<Arrival>,
}

/// A place in the table. It stays its route's, also when there is no function any more: admission and the
/// trace know the route by its number.
#[derive(Clone)]
struct Entry {
    port: u16,
    route: Arc<str>,
    id: RouteId,
    function: Option<Arc<Function>>,
}

/// The target of these files' log lines: they are about functions, whichever file they come from.
const LOG: &str = "functions";

static TABLE: Lock<Option<Arc<Table>>> = Lock::new(None);

/// Finds what is on the disk, and begins to make it ready. To be called once, before the first request.
pub fn start(options: &Options) {
    let load::Found { table, to_make } = load::find(options);
    *TABLE.lock() = Some(Arc::new(table));
    match to_make {
        Some((store, jobs)) if !jobs.is_empty() => {
            // Reading such a disk asks for pieces of memory that are refused when guests have most of it.
            let is_patient = store.ask(Volume::block_bytes) > folder::LARGEST_BLOCK;
            loading::begin(store, jobs);
            if is_patient {
                loading::finish();
            }
        }
        _ => loading::report(),
    }
    // Now all tenants are known, and there can be no more sandboxes than slots.
    sched::reserve_room(ARENA_SLOTS as usize);
    admission::reserve_routes(deploy::MOST_ROUTES);
}

/// The functions that are deployed now; none before [`start`].
pub fn table() -> Arc<Table> {
    TABLE.lock().get_or_insert_default().clone()
}

impl Table {
    /// The function behind this path at this port, unless its module is left out.
    pub fn lookup(&self, port: u16, path: &str) -> Option<&Arc<Function>> {
        let function = self.entries[self.place_of(port, path)?].function.as_ref();
        function.filter(|function| !function.module.is_left_out())
    }

    /// Where the function of this path is or was.
    fn place_of(&self, port: u16, path: &str) -> Option<usize> {
        let place = self.search(port, path).ok()?;
        Some(self.index[place] as usize)
    }

    /// The place in the index of this path, or where it would belong.
    fn search(&self, port: u16, path: &str) -> Result<usize, usize> {
        self.index.binary_search_by(|at| {
            let entry = &self.entries[*at as usize];
            (entry.port, &*entry.route).cmp(&(port, path))
        })
    }

    /// The name of the function with this number, by which admission and the trace know it too, or of the
    /// last that had it.
    pub fn name_of(&self, number: u16) -> Option<&str> {
        let entry = self.entries.get(usize::from(number))?;
        Some(name_in(&entry.route))
    }

    /// Whose the function with this number is or was, and its route. Neither ever changes.
    pub fn place_of_number(&self, number: u16) -> Option<(&str, &str)> {
        let entry = self.entries.get(usize::from(number))?;
        Some((&self.owner_of(entry.port)?.name, &entry.route))
    }

    /// All functions, in the order of the spec and then of their first deployment, but those whose modules are
    /// left out.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.all().filter(|function| !function.module.is_left_out())
    }

    /// All of them.
    fn all(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.entries
            .iter()
            .filter_map(|entry| entry.function.as_ref())
    }

    /// How many places there are for functions. One that was removed leaves its place behind.
    pub fn places(&self) -> usize {
        self.entries.len()
    }

    /// The function at a place, in the order of [`functions`](Self::functions); its module may be left out.
    pub fn function_at(&self, place: usize) -> Option<&Arc<Function>> {
        self.entries.get(place)?.function.as_ref()
    }

    /// Whether no function is deployed.
    pub fn is_empty(&self) -> bool {
        self.functions().next().is_none()
    }

    /// Where tenants listen, in the order of the spec, also those whose functions are all left out;
    /// without a spec, the command line's port.
    pub fn ports(&self) -> Vec<u16> {
        self.disk.owners.iter().map(|owner| owner.port).collect()
    }

    /// The tenant that listens there.
    pub fn owner_of(&self, port: u16) -> Option<&Owner> {
        self.disk.owners.iter().find(|owner| owner.port == port)
    }

    /// How many modules and folders that should be there are not, for whatever reason.
    pub fn left_out(&self) -> usize {
        let modules = self.modules().filter(|module| module.is_left_out());
        modules.count() + self.disk.folders_left_out
    }

    /// All modules of the disk, once for each engine in which they are to run.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.disk.modules.iter().map(|module| &**module)
    }

    /// The requests of a replay; none if none was asked for.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.disk.arrivals
    }

    /// A copy that has room for one entry more.
    ///
    /// # Errors
    /// There is no memory for it.
    fn copy(&self) -> Result<Table, TryReserveError> {
        let room = self.entries.len() + 1;
        let (mut entries, mut index) = (Vec::new(), Vec::new());
        entries.try_reserve_exact(room)?;
        index.try_reserve_exact(room)?;
        entries.extend_from_slice(&self.entries);
        index.extend_from_slice(&self.index);
        Ok(Table {
            entries,
            index,
            disk: self.disk.clone(),
        })
    }

    /// Has `function` answer for its route, in the place that the route has or in a new one.
    fn put(&mut self, function: Function) {
        let (port, id) = (function.port, function.id);
        match self.search(port, &function.route) {
            Ok(place) => {
                let at = self.index[place] as usize;
                self.entries[at].function = Some(Arc::new(function));
            }
            Err(place) => {
                self.index.insert(place, self.entries.len() as u32);
                self.entries.push(Entry {
                    port,
                    route: Arc::from(function.route.as_str()),
                    id,
                    function: Some(Arc::new(function)),
                });
            }
        }
    }
}

/// What a function is called whose route is this.
fn name_in(route: &str) -> &str {
    route.strip_prefix('/').unwrap_or(route)
}

/// What admission has to know of a route.
fn terms(tenant: TenantId, route: &Route) -> RouteTerms {
    RouteTerms {
        tenant,
        relative_deadline_ns: ns(route.relative_deadline_us),
        budget_ns: route.max_exec_us.map(ns),
        given_estimate_ns: route.expected_execution_us.map(ns),
        percentile: route.admissions_percentile,
        most_at_once: route.max_concurrency,
        most_waiting: route.max_queue,
        memory: memory_of(&route.limits),
    }
}

/// What a request may take of memory, in bytes: linear memory and tables, its stack, its files below `/tmp`.
fn memory_of(limits: &Limits) -> u64 {
    let Limits {
        memory,
        stack,
        scratch,
        ..
    } = limits;
    memory.saturating_add(*stack).saturating_add(*scratch)
}

fn ns(us: u32) -> u64 {
    u64::from(us) * 1_000
}

fn place(port: u16, route: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "route :{port}{route}"))
}

/// What an engine says in several lines, in one, with the names of a module as harmless text.
fn one_line(why: &impl ToString) -> String {
    let text = why.to_string();
    let words: Vec<_> = text.split_whitespace().collect();
    Harmless(words.join(" ").as_bytes()).to_string()
}
