//! Misbehaviour on purpose, in kernels built with the feature `scenarios` only.
//!
//! Some of it is called by hostile guests, as imports of the module `luge_scenario`; some of it is
//! asked for on the command line (`scenario=NAME`), to see that the test harness notices.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::Ordering::Relaxed;

use crate::conformance::Subject;
use log::{error, info};
use luge_sandbox::Outcome;
use luge_trap::Trap;
use x86_64::structures::idt::InterruptDescriptorTable;

pub use crate::arch::stand_in::{avx, divide, fill_stack_by, wild_write};
use crate::arch::time::Instant;
use crate::arch::{apic, interrupts, paging, per_cpu, stand_in, traps};
use crate::mm::allocator::failing;
use crate::mm::arena::parked;
use crate::mm::bodies::Body;
pub use crate::mm::heap::scenario::refuse_bulk;
use crate::{conformance, functions, mm, sandbox};

mod clocks;
mod deployments;
mod mishaps;
mod registers;
mod starved;
mod warm;

/// An address that nothing is ever mapped at: the lower half is empty.
const UNMAPPED: *mut u8 = 0x10_0000_0000 as *mut u8;

/// Does what `name` says, at boot. False if there is no such scenario. Backtraces are to show it.
#[inline(never)]
pub fn at_boot(name: &str) -> bool {
    info!("scenario {name}");
    match name {
        "panic" => panic!("asked for by scenario=panic"),
        "panic-after-lines" => panic_after_lines(),
        "audit" => info!("audit: {:?}", paging::audit()),
        "failing-allocations" => failing_allocations(),
        "failing-deployments" => deployments::with_failing_allocations(),
        "many-faults" => many_faults(),
        "no-page-fault-stack" => interrupts::scenario::page_faults_without_stack(),
        "mapped-guards" => mm::stacks::scenario::map_guards(u64::MAX),
        "narrow-guards" => mm::stacks::scenario::map_guards(16 << 10),
        "preempted-once-noted" => traps::scenario::preempt_once_noted(),
        "fast-timer" => apic::scenario::run_fast(),
        "wrong-rate" | "clock-goes-back" | "clock-leaps" | "clock-breaks" => clocks::begin(name),
        "starved" => starved::all(),
        "registers" => registers::all(),
        "warm" => warm::all(),
        #[cfg(feature = "wasmtime")]
        "platform" => crate::engine::wasmtime::try_platform(),
        "conformance-wasmi" => conformance::all(Subject::Interpreter),
        "conformance-wasmi-replaced" => conformance::all(Subject::InterpreterOfReplacedStores),
        "conformance-wasmtime" => conformance::all(Subject::NativeCode),
        "hang" => hang(),
        "hang-while-served" => clocks::hang_soon(),
        "same-seed" => crate::arch::random::scenario::forget(),
        "disk-silent-once" | "disk-silent" => (),
        _ if mishaps::begin(name) => (),
        "triple-fault" => triple_fault(),
        "kernel-fault" => kernel_fault(),
        "kernel-divide-error" => {
            let _ = stand_in::divide(1, 0);
        }
        "fault-in-fault-handler" => fault_in_fault_handler(),
        "stack-overflow" => overflow(),
        _ => return raise_at_boot(name),
    }
    true
}

/// Many lines, and nobody who would get them out after the last.
fn panic_after_lines() -> ! {
    for number in 0..300 {
        info!("line {number} before the panic");
    }
    panic!("asked for by scenario=panic-after-lines")
}

/// Whether the scenario `name` reads the disk itself. A disk is read once.
pub fn has_the_disk(name: &str) -> bool {
    name.starts_with("conformance-")
}

/// What is to go wrong with the disk while it is read at boot.
pub fn before_the_disk(name: Option<&str>) {
    match name {
        Some("disk-silent-once") => crate::disk::scenario::lose(1),
        Some("disk-silent") => crate::disk::scenario::lose(u32::MAX),
        _ => {}
    }
}

/// `raise-13` raises exception 13. False if that is not what `name` is.
fn raise_at_boot(name: &str) -> bool {
    let number = name
        .strip_prefix("raise-")
        .and_then(|rest| rest.parse().ok());
    number.map(stand_in::raise).is_some()
}

/// The exception with this number, where guest code is.
pub fn raise(number: u32) {
    stand_in::raise(number as u8);
}

/// Runs into the guard, in small steps.
pub fn fill_stack() {
    black_box(stand_in::fill_stack(1));
}

/// Runs into the guard so slowly that an interrupt does it first.
pub fn linger() {
    black_box(stand_in::linger(per_cpu::this().stack_low.load(Relaxed)));
}

