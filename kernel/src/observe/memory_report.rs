//! Memory in use and work done, logged when the kernel is idle and the figures changed:
//! `memory_report` on the command line. Tests compare the figures before and after a load.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use log::info;

use crate::arch::lock::Lock;
use crate::mm::{self, Statistics};
use crate::sandbox;
use crate::sched::{self, admission};

static ENDED: AtomicU64 = AtomicU64::new(0);
static LAST: Lock<Option<Statistics>> = Lock::new(None);

/// Logs the figures if they are not those of the last line.
pub fn when_changed() {
    let ended = sandbox::ended();
    if ENDED.swap(ended, Relaxed) != ended {
        info!("load: sandboxes={ended} busy_ticks={}", sched::busy_ticks());
    }
    let now = mm::statistics();
    let last = LAST.lock().replace(now);
    if last != Some(now) {
        info!(
            "memory: frames_free={} heap_bytes={} heap_mapped={} arenas={} stacks={} memories={} \
             memory_slots={} code_bytes={} tables={} tickets={}",
            now.frames_free,
            now.heap_bytes_in_use,
            now.heap_bytes_mapped,
            now.arenas_in_use,
            now.stacks_in_use,
            now.memories_in_use,
            now.memory_slots_taken,
            now.native_code_bytes,
            now.tables,
            admission::out()
        );
    }
}
