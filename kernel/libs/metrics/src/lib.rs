//! What is counted and measured, and the text in which Prometheus reads it.
//!
//! Key types: [`Counter`] and [`Histogram`], which are made once and from then on cost a few instructions and
//! no memory; [`RouteMeter`], all that is counted of one route; [`Exposition`], which writes families of
//! samples in the text format. With the feature `reader`, [`reader`] reads such a text as strictly as a
//! scraper and its linter would, for tests. Durations are in nanoseconds everywhere, and in seconds in the
//! text.
//!
//! Invariant: nothing that is counted ever goes back.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bucket;
mod counter;
mod digits;
mod exposition;
mod histogram;
#[cfg(feature = "reader")]
pub mod reader;
mod route;

pub use bucket::Bucket;
pub use counter::{Counter, Counters, PoolMeter, Traffic};
pub use digits::{Seconds, Value};
pub use exposition::{CONTENT_TYPE, Exposition, Family, Kind};
pub use histogram::{BOUNDS_NS, Histogram};
pub use route::{OUTCOMES, REFUSALS, RouteMeter, STATUSES, count_status, outcome_label};
