//! Interrupts: the timer and the devices, and when they may take the CPU from a sandbox.
//!
//! The stubs save the interrupted registers and the FPU state on the interrupted stack (no IST: a
//! handler may switch away and come back much later) and call [`on_interrupt`] with interrupts off.
//!
//! Invariant: a handler neither allocates nor takes a lock; it notes what happened. The CPU is
//! taken from a sandbox only through the one function that [`on_preemption`] registers, and only
//! while guest code is running, or what guest code called outside of any host call and lock; or where a
//! sandbox runs code of the kernel's that nobody else shares anything with ([`per_cpu::PerCpu::runs_own_code`]).

#[cfg(feature = "scenarios")]
pub mod scenario;

use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use spin::Once;
use x86_64::VirtAddr;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::landmarks::Landmark;
use super::time::ticks;
use super::{apic, per_cpu, traps};

/// The timer's vector.
pub const TIMER: u8 = 0x20;
/// The first of the devices' vectors.
const FIRST_DEVICE: u8 = 0x30;
/// How many devices can be registered.
const DEVICES: usize = 16;
/// Where the local APIC reports an interrupt that went away. Its low four bits must be set.
pub const SPURIOUS: u8 = 0xff;

static IDT: Once<InterruptDescriptorTable> = Once::new();
static DEVICE_HANDLERS: [Once<fn()>; DEVICES] = [const { Once::new() }; DEVICES];
static DEVICES_USED: AtomicUsize = AtomicUsize::new(0);
static PREEMPT: Once<fn()> = Once::new();

/// No more devices can be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDevices;

/// What the stub leaves on the interrupted stack: FPU state, registers, and the processor's frame.
#[repr(C, align(16))]
struct InterruptFrame {
    fpu: [u8; 512],
    padding: u64,
    registers: [u64; 15],
    vector: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

const _: () = assert!(
    size_of::<InterruptFrame>() == 512 + 22 * 8,
    "as the stub lays it out"
);

/// Interrupts, for a debugger: how to see what was interrupted. The general-purpose registers lie in the order
/// of a fault's frame.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("interrupt.stub", save_and_call as *const ()),
    Landmark::field("interrupt.registers", offset_of!(InterruptFrame, registers)),
    Landmark::field("interrupt.vector", offset_of!(InterruptFrame, vector)),
    Landmark::field("interrupt.rip", offset_of!(InterruptFrame, rip)),
    Landmark::field("interrupt.rsp", offset_of!(InterruptFrame, rsp)),
];

/// Loads the IDT: exceptions, timer, devices.
pub fn init() {
    let idt = IDT.call_once(|| {
        let mut idt = InterruptDescriptorTable::new();
        traps::install(&mut idt);
        let mut set = |number: u8, stub: *const ()| {
            // SAFETY: each stub is made for its vector and ends in `iretq`.
            unsafe { idt[number].set_handler_addr(VirtAddr::new(stub as u64)) };
        };
        set(TIMER, stub::<{ TIMER as u64 }> as *const ());
        set(SPURIOUS, spurious as *const ());
        install_device_stubs(&mut set);
        idt
    });
    idt.load();
}

fn install_device_stubs(set: &mut dyn FnMut(u8, *const ())) {
    macro_rules! stubs {
        ($($number:literal)*) => { $( set($number, stub::<$number> as *const ()); )* };
    }
    stubs!(0x30 0x31 0x32 0x33 0x34 0x35 0x36 0x37 0x38 0x39 0x3a 0x3b 0x3c 0x3d 0x3e 0x3f);
}

/// Has `handler` called, with interrupts off, whenever the device behind `gsi` (a global system
/// interrupt, level-triggered) asks. The handler must quiet its device and must neither allocate
/// nor lock.
///
/// # Errors
/// [`TooManyDevices`] when all vectors are taken.
pub fn register(gsi: u32, handler: fn()) -> Result<(), TooManyDevices> {
    let index = DEVICES_USED.load(Relaxed);
    let slot = DEVICE_HANDLERS.get(index).ok_or(TooManyDevices)?;
    DEVICES_USED.store(index + 1, Relaxed);
    slot.call_once(|| handler);
    apic::route(gsi, FIRST_DEVICE + index as u8);
    Ok(())
}

/// Registers what is to be done when the CPU may be taken from the running sandbox. It runs on the
/// sandbox's stack with interrupts off, and returns when the sandbox is to go on.
pub fn on_preemption(handler: fn()) {
    PREEMPT.call_once(|| handler);
}

/// How long to wait before trying again to preempt a sandbox that was not in guest code.
///
/// The step grows and is no round number, so that it does not beat in time with a guest's loop.
static RETRY_NS: AtomicU64 = AtomicU64::new(RETRY_FIRST_NS);
const RETRY_FIRST_NS: u64 = 2_003;
const RETRY_STEP_NS: u64 = 1_709;
const RETRY_MOST_NS: u64 = 50_000;

