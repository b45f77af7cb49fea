//! The functions that are deployed: which route of which port runs which program.
//!
//! [`start`] makes the [`Table`] from what is on the disk ([`load`]); `http` looks requests up in it.
//! A route is matched by the whole path of the URL, byte for byte, and by the port that the request
//! came to: `/fib` answers for `/fib?n=30` and for nothing else.
//!
//! Invariant: the table never changes after [`start`], and every function in it has been compiled.
//! Whatever is wrong with the disk, its spec or a module is logged, and what is left is served.
#![deny(unsafe_code)]

mod load;
mod program;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use luge_spec::Limits;
use luge_spec::command_line::Options;
use spin::Once;

use crate::sandbox::Workload;

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
    /// How long after its arrival a request is to be done, in nanoseconds.
    pub relative_deadline_ns: u64,
}

/// All functions, in the order of the spec.
#[derive(Default)]
pub struct Table {
    functions: Vec<Arc<Function>>,
    /// Where a function is, by port and route.
    index: BTreeMap<u16, BTreeMap<String, usize>>,
    /// The ports of all tenants, in the order of the spec.
    ports: Vec<u16>,
    /// How many modules of the disk could not be used.
    left_out: usize,
}

/// The target of these files' log lines: they are about functions, whichever file they come from.
const LOG: &str = "functions";

static TABLE: Once<Table> = Once::new();

/// Loads what is on the disk. To be called once, before the first request.
pub fn start(options: &Options) {
    TABLE.call_once(|| load::table(options.port, options.engine));
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

    /// How many modules that should be there are not, for whatever reason.
    pub fn left_out(&self) -> usize {
        self.left_out
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
