//! Moving the CPU from one context to another.
//!
//! A context is a stack pointer: everything else it needs lies on its stack. There are two kinds:
//! the dispatcher (one per CPU) and sandboxes. The CPU only ever goes from the dispatcher to a
//! sandbox ([`enter`]) and back ([`leave`], or [`abandon`] when the sandbox is to be ended). A sandbox
//! has a second stack, on which the kernel works for it ([`call_on_kernel_stack`]).
//!
//! Invariant: the dispatcher runs with interrupts off; a sandbox is entered with the interrupt flag
//! off and turns it on itself (first entry) or gets it back from its own interrupt frame.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;

use super::landmarks::Landmark;
use super::per_cpu;

/// A context that is not running: where its stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Context {
    rsp: u64,
}

/// Why [`enter`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// The sandbox called [`leave`]; it can be entered again.
    Left,
    /// A fault ended it; its stack is dead.
    Faulted,
}

/// The processor's default SSE control word: all exceptions masked, round to nearest. SDM Vol. 1,
/// "MXCSR Control and Status Register".
const MXCSR_DEFAULT: u64 = 0x1f80;
/// The x87 control word after `fninit`. SDM Vol. 1, "x87 FPU Control Word".
const X87_DEFAULT: u64 = 0x37f;

/// What [`switch_stacks`] leaves on a stack, lowest address first.
#[repr(C)]
struct Saved {
    /// MXCSR in the lower half, the x87 control word in the upper.
    float_control: u64,
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    rbx: u64,
    rbp: u64,
    return_address: u64,
}

/// What lies at the stack pointer of a context that is not running, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::field("saved.rbp", offset_of!(Saved, rbp)),
    Landmark::field("saved.rip", offset_of!(Saved, return_address)),
    Landmark::number("saved.bytes", size_of::<Saved>() as u64),
    Landmark::place("saved.first_entry", first_entry as *const ()),
];

impl Context {
    /// A context that will call `entry(argument)` on the stack that ends at `top`.
    ///
    /// # Safety
    /// The stack below `top` must be mapped, unused, and large enough; `top` must be 16-byte
    /// aligned; `entry` must never return.
    #[must_use]
    pub unsafe fn new(top: u64, entry: extern "C" fn(*mut ()) -> !, argument: *mut ()) -> Self {
        // Above the record: a zero return address, so that a backtrace ends there, and padding
        // that keeps the stack aligned as a call would.
        let rsp = top - 16 - size_of::<Saved>() as u64;
        let saved = Saved {
            float_control: MXCSR_DEFAULT | (X87_DEFAULT << 32),
            r15: 0,
            r14: 0,
            r13: argument as u64,
            r12: entry as usize as u64,
            rbx: 0,
            rbp: 0,
            return_address: first_entry as *const () as u64,
        };
        // SAFETY: the caller promises that the memory below `top` is mapped and unused.
        unsafe { (rsp as *mut Saved).write(saved) };
        Self { rsp }
    }
}

/// Runs `context` until it leaves or faults. Called by the dispatcher, interrupts off.
///
/// # Safety
/// `context` must be live: made by [`Context::new`] or stored by a [`leave`] and not entered since.
pub unsafe fn enter(context: &mut Context) -> Return {
    let cpu = per_cpu::this();
    assert_eq!(
        cpu.locks_held.load(Relaxed),
        0,
        "no lock is held across a switch"
    );
    let from = cpu.dispatcher_rsp.as_ptr();
    cpu.context.store(context, Relaxed);
    cpu.running.store(true, Relaxed);
    // SAFETY: `from` is this CPU's own slot; the caller promises a live context.
    let faulted = unsafe { switch_stacks(from, &raw const context.rsp, 0) };
    cpu.running.store(false, Relaxed);
    if faulted == 0 {
        Return::Left
    } else {
        Return::Faulted
    }
}

/// Goes back to the dispatcher, which may [`enter`] the context again later; then this returns.
///
/// # Safety
/// Must be called by a sandbox, with interrupts off and no lock held.
pub unsafe fn leave() {
    let cpu = per_cpu::this();
    let context = cpu.context.load(Relaxed);
    assert_eq!(
        cpu.locks_held.load(Relaxed),
        0,
        "no lock is held across a switch"
    );
    // SAFETY: `dispatcher_rsp` was stored by the `enter` that started this sandbox.
    let _ = unsafe { switch_stacks(context.cast(), cpu.dispatcher_rsp.as_ptr(), 0) };
    forget_vectors();
}

/// Clears the vector registers, in which something of whoever had the CPU meanwhile may be left. A call may
/// change all of them.
#[unsafe(naked)]
extern "C" fn forget_vectors() {
    naked_asm!(
        "pxor xmm0, xmm0",
        "pxor xmm1, xmm1",
        "pxor xmm2, xmm2",
        "pxor xmm3, xmm3",
        "pxor xmm4, xmm4",
        "pxor xmm5, xmm5",
        "pxor xmm6, xmm6",
        "pxor xmm7, xmm7",
        "pxor xmm8, xmm8",
        "pxor xmm9, xmm9",
        "pxor xmm10, xmm10",
        "pxor xmm11, xmm11",
        "pxor xmm12, xmm12",
        "pxor xmm13, xmm13",
        "pxor xmm14, xmm14",
        "pxor xmm15, xmm15",
        "ret",
    )
}