extern "C" fn on_interrupt(frame: &InterruptFrame) {
    let began = ticks();
    let number = frame.vector as u8;
    if let Some(handler) = device_handler(number) {
        handler();
    }
    apic::end_of_interrupt();
    let cpu = per_cpu::this();
    let wants_cpu = cpu.running.load(Relaxed) && !(number == TIMER && apic::timer_is_early());
    let may_preempt = wants_cpu && may_preempt_or_retry(frame);
    // Whoever the interrupt was for, it was not work of the sandbox.
    cpu.interrupted_ticks.fetch_add(ticks() - began, Relaxed);
    if may_preempt && let Some(handler) = PREEMPT.get() {
        handler();
    }
}

fn device_handler(number: u8) -> Option<&'static fn()> {
    let index = usize::from(number.checked_sub(FIRST_DEVICE)?);
    DEVICE_HANDLERS.get(index)?.get()
}

/// Whether the CPU can be taken from the running sandbox now. If not, the timer will ask again soon.
fn may_preempt_or_retry(frame: &InterruptFrame) -> bool {
    let cpu = per_cpu::this();
    let preemptable = cpu.host_calls.load(Relaxed) == 0
        && cpu.locks_held.load(Relaxed) == 0
        && (cpu.runs_own_code.load(Relaxed) || is_called_by_guest_code(frame));
    if !preemptable {
        cpu.preemption_due.store(true, Relaxed);
        let wait = RETRY_NS.load(Relaxed);
        RETRY_NS.store((wait + RETRY_STEP_NS).min(RETRY_MOST_NS), Relaxed);
        apic::arm_timer_in(wait);
        return false;
    }
    RETRY_NS.store(RETRY_FIRST_NS, Relaxed);
    cpu.preemption_due.store(false, Relaxed);
    true
}

/// How far to look for guest code among the callers of what was interrupted.
const DEPTH: usize = 8;

/// Whether guest code was interrupted, or something that guest code called: a `memset` that fills
/// a whole memory, say. The interpreter takes its locks before its executor starts and after it ends, so
/// none is held below a frame of guest code; the kernel's own, and those of native code's engine, are
/// counted.
fn is_called_by_guest_code(frame: &InterruptFrame) -> bool {
    if traps::is_guest_code(frame.rip) {
        return true;
    }
    let cpu = per_cpu::this();
    let stack = cpu.stack_low.load(Relaxed)..cpu.stack_high.load(Relaxed) - 16;
    let mut rbp = frame.registers[RBP];
    for _ in 0..DEPTH {
        if !rbp.is_multiple_of(8) || !stack.contains(&rbp) {
            return false;
        }
        // SAFETY: both words lie on the running sandbox's stack, which is mapped.
        let [next, caller] = unsafe { *(rbp as *const [u64; 2]) };
        if traps::is_guest_code(caller) {
            return true;
        }
        rbp = next;
    }
    false
}

/// The place of rbp in [`InterruptFrame::registers`], which the stub pushes from rax to r15.
const RBP: usize = 10;

/// Gives the CPU away if an interrupt wanted that and came at a bad moment. For long work on a
/// sandbox's behalf, at points where all is consistent.
pub fn preemption_point() {
    let cpu = per_cpu::this();
    // Mostly there is none.
    if !cpu.preemption_due.load(Relaxed) {
        return;
    }
    let may = cpu.running.load(Relaxed)
        && cpu.host_calls.load(Relaxed) == 0
        && cpu.locks_held.load(Relaxed) == 0;
    if may {
        x86_64::instructions::interrupts::disable();
        cpu.preemption_due.store(false, Relaxed);
        if let Some(handler) = PREEMPT.get() {
            handler();
        }
        x86_64::instructions::interrupts::enable();
    }
}

/// The first instructions of the interrupt `VECTOR`.
///
/// Entry: on the interrupted stack, aligned by the processor to 16 bytes before its frame of five
/// words. Exit: jumps on with the vector pushed.
#[unsafe(naked)]
unsafe extern "C" fn stub<const VECTOR: u64>() -> ! {
    naked_asm!(
        "push {vector}",
        "jmp {common}",
        vector = const VECTOR,
        common = sym save_and_call,
    )
}

/// Entry: `[rsp]` vector, rip, cs, rflags, rsp, ss: six words on a 16-byte aligned stack.
/// Fifteen registers and a word of padding keep it aligned for `fxsave64`.
/// Exit: `iretq` with everything as it was.
#[unsafe(naked)]
unsafe extern "C" fn save_and_call() -> ! {
    naked_asm!(
        "push rax", "push rbx", "push rcx", "push rdx", "push rbp", "push rsi", "push rdi",
        "push r8", "push r9", "push r10", "push r11", "push r12", "push r13", "push r14",
        "push r15",
        "sub rsp, 520",
        "fxsave64 [rsp]",
        "mov rdi, rsp",
        "cld",
        "call {on_interrupt}",
        "fxrstor64 [rsp]",
        "add rsp, 520",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rdi", "pop rsi", "pop rbp", "pop rdx", "pop rcx", "pop rbx", "pop rax",
        "add rsp, 8",
        "iretq",
        on_interrupt = sym on_interrupt,
    )
}

/// A spurious interrupt wants nothing done, not even an end-of-interrupt. SDM Vol. 3A, "Spurious
/// Interrupt".
#[unsafe(naked)]
unsafe extern "C" fn spurious() -> ! {
    naked_asm!("iretq")
}
