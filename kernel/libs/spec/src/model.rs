//! The spec as the kernel uses it: tenants, their routes, and what a route's requests may use.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::module_path::{FolderPath, ModulePath};

/// Everything that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// At least one, with different names and ports, in the order of the file.
    pub tenants: Vec<Tenant>,
}

/// Somebody whose functions listen on a port of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Not empty, no control characters.
    pub name: String,
    /// TCP port, not 0.
    pub port: u16,
    /// How often the budget comes back, in microseconds; 0: no reservation.
    pub replenishment_period_us: u32,
    /// CPU time in each such period, in microseconds.
    pub max_budget_us: u32,
    /// Requests that are let in and not done, at most.
    pub max_concurrency: Option<u32>,
    /// Requests that are let in and have not run yet, at most.
    pub max_queue: Option<u32>,
    /// What all of its sandboxes may take of memory by their limits, in bytes.
    pub max_memory: Option<u64>,
    /// Whether the answer to a request that a trap has ended is a report of it.
    pub fault_reports: bool,
    /// At least one, with different paths, in the order of the file.
    pub routes: Vec<Route>,
}

/// What answers requests for one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The whole path of the URL, from `/` on, without the query.
    pub route: String,
    /// The module that runs.
    pub module: ModulePath,
    /// Deadline in microseconds after the request's arrival.
    pub relative_deadline_us: u32,
    /// `Content-Type` of the response.
    pub content_type: String,
    /// Which percentile of the measured times admission reckons with: 50 to 99.
    pub admissions_percentile: u8,
    /// How long a request runs, in microseconds, if the spec says so; admission reckons with it until
    /// it has measured.
    pub expected_execution_us: Option<u32>,
    /// Requests that are let in and not done, at most.
    pub max_concurrency: Option<u32>,
    /// Requests that are let in and have not run yet, at most.
    pub max_queue: Option<u32>,
    /// What one request may use.
    pub limits: Limits,
    /// CPU time of one request in microseconds.
    pub max_exec_us: Option<u32>,
    /// What happens at the deadline.
    pub on_miss: OnMiss,
    /// The engine, if the route names one. If not, native code runs where the disk has it.
    pub engine: Option<Engine>,
    /// The folder whose files the function can read, if the route names one.
    pub folder: Option<FolderPath>,
    /// What its answer is, and when it has succeeded, if the route says so; shared by its requests.
    pub answer: Option<Arc<Answer>>,
    /// Environment variables, in the order of the file, with different names.
    pub environ: Vec<(String, String)>,
}

/// What a function's answer is, and when it has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The file below `/tmp`, by its path there, that is the body of the response. If there is none, that is
    /// what the function writes to standard output.
    pub file: Option<String>,
    /// The exit codes that mean success, each once; at least one and at most [`Answer::MOST_CODES`].
    pub success: Vec<u32>,
}

/// What one request may use, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The sandbox's native stack, without its guard.
    pub stack: u64,
    /// Everything that a sandbox allocates: linear memories, tables, the engine's own data.
    pub memory: u64,
    /// The body of the request.
    pub request: u64,
    /// The body of the response.
    pub response: u64,
    /// What it writes below `/tmp`; 0: there is no `/tmp`.
    pub scratch: u64,
}

/// What happens to a request that is not done at its deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMiss {
    /// Its sandbox is ended and the client gets 504.
    #[default]
    Kill,
    /// It goes on, and the miss is counted.
    Run,
}

/// What runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// The interpreter.
    Wasmi,
    /// The runtime of native code.
    Wasmtime,
}

impl Route {
    /// `Content-Type` where the spec has none.
    pub const DEFAULT_CONTENT_TYPE: &'static str = "text/plain";
    /// `admissions-percentile` where the spec has none or an impossible one. Of the last 64 requests, three
    /// took longer: a pause of the whole machine does not become what is booked for everyone, and few run
    /// over their bookings.
    pub const DEFAULT_PERCENTILE: u8 = 95;
    /// The deadline of routes that no spec describes. Long enough for a heavy program in an
    /// interpreter on an emulated machine, short enough that an endless loop goes away while
    /// somebody watches: 10 s.
    pub const DEFAULT_RELATIVE_DEADLINE_US: u32 = 10_000_000;
    /// Longest relative deadline, period or budget: an hour.
    pub const LONGEST_US: u64 = 3_600_000_000;

    /// The route of a module that somebody has sent, with every setting at its default.
    #[must_use]
    pub fn uploaded(route: &str) -> Self {
        let module = ModulePath::new("uploaded").expect("it is a name");
        Route::new(route.into(), module)
    }

    /// A route with every setting at its default.
    pub fn new(route: String, module: ModulePath) -> Self {
        Route {
            route,
            module,
            relative_deadline_us: Self::DEFAULT_RELATIVE_DEADLINE_US,
            content_type: Self::DEFAULT_CONTENT_TYPE.into(),
            admissions_percentile: Self::DEFAULT_PERCENTILE,
            expected_execution_us: None,
            max_concurrency: None,
            max_queue: None,
            limits: Limits::default(),
            max_exec_us: None,
            on_miss: OnMiss::default(),
            engine: None,
            folder: None,
            answer: None,
            environ: Vec::new(),
        }
    }
}

impl Answer {
    /// Most exit codes that may mean success.
    pub const MOST_CODES: usize = 16;

    /// Whether a function that has left with this exit code has succeeded.
    #[must_use]
    pub fn is_success(&self, code: u32) -> bool {
        self.success.contains(&code)
    }
}

impl Default for Answer {
    /// Standard output; 0 is success.
    fn default() -> Self {
        Answer {
            file: None,
            success: Vec::from([0]),
        }
    }
}

impl Limits {
    /// What `stack` may be. The lower bound leaves room for a host call above the engine's frames.
    pub const STACK: RangeInclusive<u64> = 32 * KIB..=8 * MIB;
    /// What `memory` may be. The lower bound holds a module with one page of linear memory.
    pub const MEMORY: RangeInclusive<u64> = 128 * KIB..=4 * GIB;
    /// What `request` may be.
    pub const REQUEST: RangeInclusive<u64> = 0..=GIB;
    /// What `response` may be.
    pub const RESPONSE: RangeInclusive<u64> = 0..=4 * GIB;
    /// What `scratch` may be.
    pub const SCRATCH: RangeInclusive<u64> = 0..=GIB;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            stack: 512 * KIB,
            memory: 64 * MIB,
            request: 4 * MIB,
            response: 64 * MIB,
            scratch: 16 * MIB,
        }
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