/// A store of the kernel's to an address that is not mapped: must stop the kernel.
#[inline(never)]
pub fn kernel_fault() {
    // SAFETY: not safe, on purpose, as kernels for use are built without this file.
    unsafe { UNMAPPED.write_volatile(1) };
}

/// A fault whose handler faults too: must end in last words.
pub fn fault_in_fault_handler() {
    traps::scenario::arm();
    kernel_fault();
}

#[inline(never)]
fn hang() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// With no handler for anything, the first exception resets the machine.
fn triple_fault() {
    static EMPTY: InterruptDescriptorTable = InterruptDescriptorTable::new();
    EMPTY.load();
    kernel_fault();
}

/// Whether less is left of the sandbox's stack than a level of re-entry may take, beside what is kept free.
pub fn is_stack_almost_full() -> bool {
    let here = 0_u8;
    let low = per_cpu::this().stack_low.load(Relaxed);
    (core::ptr::from_ref(&here) as u64) < low + (20 << 10)
}

/// Fills the stack that it is called on, so that the guard below it is hit.
pub fn overflow() {
    let _ = recurse(u64::MAX);
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth - 1) + frame[0]
}

/// Runs every function again and again, each time with another of its allocations failing, and then
/// once as it is. No failure may be more than the end of its own sandbox.
fn failing_allocations() {
    let table = functions::table();
    for function in table.functions() {
        let mut ended = 0;
        let mut point = 0;
        loop {
            // An instance that was kept would be spared the allocations that make one.
            parked::forget_all();
            failing::arm(point);
            let outcome = run_once(function);
            if !failing::reached() {
                break;
            }
            match outcome {
                Outcome::Exit(_) => {}
                Outcome::Trap(Trap::OutOfMemory) => ended += 1,
                other => error!("{}: allocation {point} failed: {other}", function.name),
            }
            point += 1;
        }
        let last = run_once(function);
        info!(
            "failing allocations: {}: {point} points, {ended} out of memory, then {last}",
            function.name
        );
    }
}

/// How many faults [`many_faults`] wants to see.
const FAULTS: u64 = 100_000;
/// How often each function runs before memory is looked at for the first time.
const WARM_UP: usize = 3;

/// Runs the functions of the disk in turn until the processor has found 100,000 faults. Each function must
/// always end as it did first, and memory must be what it was.
fn many_faults() {
    let table = functions::table();
    let functions: Vec<_> = table.functions().collect();
    let first: Vec<_> = functions
        .iter()
        .map(|function| run_once(function))
        .collect();
    for function in functions.iter().cycle().take(WARM_UP * functions.len()) {
        run_once(function);
    }
    let (before, memory) = (traps::scenario::faults(), mm::statistics());
    let mut runs = 0;
    let faults = loop {
        for (function, first) in functions.iter().zip(&first) {
            let outcome = run_once(function);
            if outcome != *first {
                error!("{}: {outcome}, first {first}", function.name);
            }
            runs += 1;
        }
        let now = traps::scenario::faults();
        let faults: [u64; 32] = core::array::from_fn(|number| now[number] - before[number]);
        if faults.iter().sum::<u64>() >= FAULTS {
            break faults;
        }
    };
    let after = mm::statistics();
    if memory != after {
        error!("memory: {memory:?}, then {after:?}");
    }
    for (number, count) in (0..).zip(faults).filter(|(_, count)| *count > 0) {
        info!("many faults: {} {count}", traps::Name(number));
    }
    let faults: u64 = faults.iter().sum();
    info!("many faults: {faults} in {runs} runs");
}

fn run_once(function: &functions::Function) -> Outcome {
    run(crate::batch::request(function))
}

/// A request for something that is no function.
pub fn request_for(workload: Arc<dyn sandbox::Workload>, stack_bytes: u64) -> sandbox::Request {
    sandbox::Request {
        name: "scenario".into(),
        workload,
        stack_bytes,
        memory_bytes: 1 << 20,
        output_bytes: 1 << 20,
        scratch_bytes: 0,
        answer: None,
        files: None,
        arguments: Vec::new(),
        environment: Arc::default(),
        body: Body::default(),
        relative_deadline_ns: 10_000_000_000,
        on_miss: luge_spec::OnMiss::Kill,
        budget_ns: None,
        tenant: None,
        ticket: None,
    }
}

/// Runs a sandbox to its end, alone on the machine.
pub fn run(request: sandbox::Request) -> Outcome {
    let sandbox = sandbox::submit(request, Instant::now()).expect("there is room for one sandbox");
    loop {
        while sandbox.take_output().is_some() {}
        if let Some(outcome) = sandbox.outcome() {
            return outcome;
        }
        if !sandbox::run_next() {
            sandbox.cancel();
        }
    }
}
