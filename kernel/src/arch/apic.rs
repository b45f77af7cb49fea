//! The local APIC with its timer, and the I/O APIC that routes devices' interrupts to it.
//!
//! Key functions: [`init`], [`route`], [`arm_timer_in`], [`end_of_interrupt`]. Registers are in SDM
//! Vol. 3A, "Advanced Programmable Interrupt Controller (APIC)", and in the 82093AA data sheet.
//!
//! The timer is one-shot: a TSC deadline where the processor has it, else a count.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

use super::{cpu, interrupts, time};

/// SDM Vol. 3A, "Local APIC Status and Location": `IA32_APIC_BASE`, and its enable bit.
const APIC_BASE_MSR: u32 = 0x1b;
const APIC_BASE_ENABLE: u64 = 1 << 11;
/// SDM Vol. 3A, "TSC-Deadline Mode": `IA32_TSC_DEADLINE`.
const TSC_DEADLINE_MSR: u32 = 0x6e0;

/// Local APIC register offsets, SDM Vol. 3A, "Local APIC Register Address Map".
mod local {
    pub const ID: u64 = 0x20;
    pub const TASK_PRIORITY: u64 = 0x80;
    pub const END_OF_INTERRUPT: u64 = 0xb0;
    pub const SPURIOUS: u64 = 0xf0;
    pub const IN_SERVICE: u64 = 0x100;
    pub const TIMER: u64 = 0x320;
    pub const LINT0: u64 = 0x350;
    pub const LINT1: u64 = 0x360;
    pub const INITIAL_COUNT: u64 = 0x380;
    pub const CURRENT_COUNT: u64 = 0x390;
    pub const DIVIDE: u64 = 0x3e0;
}

/// Bits of those registers. SDM Vol. 3A, "Spurious Interrupt" (the first), "Local Vector Table" and "APIC Timer".
const SOFTWARE_ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 0b100 << 8;
const TIMER_TSC_DEADLINE: u32 = 0b10 << 17;
const DIVIDE_BY_1: u32 = 0b1011;
/// Of a redirection entry: 82093AA data sheet, "I/O Redirection Table Registers".
const LEVEL_TRIGGERED: u32 = 1 << 15;

/// Where the registers are mapped; 0 before [`init`].
static LOCAL: AtomicU64 = AtomicU64::new(0);
static IO: AtomicU64 = AtomicU64::new(0);
static IO_FIRST_GSI: AtomicU32 = AtomicU32::new(0);
static USE_DEADLINE: AtomicBool = AtomicBool::new(false);

/// Where the I/O APIC is.
#[derive(Clone, Copy, Debug)]
pub struct IoApic {
    /// Its registers, mapped uncached.
    pub registers: *mut u8,
    /// The global system interrupt of its first pin.
    pub first_gsi: u32,
}

/// Turns the controllers on: everything masked but what [`route`] and the timer arm.
///
/// # Safety
/// `local_registers` and `io.registers` must be the mapped, uncached register pages.
pub unsafe fn init(local_registers: *mut u8, io: IoApic) {
    LOCAL.store(local_registers as u64, Relaxed);
    IO.store(io.registers as u64, Relaxed);
    IO_FIRST_GSI.store(io.first_gsi, Relaxed);
    mask_legacy_controllers();
    let mut base = Msr::new(APIC_BASE_MSR);
    // SAFETY: sets the enable bit and leaves the address and all others as the firmware put them.
    unsafe {
        let value = base.read();
        base.write(value | APIC_BASE_ENABLE);
    }
    write(local::TASK_PRIORITY, 0);
    write(
        local::SPURIOUS,
        SOFTWARE_ENABLE | u32::from(interrupts::SPURIOUS),
    );
    write(local::LINT0, MASKED);
    write(local::LINT1, MASKED);
    write(local::DIVIDE, DIVIDE_BY_1);
    let deadline = cpu::features().tsc_deadline;
    USE_DEADLINE.store(deadline, Relaxed);
    let mode = if deadline { TIMER_TSC_DEADLINE } else { 0 };
    write(local::TIMER, u32::from(interrupts::TIMER) | mode);
}

/// Has this CPU take the NMI that comes over LINT1, as the PC's custom is.
pub fn take_nmi() {
    write(local::LINT1, DELIVER_NMI);
}

/// Whether the timer is told TSC values instead of counts.
#[must_use]
pub fn uses_tsc_deadline() -> bool {
    USE_DEADLINE.load(Relaxed)
}

/// When the timer is to fire, in nanoseconds since boot.
static DUE_NS: AtomicU64 = AtomicU64::new(0);
/// An interrupt this little before its time is not early: clocks differ.
const EARLY_NS: u64 = 1_000;

/// Whether the timer's interrupt that is being handled came before its time: it was left over from before the timer was armed
/// last, or the timer runs faster than the TSC. The timer is armed for the rest then.
pub(super) fn timer_is_early() -> bool {
    let now = time::Instant::now();
    let due = time::Instant::from_ns(DUE_NS.load(Relaxed));
    let is_early = now.plus_ns(EARLY_NS) < due;
    if is_early {
        arm_timer(now, due.since(now));
    }
    is_early
}