/// Goes back to the dispatcher for good: the running sandbox's stack is dead after this.
///
/// # Safety
/// A sandbox must be running on this CPU, with interrupts off, and nothing may ever enter it again.
pub unsafe fn abandon() -> ! {
    let mut nowhere = 0;
    // An x87 exception of the abandoned code may be pending still, and `fldcw` would raise it again, now in
    // kernel code. SDM Vol. 1, "x87 FPU Exception Synchronization".
    // SAFETY: nothing of the abandoned code's FPU state is wanted, and kernel code has none on this stack.
    unsafe { asm!("fninit", options(nomem, nostack, preserves_flags)) };
    // SAFETY: as in `leave`; what is saved in `nowhere` is never used.
    let _ = unsafe { switch_stacks(&raw mut nowhere, per_cpu::this().dispatcher_rsp.as_ptr(), 1) };
    unreachable!("an abandoned context is never entered")
}

/// Saves what the System V ABI wants kept on the current stack, stores the stack pointer to `from`,
/// loads it from `to`, and restores what lies there. Returns `answer` on the other side.
///
/// Entry: rdi = where to store the stack pointer, rsi = where to load it from, rdx = the answer.
/// Exit: on the other stack, rax = the answer, all callee-saved registers as that side left them.
#[unsafe(naked)]
unsafe extern "C" fn switch_stacks(from: *mut u64, to: *const u64, answer: u64) -> u64 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        "mov [rdi], rsp",
        "mov rsp, [rsi]",
        "ldmxcsr [rsp]",
        "fldcw [rsp + 4]",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "mov rax, rdx",
        "ret",
    )
}

/// Calls `f` on the stack that ends at `top`, and comes back when it returns.
///
/// # Safety
/// The memory below `top`, which must be 16-byte aligned, must be a stack on which there is nothing, or what
/// there is of the running one below everything that is on it.
pub unsafe fn call_on_stack<R>(top: u64, f: impl FnOnce() -> R) -> R {
    let mut call = Call {
        f: Some(f),
        result: None,
    };
    let argument = (&raw mut call).cast();
    // SAFETY: the caller promises that the stack is free; the function is the one for this argument.
    unsafe { call_on(argument, carry_out(&call), top) };
    call.result.expect("the call has returned, so it was made")
}

/// As [`call_on_stack`], on the running sandbox's kernel stack. `f` may [`leave`] there.
///
/// # Safety
/// A sandbox must be running on this CPU, and nothing may be on its kernel stack.
pub unsafe fn call_on_kernel_stack<R>(f: impl FnOnce() -> R) -> R {
    let top = per_cpu::this().kernel_stack_top.load(Relaxed);
    // SAFETY: the kernel stack is mapped, page-aligned and nobody's, as the caller promises.
    unsafe { call_on_stack(top, f) }
}

/// A function on its way to another stack, and its result on the way back.
struct Call<F, R> {
    f: Option<F>,
    result: Option<R>,
}

/// The function that makes a [`Call`], given a pointer to it.
fn carry_out<F: FnOnce() -> R, R>(_: &Call<F, R>) -> extern "C" fn(*mut ()) {
    extern "C" fn of<F: FnOnce() -> R, R>(call: *mut ()) {
        // SAFETY: the pointer is to a call of this type, which lives on the other stack until this
        // returns, and nobody else uses it meanwhile.
        let call = unsafe { &mut *call.cast::<Call<F, R>>() };
        call.result = call.f.take().map(|f| f());
    }
    of::<F, R>
}

/// Calls `f(argument)` on the stack that ends at `top`. Nothing is saved but what the System V ABI wants
/// kept, which `f` keeps: of the FPU's state, the control words.
///
/// Entry: rdi = argument, rsi = f, rdx = top, 16-byte aligned.
/// Exit: on the caller's stack, `f` has returned.
///
/// The frame that rbp names stays on the caller's stack, so that a chain of frames leads from the one
/// stack to the other: `[rbp]` the caller's rbp, `[rbp + 8]` its return address.
#[unsafe(naked)]
unsafe extern "C" fn call_on(argument: *mut (), f: extern "C" fn(*mut ()), top: u64) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rsp, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
    )
}

/// The FPU as a context finds it at first.
static CLEAN: FloatState = FloatState::CLEAN;

/// What `fxrstor64` loads. SDM Vol. 1, "FXSAVE Area".
#[repr(C, align(16))]
struct FloatState {
    x87_control: u16,
    /// No x87 register is in use, and nothing is pending.
    x87: [u8; 22],
    mxcsr: u32,
    mxcsr_mask: u32,
    registers: [u128; 24],
    reserved: [u128; 6],
}

const _: () = assert!(size_of::<FloatState>() == 512, "as `fxrstor64` wants it");

impl FloatState {
    const CLEAN: Self = Self {
        x87_control: X87_DEFAULT as u16,
        x87: [0; 22],
        mxcsr: MXCSR_DEFAULT as u32,
        mxcsr_mask: 0,
        registers: [0; 24],
        reserved: [0; 6],
    };
}

/// The first instructions of every context: clears what the CPU still holds of others, turns
/// interrupts on and calls `entry(argument)`.
///
/// Entry: from [`switch_stacks`]; r12 = entry, r13 = argument, rsp 16-byte aligned, interrupts off;
/// r14, r15 = 0.
/// Exit: never.
#[unsafe(naked)]
unsafe extern "C" fn first_entry() -> ! {
    naked_asm!(
        "fxrstor64 [rip + {clean}]",
        "xor eax, eax",
        "xor ebx, ebx",
        "xor ecx, ecx",
        "xor edx, edx",
        "xor esi, esi",
        "xor ebp, ebp",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "xor r10d, r10d",
        "xor r11d, r11d",
        "mov rdi, r13",
        "sti",
        "call r12",
        "ud2",
        clean = sym CLEAN,
    )
}
