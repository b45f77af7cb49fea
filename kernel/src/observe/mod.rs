//! What the kernel says of itself: its log, its metrics, and its last words.

pub mod boot;
pub mod debugger;
pub mod dropped;
pub mod faults;
pub mod last_words;
pub mod lists;
pub mod logger;
pub mod memory_report;
pub mod metrics;
pub mod records;
pub mod schedule;
pub mod steps;
pub mod text;
