//! What belongs to one CPU, found through the GS base.
//!
//! Key types: [`PerCpu`]; [`this`] gives the running CPU's. There is one CPU now; nothing outside
//! this file counts on that.
//!
//! Invariant: once [`install`] has run on a CPU, its GS base points to its own `PerCpu` until
//! power-off, in guest code as well (no guest can execute `wrgsbase` or `swapgs`).

use core::mem::offset_of;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed,
};

use x86_64::VirtAddr;
use x86_64::registers::model_specific::GsBase;

use super::landmarks::Landmark;
use super::traps::Found;
use super::traps::calls::Noted;

/// How many CPUs the kernel has room for.
pub const MAX_CPUS: usize = 1;

/// One CPU's own data.
///
/// Every field is an atomic because interrupt handlers on the same CPU read it too; `Relaxed` is
/// enough, since no other CPU does.
#[repr(C)]
pub struct PerCpu {
    /// The address of this very structure, so that `gs:0` gives a pointer.
    this: AtomicU64,
    /// This CPU's number, from 0.
    pub number: AtomicU32,
    /// Kernel locks held on this CPU.
    pub locks_held: AtomicU32,
    /// Host calls under way for the running sandbox.
    pub host_calls: AtomicU32,
    /// An interrupt wanted the CPU back while it could not be taken.
    pub preemption_due: AtomicBool,
    /// Which host call is under way for the running sandbox: a number of whoever measures them.
    pub step: AtomicU8,
    /// When the part of it began, in TSC ticks, after which others could run last.
    pub step_began: AtomicU64,
    /// TSC ticks that interrupts have taken from the running sandbox since it was entered.
    pub interrupted_ticks: AtomicU64,
    /// A fault is being handled; another one now is last words.
    pub in_fault: AtomicBool,
    /// Where the fault that is being handled happened.
    pub fault_rip: AtomicU64,
    /// The dispatcher's saved stack pointer while a sandbox runs.
    pub dispatcher_rsp: AtomicU64,
    /// Whether a sandbox runs on this CPU.
    pub running: AtomicBool,
    /// Where the running sandbox's context is stored when it leaves.
    pub context: AtomicPtr<super::switch::Context>,
    /// The running sandbox's stack, lowest address.
    pub stack_low: AtomicU64,
    /// The running sandbox's stack, one past the highest address.
    pub stack_high: AtomicU64,
    /// The top of the stack for the running sandbox's host calls. Above it is the guard of its own stack.
    pub kernel_stack_top: AtomicU64,
    /// The arena that allocations go to; null means the kernel's heap.
    pub arena: AtomicPtr<()>,
    /// What the engine of compiled code keeps for the running sandbox (its "thread-local" state).
    pub engine_state: AtomicPtr<u8>,
    /// Whether the running sandbox runs code of the kernel's that may be preempted anywhere outside of host
    /// calls and locks.
    pub runs_own_code: AtomicBool,
    /// The sandbox that runs; null while the dispatcher does.
    pub sandbox: AtomicPtr<()>,
    /// The fault that ended the last sandbox, for the dispatcher to read.
    pub last_fault: spin::Mutex<Option<Found>>,
    /// What had led to where the running sandbox left its native code.
    pub noted_calls: Noted,
    /// Whether there may be something in one of the two.
    pub has_trap_notes: AtomicBool,
}

impl PerCpu {
    const fn new() -> Self {
        Self {
            this: AtomicU64::new(0),
            number: AtomicU32::new(0),
            locks_held: AtomicU32::new(0),
            host_calls: AtomicU32::new(0),
            preemption_due: AtomicBool::new(false),
            step: AtomicU8::new(0),
            step_began: AtomicU64::new(0),
            interrupted_ticks: AtomicU64::new(0),
            in_fault: AtomicBool::new(false),
            fault_rip: AtomicU64::new(0),
            dispatcher_rsp: AtomicU64::new(0),
            running: AtomicBool::new(false),
            context: AtomicPtr::new(core::ptr::null_mut()),
            stack_low: AtomicU64::new(0),
            stack_high: AtomicU64::new(0),
            kernel_stack_top: AtomicU64::new(0),
            arena: AtomicPtr::new(core::ptr::null_mut()),
            engine_state: AtomicPtr::new(core::ptr::null_mut()),
            runs_own_code: AtomicBool::new(false),
            sandbox: AtomicPtr::new(core::ptr::null_mut()),
            last_fault: spin::Mutex::new(None),
            noted_calls: Noted::new(),
            has_trap_notes: AtomicBool::new(false),
        }
    }
}

static CPUS: [PerCpu; MAX_CPUS] = [const { PerCpu::new() }; MAX_CPUS];

/// The CPUs, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("cpus", &raw const CPUS),
    Landmark::number("cpus.count", MAX_CPUS as u64),
    Landmark::number("cpus.bytes", size_of::<PerCpu>() as u64),
    Landmark::field("cpu.locks_held", offset_of!(PerCpu, locks_held)),
    Landmark::field("cpu.host_calls", offset_of!(PerCpu, host_calls)),
    Landmark::field("cpu.in_fault", offset_of!(PerCpu, in_fault)),
    Landmark::field("cpu.fault_rip", offset_of!(PerCpu, fault_rip)),
    Landmark::field("cpu.dispatcher_rsp", offset_of!(PerCpu, dispatcher_rsp)),
    Landmark::field("cpu.running", offset_of!(PerCpu, running)),
    Landmark::field("cpu.stack_low", offset_of!(PerCpu, stack_low)),
    Landmark::field("cpu.stack_high", offset_of!(PerCpu, stack_high)),
    Landmark::field("cpu.kernel_stack_top", offset_of!(PerCpu, kernel_stack_top)),
    Landmark::field("cpu.arena", offset_of!(PerCpu, arena)),
    Landmark::field("cpu.sandbox", offset_of!(PerCpu, sandbox)),
];

/// Points the GS base of the running CPU at its data. Must run before anything else of the kernel.
///
/// # Panics
/// When `number` is not below [`MAX_CPUS`].
pub fn install(number: usize) {
    let cpu = &CPUS[number];
    cpu.this.store(core::ptr::from_ref(cpu) as u64, Relaxed);
    cpu.number.store(number as u32, Relaxed);
    GsBase::write(VirtAddr::from_ptr(cpu));
}

/// The running CPU's own data.
#[inline]
#[must_use]
pub fn this() -> &'static PerCpu {
    let pointer: *const PerCpu;
    // SAFETY: `install` has pointed the GS base at an element of `CPUS`, whose first field is its
    // own address; the read has no other effect.
    unsafe {
        core::arch::asm!(
            "mov {}, gs:[0]", out(reg) pointer,
            options(nostack, preserves_flags, readonly)
        );
    }
    // SAFETY: the pointer is that of an element of a static array of atomics.
    unsafe { &*pointer }
}
