//! `/metrics`: what was counted and measured since boot, for Prometheus.
//!
//! [`Metrics`] writes them, a few at a time. What belongs to routes is kept by `sched::admission`, the rest by whoever counts
//! it; here it only gets names.

use core::fmt::{self, Write};

use luge_metrics::{
    Exposition, Family, Histogram, Kind, OUTCOMES, PoolMeter, REFUSALS, RouteMeter, STATUSES,
    Seconds,
};

use super::text::{Rest, Text};
use super::{boot, steps};
use crate::arch::paging::PAGE_BYTES;
use crate::arch::serial;
use crate::arch::time::{Instant, ns_of_ticks};
use crate::engine::kept;
use crate::functions::{self, Table};
use crate::http::readers;
use crate::mm::{self, arena, memories, stacks};
use crate::sched::{self, admission};
use crate::{disk, http, net, sandbox};

macro_rules! families {
    ($($name:ident: $kind:ident $text:literal, $help:literal;)*) => {
        $(const $name: Family = Family { name: $text, kind: Kind::$kind, help: $help };)*
    };
}

families! {
    REQUESTS: Counter "luge_requests_total", "Requests that a function was asked for, by the status of the answer.";
    ENDED: Counter "luge_outcomes_total", "Sandboxes that have ended, by how.";
    REFUSED: Counter "luge_refusals_total", "Requests that were not let in, by the reason.";
    MISSES: Counter "luge_deadline_misses_total", "Sandboxes that were not done at their deadlines.";
    PREEMPTIONS: Counter "luge_preemptions_total", "How often the CPU was taken from a sandbox; counted when it ends.";
    TURNS: Counter "luge_turns_total", "How often a sandbox was given the CPU; counted when it ends.";
    CPU: Counter "luge_cpu_seconds_total", "CPU time that sandboxes were charged with.";
    LINES: Counter "luge_stderr_lines_total", "Lines of stderr that were logged.";
    DROPPED: Counter "luge_stderr_dropped_total", "Lines of stderr that were not logged, because there were too many.";
    ENDS_DROPPED: Counter "luge_ends_dropped_total", "Traps and kills that were not logged, because there were too many.";
    LATENCY: Histogram "luge_latency_seconds", "From a request's arrival to the end of its sandbox.";
    QUEUED: Histogram "luge_queue_seconds", "How long a sandbox was ready without having the CPU.";
    RAN: Histogram "luge_run_seconds", "How long a sandbox had the CPU.";
    HOST_ANSWERS: Counter "luge_host_answers_total", "Answers of the host itself, in which no function had a part, by status.";
    SLOW_READERS: Counter "luge_slow_readers_total", "Clients that were given up because they took their answers too slowly, by the reason.";
    CONNECTIONS: Gauge "luge_connections", "Connections that are open.";
    WAITING: Gauge "luge_connections_waiting", "Connections that wait for their clients to send something.";
    SANDBOXES: Gauge "luge_sandboxes", "Sandboxes that live, by what they do.";
    SWITCHES: Counter "luge_context_switches_total", "How often the CPU went to a sandbox and came back.";
    BUSY: Counter "luge_cpu_busy_seconds_total", "Time that the CPU was not halted.";
    SERVING: Counter "luge_cpu_sandbox_seconds_total", "CPU time that went to sandboxes, the kernel's work for them included.";
    UPTIME: Gauge "luge_uptime_seconds", "Time since boot.";
    BOOT: Gauge "luge_boot_stage_seconds", "How long each stage of the boot took.";
    LOG_DROPPED: Counter "luge_log_dropped_total", "Lines of the log that were left out, because the serial port was too slow.";
    STEPS: Gauge "luge_longest_step_seconds", "The longest that the kernel's own work, or a part of a host call, has kept the CPU from everybody else, by its kind.";
    INSTANCES: Histogram "luge_instantiation_seconds", "How long it took to make an instance of a module, where none was kept.";
    POOLED: Counter "luge_pool_takes_total", "What was taken from pools, and what had to be made because the pool had none.";
    MEMORY: Gauge "luge_memory_bytes", "Memory that the kernel manages, by what it is.";
    HEAP: Gauge "luge_heap_bytes", "The kernel's heap.";
    FRAMES: Counter "luge_network_frames_total", "Frames that the network card brought, or took.";
    TRAFFIC: Counter "luge_network_bytes_total", "Bytes in those frames.";
    READS: Counter "luge_disk_reads_total", "Requests to the disk.";
    READ: Counter "luge_disk_read_bytes_total", "Bytes read from the disk.";
    MODULES: Gauge "luge_modules", "Modules of the disk, by whether they can run.";
    BUILD: Gauge "luge_build_info", "1, with the version that runs.";
}

