//! How the kernel ends when it finds itself broken: what, where, registers, backtrace, exit code.
//!
//! Lines that begin with `backtrace:` carry return addresses; `qemu-run.sh` turns them into functions and
//! lines with the kernel's own debug information. Functions of native code, which that does not have, are
//! named here.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use luge_boot_info::exit::ExitCode;

use log::Level;

use super::logger::{LastPort, last_words};
use crate::arch::traps::{FaultFrame, Name, is_guest_code};
use crate::arch::{cpu, paging, per_cpu, power, serial, watchdog};
use crate::mm;
use crate::sandbox::{self, sight};
use crate::sched::trace;

/// The longest backtrace, in frames.
const DEPTH: usize = 32;
/// How many of the last events of the trace are told.
const EVENTS: usize = 12;

static SPEAKING: AtomicBool = AtomicBool::new(false);

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    sandbox::end_if_alone(info);
    begin();
    let place = info
        .location()
        .map_or("nowhere known", |place| place.file());
    let number = info.location().map_or(0, core::panic::Location::line);
    last_words(
        Level::Error,
        format_args!("kernel panic at {place}:{number}: {}", info.message()),
    );
    let registers = cpu::general_registers();
    print_registers(&named(&registers));
    context();
    backtrace(None, registers[6]);
    power::announce_end();
    power::exit(ExitCode::Panic.value())
}

/// Ends the kernel over a fault that is its own.
pub fn on_kernel_fault(frame: &FaultFrame, why: &'static str, nested: bool) -> ! {
    begin();
    let name = Name(frame.vector);
    let why = match name.as_str() {
        "NMI" if watchdog::is_on() => "the watchdog: the dispatcher has not come round for 30 s",
        _ => why,
    };
    let what = if nested { "last words" } else { "kernel panic" };
    last_words(
        Level::Error,
        format_args!(
            "{what}: {name} at rip={:#018x} cr2={:#x} error={:#x}: {why}",
            frame.rip, frame.cr2, frame.error_code
        ),
    );
    if nested {
        let first = per_cpu::this().fault_rip.load(Relaxed);
        last_words(
            Level::Info,
            format_args!("the fault that was being handled: rip={first:#018x}"),
        );
    }
    let mapped = if paging::translate(frame.cr2).is_some() {
        "mapped"
    } else {
        "not mapped"
    };
    last_words(
        Level::Info,
        format_args!(
            "cr2 is {mapped} and belongs to {:?}, rsp to {:?}",
            mm::owner_of(frame.cr2),
            mm::owner_of(frame.rsp)
        ),
    );
    registers(frame);
    context();
    backtrace(Some(frame.rip), frame.rbp);
    power::announce_end();
    power::exit(
        if nested {
            ExitCode::LastWords
        } else {
            ExitCode::Panic
        }
        .value(),
    )
}

/// A second panic while speaking says no more.
fn begin() {
    x86_64::instructions::interrupts::disable();
    if SPEAKING.swap(true, Relaxed) {
        power::exit(ExitCode::LastWords.value());
    }
    // A panic is no fault: one that happens from here on is.
    per_cpu::this().in_fault.store(true, Relaxed);
    // SAFETY: whoever held the port will not run again.
    unsafe { serial::seize() };
}

type Register = (&'static str, u64);

const NAMES: [&str; 16] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

fn registers(frame: &FaultFrame) {
    let f = frame;
    let values = [
        f.rax, f.rbx, f.rcx, f.rdx, f.rsi, f.rdi, f.rbp, f.rsp, f.r8, f.r9, f.r10, f.r11, f.r12,
        f.r13, f.r14, f.r15,
    ];
    print_registers(&named(&values));
    let special = [
        ("rip", f.rip),
        ("cs", f.cs),
        ("rflags", f.rflags),
        ("ss", f.ss),
    ];
    print_registers(&special);
}

fn named(values: &[u64; 16]) -> [Register; 16] {
    core::array::from_fn(|index| (NAMES[index], values[index]))
}

fn print_registers(registers: &[Register]) {
    for row in registers.chunks(4) {
        // Writing to the port cannot fail.
        let _ = write!(LastPort, "panic:");
        for (name, value) in row {
            let _ = write!(LastPort, " {name}={value:#018x}");
        }
        let _ = writeln!(LastPort);
    }
}

/// Who was running, and what happened last.
fn context() {
    let cpu = per_cpu::this();
    match sight::running() {
        Some(sandbox) => last_words(
            Level::Info,
            format_args!(
                "running: sandbox {} ({}), host calls: {}, locks held: {}",
                sandbox.id(),
                sandbox.name(),
                cpu.host_calls.load(Relaxed),
                cpu.locks_held.load(Relaxed),
            ),
        ),
        None => last_words(
            Level::Info,
            format_args!(
                "running: the dispatcher, no sandbox, locks held: {}",
                cpu.locks_held.load(Relaxed),
            ),
        ),
    }
    let Some(ring) = trace::ring_if_free() else {
        return last_words(Level::Info, format_args!("trace: it was being written to"));
    };
    for event in ring.newest(EVENTS) {
        let (seconds, micros) = (event.at_ns / 1_000_000_000, event.at_ns / 1_000 % 1_000_000);
        last_words(
            Level::Info,
            format_args!(
                "trace: {seconds}.{micros:06} sandbox {} {}",
                event.task,
                event.kind.as_str()
            ),
        );
    }
}

/// Follows frame pointers, as far as they lead through mapped memory.
fn backtrace(rip: Option<u64>, mut rbp: u64) {
    if let Some(rip) = rip {
        frame_at(rip, " (here)");
    }
    for _ in 0..DEPTH {
        let readable = |address: u64| {
            address.is_multiple_of(8) && address >= 1 << 47 && paging::translate(address).is_some()
        };
        if !readable(rbp) || !readable(rbp.wrapping_add(8)) {
            break;
        }
        // SAFETY: both words are mapped; whatever they hold is only looked at.
        let (next, address) =
            unsafe { (*(rbp as *const u64), *(rbp.wrapping_add(8) as *const u64)) };
        if address == 0 {
            break;
        }
        let whose = if is_guest_code(address) {
            " (guest)"
        } else {
            ""
        };
        frame_at(address, whose);
        if next <= rbp {
            break;
        }
        rbp = next;
    }
}

/// A line of the backtrace.
fn frame_at(address: u64, remark: &str) {
    let _ = write!(LastPort, "backtrace: {address:#018x}{remark}");
    #[cfg(feature = "wasmtime")]
    if let Some(place) = crate::engine::wasmtime::names::place_of(address) {
        let _ = LastPort.write_char(' ');
        // The name is the guest's own choice.
        let harmless = |letter: char| if letter.is_control() { '?' } else { letter };
        for letter in place.function.chars().map(harmless) {
            let _ = LastPort.write_char(letter);
        }
        let _ = write!(LastPort, "+{:#x}", place.offset);
    }
    let _ = writeln!(LastPort);
}
