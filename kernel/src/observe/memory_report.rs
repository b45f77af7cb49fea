//! Memory in use and work done, logged when the kernel is idle and the figures changed:
//! `memory_report` on the command line. Tests compare the figures before and after a load, when no connection is
//! open: each has memory of its own.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use log::info;

use crate::arch::lock::Lock;
use crate::http;
use crate::mm::{self, Statistics};
use crate::sandbox::{self, making::OF_DISK};
use crate::sched::{self, admission};

static ENDED: AtomicU64 = AtomicU64::new(0);
static LAST: Lock<Option<Figures>> = Lock::new(None);

/// What is reported: memory, tickets that are out, and open connections.
type Figures = (Statistics, usize, usize);

/// Logs the figures if they are not those of the last line. Those of memory come first, so that whoever has seen how
/// many sandboxes have ended has seen what they left behind.
pub fn when_changed() {
    let now = (mm::statistics(), admission::out(), http::connections());
    let last = LAST.lock().replace(now);
    if last != Some(now) {
        let (now, tickets, connections) = now;
        // Programs of the disk live in arenas for as long as the machine does.
        let arenas = (now.arenas_in_use as usize).saturating_sub(OF_DISK.housing().programs);
        info!(
            "memory: frames_free={} heap_bytes={} heap_mapped={} arenas={arenas} stacks={} memories={} \
             memory_slots={} code_bytes={} tables={} tickets={tickets} connections={connections}",
            now.frames_free,
            now.heap_bytes_in_use,
            now.heap_bytes_mapped,
            now.stacks_in_use,
            now.memories_in_use,
            now.memory_slots_taken,
            now.native_code_bytes,
            now.tables
        );
    }
    let ended = sandbox::ended();
    if ENDED.swap(ended, Relaxed) != ended {
        info!("load: sandboxes={ended} busy_ticks={}", sched::busy_ticks());
    }
}
