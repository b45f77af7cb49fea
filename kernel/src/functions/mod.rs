//! The functions that are deployed: which route of which port runs which program.
//!
//! [`start`] makes the [`Table`] from what is on the disk ([`load`]); `http` looks requests up in it.
//! A route is matched by the whole path of the URL, byte for byte, and by the port that the request
//! came to: `/fib` answers for `/fib?n=30` and for nothing else.
//!
//! Invariant: the table never changes after [`start`], and every function in it has been compiled.
//! Whatever is wrong with the disk, its spec or a module is logged, and what is left is served.
#![deny(unsafe_code)]

mod folder;
mod load;
mod program;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use luge_memory::layout::ARENA_SLOTS;
use luge_sched::{RouteId, Ticket};
use luge_spec::command_line::Options;
use luge_spec::{Arrival, Limits, OnMiss};
use spin::Once;

use crate::sandbox::{Files, Request, Workload};
use crate::sched;

/// A program behind a route.
pub struct Function {
    /// The route without its leading `/`: what the log and `argv[0]` call the function.
    pub name: Arc<str>,
    /// The whole path of the URL.
    pub route: String,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The TCP port that its tenant listens on.
    pub port: u16,
    /// What runs.
    pub workload: Arc<dyn Workload>,
    /// What one request may use, in bytes.
    pub limits: Limits,
    /// `Content-Type` of the response.
    pub content_type: String,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// The files that it can read, if there are any.
    pub files: Option<Arc<dyn Files>>,
    /// How long after its arrival a request is to be done, in nanoseconds.
    pub relative_deadline_ns: u64,
    /// What happens if it is not.
    pub on_miss: OnMiss,
    /// CPU time that a request may take, in nanoseconds, if that is limited.
    pub budget_ns: Option<u64>,
    /// By which admission knows it.
    pub id: RouteId,
}

impl Function {
    /// A request for the function: with these arguments behind its name, this body, and the ticket with which
    /// it was let in.
    pub fn request(
        &self,
        arguments: Vec<String>,
        body: Vec<u8>,
        ticket: Option<Ticket>,
    ) -> Request {
        let name = core::iter::once(String::from(&*self.name));
        Request {
            name: self.name.clone(),
            workload: self.workload.clone(),
            stack_bytes: self.limits.stack,
            memory_bytes: self.limits.memory,
            output_bytes: self.limits.response,
            scratch_bytes: self.limits.scratch,
            arguments: name.chain(arguments).collect(),
            environment: self.environment.clone(),
            files: self.files.clone(),
            body,
            relative_deadline_ns: self.relative_deadline_ns,
            on_miss: self.on_miss,
            budget_ns: self.budget_ns,
            ticket,
        }
    }
}

/// All functions, in the order of the spec.
#[derive(Default)]
pub struct Table {
    functions: Vec<Arc<Function>>,
    /// Where a function is, by port and route.
    index: BTreeMap<u16, BTreeMap<String, usize>>,
    /// The ports of all tenants, in the order of the spec.
    ports: Vec<u16>,
    /// How many modules and folders of the disk could not be used.
    left_out: usize,
    /// The requests of a replay, if one was asked for.
    arrivals: Vec<Arrival>,
}

/// The target of these files' log lines: they are about functions, whichever file they come from.
const LOG: &str = "functions";

static TABLE: Once<Table> = Once::new();

/// Loads what is on the disk. To be called once, before the first request.
pub fn start(options: &Options) {
    TABLE.call_once(|| load::table(options));
    // Now all tenants are known, and there can be no more sandboxes than slots.
    sched::reserve_room(ARENA_SLOTS as usize);
}

/// The functions that are deployed; none before [`start`].
pub fn table() -> &'static Table {
    TABLE.call_once(Table::default)
}

impl Table {
    /// The function behind this path at this port.
    pub fn lookup(&self, port: u16, path: &str) -> Option<&Arc<Function>> {
        let index = self.index.get(&port)?.get(path)?;
        self.functions.get(*index)
    }

    /// The name of the function with this number: its place in the order of the spec, by which admission
    /// and the trace know it too.
    pub fn name_of(&self, number: u16) -> Option<&str> {
        let function = self.functions.get(usize::from(number))?;
        Some(&function.name)
    }

    /// All functions, in the order of the spec.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.iter()
    }

    /// Whether no function is deployed.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Where tenants listen, in the order of the spec, also those whose functions are all left out;
    /// without a spec, the command line's port.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// How many modules and folders that should be there are not, for whatever reason.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The requests of a replay; none if none was asked for.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    fn add(&mut self, function: Function) {
        let routes = self.index.entry(function.port).or_default();
        routes.insert(function.route.clone(), self.functions.len());
        self.functions.push(Arc::new(function));
    }
}

/// What an engine says in several lines, in one.
fn one_line(why: &impl ToString) -> String {
    let text = why.to_string();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}
