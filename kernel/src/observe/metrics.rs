//! `/metrics`: what was counted and measured since boot, for Prometheus.
//!
//! [`write()`] writes all of it. What belongs to routes is kept by `sched::admission`, the rest by whoever counts
//! it; here it only gets names.

use core::fmt::{self, Write};

use luge_metrics::{
    Counter, Exposition, Family, Histogram, Kind, OUTCOMES, PoolMeter, REFUSALS, RouteMeter,
    STATUSES, Seconds,
};

use super::boot;
use crate::arch::paging::PAGE_BYTES;
use crate::arch::time::{Instant, ns_of_ticks};
use crate::engine::kept;
use crate::functions::Table;
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
    LATENCY: Histogram "luge_latency_seconds", "From a request's arrival to the end of its sandbox.";
    QUEUED: Histogram "luge_queue_seconds", "How long a sandbox was ready without having the CPU.";
    RAN: Histogram "luge_run_seconds", "How long a sandbox had the CPU.";
    HOST_ANSWERS: Counter "luge_host_answers_total", "Answers of the host itself, in which no function had a part, by status.";
    CONNECTIONS: Gauge "luge_connections", "Connections that are open.";
    SANDBOXES: Gauge "luge_sandboxes", "Sandboxes that live, by what they do.";
    SWITCHES: Counter "luge_context_switches_total", "How often the CPU went to a sandbox and came back.";
    BUSY: Counter "luge_cpu_busy_seconds_total", "Time that the CPU was not halted.";
    SERVING: Counter "luge_cpu_sandbox_seconds_total", "CPU time that went to sandboxes, the kernel's work for them included.";
    UPTIME: Gauge "luge_uptime_seconds", "Time since boot.";
    BOOT: Gauge "luge_boot_stage_seconds", "How long each stage of the boot took.";
    INSTANCES: Histogram "luge_instantiation_seconds", "How long it took to make an instance of a module, where none was kept.";
    POOLED: Counter "luge_pool_takes_total", "What was taken from pools, and what had to be made because the pool had none.";
    MEMORY: Gauge "luge_memory_bytes", "Memory that the kernel manages, by what it is.";
    HEAP: Gauge "luge_heap_bytes", "The kernel's heap.";
    FRAMES: Counter "luge_network_frames_total", "Frames that the network card brought, or took.";
    TRAFFIC: Counter "luge_network_bytes_total", "Bytes in those frames.";
    READS: Counter "luge_disk_reads_total", "Requests to the disk.";
    READ: Counter "luge_disk_read_bytes_total", "Bytes read from the disk.";
    BUILD: Gauge "luge_build_info", "1, with the version that runs.";
}

/// Writes all metrics.
///
/// # Errors
/// Those of the writer.
pub fn write(out: &mut impl Write, table: &Table) -> fmt::Result {
    let mut out = Exposition::new(out);
    machine(&mut out)?;
    memory(&mut out)?;
    devices(&mut out)?;
    routes(&mut out, table)
}

fn machine(out: &mut Exposition<impl Write>) -> fmt::Result {
    out.family(&BUILD)?;
    out.sample(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1)?;
    out.family(&BOOT)?;
    for (stage, took_ns) in boot::stages() {
        out.sample(&BOOT, &[("stage", stage)], Seconds(took_ns))?;
    }
    let busy_ns = ns_of_ticks(sched::busy_ticks_until_now());
    out.single(&BUSY, Seconds(busy_ns))?;
    out.single(&UPTIME, Seconds(Instant::now().as_ns()))?;
    out.single(&SERVING, Seconds(sched::for_sandboxes_ns()))?;
    out.single(&SWITCHES, sandbox::SWITCHES.get())?;
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

fn memory(out: &mut Exposition<impl Write>) -> fmt::Result {
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

fn devices(out: &mut Exposition<impl Write>) -> fmt::Result {
    out.single(&CONNECTIONS, http::connections())?;
    out.family(&HOST_ANSWERS)?;
    for (status, count) in http::HOST_ANSWERS.with(&STATUSES).filter(|(_, n)| *n > 0) {
        out.sample(&HOST_ANSWERS, &[("status", status)], count)?;
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

/// What is counted by route.
fn routes(out: &mut Exposition<impl Write>, table: &Table) -> fmt::Result {
    by_route(out, &REQUESTS, table, |out, labels, meter| {
        by_label(
            out,
            &REQUESTS,
            labels,
            "status",
            meter.answers.with(&STATUSES),
        )
    })?;
    by_route(out, &ENDED, table, |out, labels, meter| {
        by_label(
            out,
            &ENDED,
            labels,
            "outcome",
            meter.outcomes.with(&OUTCOMES),
        )
    })?;
    by_route(out, &REFUSED, table, |out, labels, meter| {
        by_label(
            out,
            &REFUSED,
            labels,
            "reason",
            meter.refusals.with(&REFUSALS),
        )
    })?;
    let counters: [(_, Of<Counter>); 3] = [
        (&MISSES, |meter| &meter.misses),
        (&PREEMPTIONS, |meter| &meter.preemptions),
        (&TURNS, |meter| &meter.turns),
    ];
    for (family, counter) in counters {
        by_route(out, family, table, |out, labels, meter| {
            out.sample(family, labels, counter(meter).get())
        })?;
    }
    by_route(out, &CPU, table, |out, labels, meter| {
        out.sample(&CPU, labels, Seconds(meter.cpu_ns.get()))
    })?;
    let histograms: [(_, Of<Histogram>); 3] = [
        (&LATENCY, |meter| &meter.latency),
        (&QUEUED, |meter| &meter.queued),
        (&RAN, |meter| &meter.ran),
    ];
    for (family, histogram) in histograms {
        by_route(out, family, table, |out, labels, meter| {
            // Of most routes most of the time: it would be a third of the text.
            if histogram(meter).count() == 0 {
                return Ok(());
            }
            out.histogram(family, labels, histogram(meter))
        })?;
    }
    Ok(())
}

/// What is looked at of a route.
type Of<T> = fn(&RouteMeter) -> &T;

/// Tenant and path.
type RouteLabels<'a> = [(&'static str, &'a str); 2];

/// A family with the samples that `write` writes of each route.
fn by_route<W: Write>(
    out: &mut Exposition<W>,
    family: &Family,
    table: &Table,
    write: impl Fn(&mut Exposition<W>, &RouteLabels<'_>, &RouteMeter) -> fmt::Result,
) -> fmt::Result {
    out.family(family)?;
    for function in table.functions() {
        let labels = [("tenant", &*function.tenant), ("route", &function.route)];
        write(out, &labels, admission::meter(function.id))?;
    }
    Ok(())
}

/// A sample for each label that was ever counted.
fn by_label<'a>(
    out: &mut Exposition<impl Write>,
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
