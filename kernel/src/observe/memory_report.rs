//! Memory in use, logged when the kernel is idle and the figures changed: `memory_report` on the
//! command line. Tests compare the figures before and after a load.

use log::info;

use crate::arch::lock::Lock;
use crate::mm::{self, Statistics};

static LAST: Lock<Option<Statistics>> = Lock::new(None);

/// Logs the figures if they are not those of the last line.
pub fn when_changed() {
    let now = mm::statistics();
    let last = LAST.lock().replace(now);
    if last != Some(now) {
        info!(
            "memory: frames_free={} heap_bytes={} arenas={} stacks={}",
            now.frames_free, now.heap_bytes_in_use, now.arenas_in_use, now.stacks_in_use
        );
    }
}
