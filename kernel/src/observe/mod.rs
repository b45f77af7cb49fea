//! What the kernel says of itself: its log, and its last words.

pub mod debugger;
pub mod last_words;
pub mod logger;
pub mod memory_report;