/// Has the timer fire once, `ns` nanoseconds from now (at least one tick).
pub fn arm_timer_in(ns: u64) {
    arm_timer(time::Instant::now(), ns);
}

/// The same, for who has just looked at the clock.
#[inline]
pub fn arm_timer(now: time::Instant, ns: u64) {
    DUE_NS.store(now.plus_ns(ns).as_ns(), Relaxed);
    #[cfg(feature = "scenarios")]
    let ns = scenario::what_comes_of(ns);
    if uses_tsc_deadline() {
        let at = time::ticks() + time::ticks_of_ns(ns);
        // SAFETY: the processor has the register, as `init` found.
        unsafe { Msr::new(TSC_DEADLINE_MSR).write(at) };
    } else {
        let count = time::timer_counts_of_ns(ns).clamp(1, u64::from(u32::MAX));
        write(local::INITIAL_COUNT, count as u32);
    }
}

/// Has the timer fire `ns` nanoseconds from now, unless it will before.
pub fn hurry_timer(ns: u64) {
    let now = time::Instant::now();
    if now.plus_ns(ns).as_ns() < DUE_NS.load(Relaxed) {
        arm_timer(now, ns);
    }
}

/// Stops the timer.
pub fn disarm_timer() {
    if uses_tsc_deadline() {
        // SAFETY: as in `arm_timer_in`; zero disarms.
        unsafe { Msr::new(TSC_DEADLINE_MSR).write(0) };
    } else {
        write(local::INITIAL_COUNT, 0);
    }
}

/// Starts the timer's counter at its highest, masked by the caller having interrupts off; for
/// calibration.
pub(super) fn start_counting() {
    write(local::TIMER, u32::from(interrupts::TIMER) | MASKED);
    write(local::INITIAL_COUNT, u32::MAX);
}

/// How far [`start_counting`]'s counter has come down.
pub(super) fn counted() -> u64 {
    u64::from(u32::MAX - read(local::CURRENT_COUNT))
}

/// Ends calibration: the counter is stopped and the timer can fire again.
pub(super) fn stop_counting() {
    write(local::INITIAL_COUNT, 0);
    let mode = if uses_tsc_deadline() {
        TIMER_TSC_DEADLINE
    } else {
        0
    };
    write(local::TIMER, u32::from(interrupts::TIMER) | mode);
}

/// Tells the local APIC that the interrupt in service has been dealt with.
#[inline]
pub fn end_of_interrupt() {
    write(local::END_OF_INTERRUPT, 0);
}

/// Ends every interrupt that is in service. Needed when a handler was cut short by a fault.
pub fn finish_in_service() {
    if LOCAL.load(Relaxed) == 0 {
        return;
    }
    let in_service = || (0..8).any(|word| read(local::IN_SERVICE + 16 * word) != 0);
    while in_service() {
        end_of_interrupt();
    }
}

/// Routes a device's interrupt, level-triggered and active high, to `vector` on this CPU.
pub fn route(gsi: u32, vector: u8) {
    let pin = gsi - IO_FIRST_GSI.load(Relaxed);
    let destination = read(local::ID) & 0xff00_0000;
    write_io(0x10 + 2 * pin + 1, destination);
    write_io(0x10 + 2 * pin, LEVEL_TRIGGERED | u32::from(vector));
}

fn read(register: u64) -> u32 {
    // SAFETY: `init`'s caller promised mapped registers; the offsets are within the page.
    unsafe { ((LOCAL.load(Relaxed) + register) as *const u32).read_volatile() }
}

#[inline]
fn write(register: u64, value: u32) {
    // SAFETY: as in `read`.
    unsafe { ((LOCAL.load(Relaxed) + register) as *mut u32).write_volatile(value) };
}

fn write_io(register: u32, value: u32) {
    let base = IO.load(Relaxed);
    // SAFETY: `init`'s caller promised mapped registers: index at 0, data at 0x10.
    unsafe {
        (base as *mut u32).write_volatile(register);
        ((base + 0x10) as *mut u32).write_volatile(value);
    }
}

/// The two 8259s would otherwise deliver their interrupts as exceptions.
fn mask_legacy_controllers() {
    // SAFETY: the ports are the controllers' mask registers on every PC.
    unsafe {
        Port::<u8>::new(0x21).write(0xff);
        Port::<u8>::new(0xa1).write(0xff);
    }
}

/// A timer that is wrong, for scenarios.
#[cfg(feature = "scenarios")]
pub mod scenario {
    use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

    static IS_FAST: AtomicBool = AtomicBool::new(false);

    /// From here on the timer fires when seven eighths of the time are over.
    pub fn run_fast() {
        IS_FAST.store(true, Relaxed);
    }

    pub(super) fn what_comes_of(ns: u64) -> u64 {
        if IS_FAST.load(Relaxed) {
            ns / 8 * 7
        } else {
            ns
        }
    }
}
