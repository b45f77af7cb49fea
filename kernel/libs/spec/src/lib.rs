//! What people write for this host: the spec of the functions and the kernel's command line.
//!
//! [`Spec::parse`] reads `functions.json`: Sledge's JSON, an array of tenants with their routes, and
//! a few keys of ours. [`Spec::from_modules`] stands in for it where a disk has none.
//! [`command_line::parse`] reads the kernel's parameters, [`parse_arrivals`] the requests of a replay.
//!
//! # The spec
//!
//! ```json
//! [
//!   {
//!     "name": "gwu",
//!     "port": 10000,
//!     "routes": [
//!       { "route": "/fib", "path": "fib.wasm", "relative-deadline-us": 50000 }
//!     ]
//!   }
//! ]
//! ```
//!
//! A file that Sledge takes is taken unchanged. The keys of a tenant, with types and ranges:
//!
//! | key | value | default |
//! |---|---|---|
//! | `name` | text, not empty, one of its kind | required |
//! | `port` | 1 to 65535, one of its kind | required |
//! | `routes` | array of routes, not empty | required |
//! | `replenishment-period-us` | 0 to 3600000000; 0: no reservation | 0 |
//! | `max-budget-us` | CPU time reserved in each period, 0 to 3600000000; 0: no reservation | 0 |
//!
//! The keys of a route:
//!
//! | key | value | default |
//! |---|---|---|
//! | `route` | path of the URL, from `/` on, one of its kind in the tenant | required |
//! | `path` | the module's file, relative to the spec | required |
//! | `relative-deadline-us` | 0 to 3600000000 after arrival | required |
//! | `http-resp-content-type` | a header's value | `text/plain` |
//! | `stack-size` | bytes, 32 KiB to 8 MiB; 0: the default | 512 KiB |
//! | `admissions-percentile` | 50 to 99; others are warned of and read as 95 | 95 |
//! | `path_preprocess` | text, not empty | none |
//! | `model-bias`, `model-scale`, `model-num-of-param`, `model-beta1`, `model-beta2` | 0 to 2³²-1 | none |
//! | `expected-execution-us` | the first estimate of a request's CPU time, 1 to 3600000000; another number is passed over | measured |
//!
//! And ours, in a tenant:
//!
//! | key | value | default |
//! |---|---|---|
//! | `max-concurrency` | requests that are let in and not done, 1 to 1000000; more are 429 | no limit |
//! | `max-queue` | requests that are let in and have not run yet, 1 to 1000000; more are 429 | no limit |
//! | `max-memory` | bytes of all its sandboxes by their limits (`max-memory`, `stack-size`, `max-scratch-bytes`), 128 KiB to 1 TiB; more is 429 | no limit |
//! | `fault-reports` | `true` or `false`: whether the body of a 500 is a report of the trap that ended the function | `false` |
//!
//! And in a route:
//!
//! | key | value | default |
//! |---|---|---|
//! | `max-memory` | bytes that a sandbox may allocate in all, 128 KiB to 4 GiB | 64 MiB |
//! | `max-request-bytes` | longest body of a request, up to 1 GiB; longer is 413 | 4 MiB |
//! | `max-response-bytes` | longest body of a response, up to 4 GiB; a function that writes more is ended with `luge-outcome: response-too-long`: status 500, or the answer is broken off if it had begun | 64 MiB |
//! | `folder` | a folder, relative to the spec: the function reads its files at `/` | none |
//! | `max-scratch-bytes` | what a request may write below `/tmp`, up to 1 GiB; 0: there is no `/tmp` | 16 MiB |
//! | `max-exec-us` | CPU time of a request, 1 to 3600000000; more is 504 | no limit |
//! | `max-concurrency` | as in a tenant | no limit |
//! | `max-queue` | as in a tenant | no limit |
//! | `on-miss` | what to do at the deadline: `kill` or `run` | `kill` |
//! | `engine` | `wasmi` or `wasmtime` | the command line's |
//! | `environ` | object of texts: the environment variables | empty |
//! | `response-file` | a file below `/tmp`, like `/tmp/out.o`: its contents are the body of the response once the function has succeeded, and what it writes to standard output goes to the log. If it is not there, or longer than `max-response-bytes`, the answer is 500 with `luge-outcome: no-response-file` | standard output |
//! | `success-exit-codes` | array of 1 to 16 exit codes, 0 to 2³²-1: these are status 200, every other is 500 | `[0]` |
//!
//! Sledge's modules are shared objects that its compiler made, called `NAME.wasm.so`. Here the
//! module itself runs, so a `path` that ends in `.wasm.so` means `NAME.wasm`.
//!
//! A request goes to the route that *equals* the path of its URL. (Sledge takes the first route that
//! the path begins with, so that `/fib` there also answers for `/fibonacci`.)
//!
//! Invariant: nothing that a person wrote is passed over in silence. It is acted on, or it comes
//! back as an error or a warning that names it and says where it stands.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod arrivals;
pub mod command_line;
pub mod edit;
mod error;
mod fields;
mod json;
mod model;
mod module_path;
mod modules;
mod nearest;
mod parse;
mod route_path;
mod warning;

pub use arrivals::{ARRIVALS_FILE, Arrival, BadLine, LARGEST_ARRIVALS, parse_arrivals};
pub use error::{Expected, Found, Label, Place, Position, Problem, SpecError};
pub use model::{Answer, Engine, Limits, OnMiss, Route, Spec, Tenant};
pub use module_path::{FolderPath, ModulePath, PathProblem};
pub use modules::Unroutable;
pub use route_path::ADMIN_PAGE;
pub use warning::{Warning, WarningKind};

/// Name of the spec in the top folder of a disk.
pub const FILE_NAME: &str = "functions.json";

/// The longest spec that is read, in bytes: thousands of routes.
pub const LARGEST_SPEC: u64 = 1 << 20;