/// What is written at a time.
enum Piece {
    /// Families of the machine.
    Machine(fn(&mut Out<'_>) -> fmt::Result),
    /// A family with the samples of each route, of which one is written at a time.
    Routes(&'static Family, OfRoute),
}

type Out<'a> = Exposition<&'a mut dyn Write>;
/// Writes the samples that a route has in a family.
type OfRoute = fn(&mut Out<'_>, &RouteLabels<'_>, &RouteMeter) -> fmt::Result;
/// Tenant and path.
type RouteLabels<'a> = [(&'static str, &'a str); 2];

/// All metrics, in their order.
const PIECES: &[Piece] = &[
    Piece::Machine(boot),
    Piece::Machine(machine),
    Piece::Machine(longest_steps),
    Piece::Machine(memory),
    Piece::Machine(devices),
    Piece::Machine(modules),
    Piece::Routes(&REQUESTS, |out, labels, meter| {
        let counts = meter.answers.with(&STATUSES);
        by_label(out, &REQUESTS, labels, "status", counts)
    }),
    Piece::Routes(&ENDED, |out, labels, meter| {
        let counts = meter.outcomes.with(&OUTCOMES);
        by_label(out, &ENDED, labels, "outcome", counts)
    }),
    Piece::Routes(&REFUSED, |out, labels, meter| {
        let counts = meter.refusals.with(&REFUSALS);
        by_label(out, &REFUSED, labels, "reason", counts)
    }),
    Piece::Routes(&MISSES, |out, labels, meter| {
        out.sample(&MISSES, labels, meter.misses.get())
    }),
    Piece::Routes(&PREEMPTIONS, |out, labels, meter| {
        out.sample(&PREEMPTIONS, labels, meter.preemptions.get())
    }),
    Piece::Routes(&TURNS, |out, labels, meter| {
        out.sample(&TURNS, labels, meter.turns.get())
    }),
    Piece::Routes(&CPU, |out, labels, meter| {
        out.sample(&CPU, labels, Seconds(meter.cpu_ns.get()))
    }),
    Piece::Routes(&LINES, |out, labels, meter| {
        if_not_0(out, &LINES, labels, meter.lines.get())
    }),
    Piece::Routes(&DROPPED, |out, labels, meter| {
        if_not_0(out, &DROPPED, labels, meter.lines_dropped.get())
    }),
    Piece::Routes(&ENDS_DROPPED, |out, labels, meter| {
        if_not_0(out, &ENDS_DROPPED, labels, meter.ends_dropped.get())
    }),
    Piece::Routes(&LATENCY, |out, labels, meter| {
        if_any(out, &LATENCY, labels, &meter.latency)
    }),
    Piece::Routes(&QUEUED, |out, labels, meter| {
        if_any(out, &QUEUED, labels, &meter.queued)
    }),
    Piece::Routes(&RAN, |out, labels, meter| {
        if_any(out, &RAN, labels, &meter.ran)
    }),
];

/// All metrics, as far as they are written. Each sample is what was counted when its turn came.
#[derive(Default)]
pub struct Metrics {
    /// Which of [`PIECES`] comes next.
    piece: usize,
    /// Within it, the place of the route.
    place: usize,
}

impl Text for Metrics {
    fn write_next(&mut self, out: &mut dyn Write, table: &Table) -> Result<Rest, fmt::Error> {
        let out = &mut Exposition::new(out);
        match PIECES.get(self.piece) {
            None => return Ok(Rest::Nothing),
            Some(Piece::Machine(write)) => {
                write(out)?;
                self.piece += 1;
            }
            Some(Piece::Routes(family, write)) => {
                if self.place == 0 {
                    out.family(family)?;
                }
                if let Some(function) = table.function_at(self.place) {
                    let labels = [("tenant", &*function.tenant), ("route", &function.route)];
                    write(out, &labels, admission::meter(function.id))?;
                }
                self.place += 1;
                if self.place >= table.places() {
                    (self.piece, self.place) = (self.piece + 1, 0);
                }
            }
        }
        Ok(Rest::More)
    }
}

fn boot(out: &mut Out<'_>) -> fmt::Result {
    out.family(&BUILD)?;
    out.sample(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1_u64)?;
    out.family(&BOOT)?;
    for (stage, took_ns) in boot::stages() {
        out.sample(&BOOT, &[("stage", stage)], Seconds(took_ns))?;
    }
    Ok(())
}

fn machine(out: &mut Out<'_>) -> fmt::Result {
    let busy_ns = ns_of_ticks(sched::busy_ticks_until_now());
    out.single(&BUSY, Seconds(busy_ns))?;
    out.single(&UPTIME, Seconds(Instant::now().as_ns()))?;
    out.single(&SERVING, Seconds(sched::for_sandboxes_ns()))?;
    out.single(&SWITCHES, sandbox::SWITCHES.get())?;
    out.single(&LOG_DROPPED, serial::DROPPED.get())?;
    out.family(&SANDBOXES)?;
    let census = sandbox::census();
    let states = [
        ("ready", census.ready),
        ("sleeping", census.sleeping),
        ("waiting-for-client", census.waiting),
    ];
    for (state, count) in states {
        out.sample(&SANDBOXES, &[("state", state)], count)?;
    }
    out.family(&INSTANCES)?;
    out.histogram(&INSTANCES, &[], &kept::INSTANTIATIONS)
}

fn longest_steps(out: &mut Out<'_>) -> fmt::Result {
    out.family(&STEPS)?;
    for (kind, longest_ns) in steps::all() {
        out.sample(&STEPS, &[("kind", kind)], Seconds(longest_ns))?;
    }
    Ok(())
}

fn memory(out: &mut Out<'_>) -> fmt::Result {
    let now = mm::statistics();
    let frames = |frames: usize| frames as u64 * PAGE_BYTES;
    out.family(&MEMORY)?;
    out.sample(&MEMORY, &[("state", "free")], frames(now.frames_free))?;
    let used = now.frames_total.saturating_sub(now.frames_free);
    out.sample(&MEMORY, &[("state", "used")], frames(used))?;
    out.family(&HEAP)?;
    out.sample(&HEAP, &[("state", "used")], now.heap_bytes_in_use)?;
    out.sample(&HEAP, &[("state", "mapped")], now.heap_bytes_mapped)?;
    out.family(&POOLED)?;
    let pools: [(&str, &PoolMeter); 3] = [
        ("stack", &stacks::TAKES),
        ("instance", &arena::parked::TAKES),
        ("memory", &memories::TAKES),
    ];
    for (pool, takes) in pools {
        let results = [("hit", &takes.hits), ("miss", &takes.misses)];
        for (result, counter) in results {
            let labels = [("pool", pool), ("result", result)];
            out.sample(&POOLED, &labels, counter.get())?;
        }
    }
    Ok(())
}

fn devices(out: &mut Out<'_>) -> fmt::Result {
    out.single(&CONNECTIONS, http::connections())?;
    out.single(&WAITING, http::waiting_connections())?;
    out.family(&HOST_ANSWERS)?;
    for (status, count) in http::HOST_ANSWERS.with(&STATUSES).filter(|(_, n)| *n > 0) {
        out.sample(&HOST_ANSWERS, &[("status", status)], count)?;
    }
    out.family(&SLOW_READERS)?;
    for (reason, count) in readers::GIVEN_UP.with(&readers::REASONS) {
        out.sample(&SLOW_READERS, &[("reason", reason)], count)?;
    }
    let directions = [("received", &net::RECEIVED), ("sent", &net::SENT)];
    out.family(&FRAMES)?;
    for (direction, traffic) in directions {
        out.sample(&FRAMES, &[("direction", direction)], traffic.items.get())?;
    }
    out.family(&TRAFFIC)?;
    for (direction, traffic) in directions {
        out.sample(&TRAFFIC, &[("direction", direction)], traffic.bytes.get())?;
    }
    out.single(&READS, disk::READS.items.get())?;
    out.single(&READ, disk::READS.bytes.get())
}

fn modules(out: &mut Out<'_>) -> fmt::Result {
    out.family(&MODULES)?;
    let table = functions::table();
    for state in ["waiting", "making", "ready", "left-out"] {
        let modules = table.modules();
        let count = modules.filter(|module| module.state().name() == state);
        out.sample(&MODULES, &[("state", state)], count.count())?;
    }
    Ok(())
}

/// A counter, unless nothing was counted.
fn if_not_0(
    out: &mut Out<'_>,
    family: &Family,
    labels: &RouteLabels<'_>,
    count: u64,
) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    out.sample(family, labels, count)
}

/// A histogram, unless it is empty, which that of most routes is most of the time: it would be a third of the
/// text.
fn if_any(
    out: &mut Out<'_>,
    family: &Family,
    labels: &RouteLabels<'_>,
    histogram: &Histogram,
) -> fmt::Result {
    if histogram.count() == 0 {
        return Ok(());
    }
    out.histogram(family, labels, histogram)
}

/// A sample for each label that was ever counted.
fn by_label<'a>(
    out: &mut Out<'_>,
    family: &Family,
    [tenant, route]: &RouteLabels<'_>,
    name: &'static str,
    counts: impl Iterator<Item = (&'a &'static str, u64)>,
) -> fmt::Result {
    for (label, count) in counts.filter(|(_, count)| *count > 0) {
        out.sample(family, &[*tenant, *route, (name, label)], count)?;
    }
    Ok(())
}
