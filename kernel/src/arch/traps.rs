//! Exceptions: from the IDT to a verdict, and the verdict carried out.
//!
//! Every exception's stub builds a [`FaultFrame`] on an interrupt stack of its own and calls
//! [`on_fault`] with interrupts off. What a fault *means* is decided by the `luge-trap` crate, which
//! is tested on the host; this file reads registers and carries the verdict out.
//!
//! Invariant: `on_fault` returns to the code that faulted only after a page was mapped that it may
//! touch ([`on_page_missing`]). Otherwise the sandbox is abandoned and the dispatcher goes on; or the
//! engine continues where it entered its compiled code ([`on_engine_trap`], [`engine_has_resumed`]); or
//! the kernel ends.

pub mod calls;
pub mod frame;
pub mod scenario;

use core::arch::naked_asm;
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use luge_memory::layout::{GUARD_BYTES, KERNEL_STACK_BYTES, NATIVE_CODE};
use luge_trap::{Fault, Reason, Running, Verdict, judge, vector};
use x86_64::VirtAddr;
use x86_64::registers::control::Cr2;
use x86_64::structures::idt::{EntryOptions, InterruptDescriptorTable};

use super::gdt::FaultStack;
use super::landmarks::Landmark;
use super::{apic, per_cpu, switch};

pub use calls::Calls;
pub use frame::FaultFrame;

/// A fault that ends a sandbox: what the processor left, and what had led there.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The registers.
    pub frame: FaultFrame,
    /// The calls in native code.
    pub calls: Calls,
}

/// What is known of how the running sandbox left its native code, until its end is reported. A sandbox that is
/// preempted between takes it along.
#[derive(Debug)]
pub struct TrapNotes {
    fault: Option<Found>,
    noted: Option<(Calls, u64)>,
}

impl TrapNotes {
    /// Takes what the CPU has of the sandbox that ran. None if that is nothing.
    pub fn take() -> Option<Self> {
        let cpu = per_cpu::this();
        if !cpu.has_trap_notes.load(Relaxed) {
            return None;
        }
        let fault = cpu.last_fault.lock().take();
        let noted = cpu.noted_calls.get();
        Self::forget();
        (fault.is_some() || noted.is_some()).then_some(Self { fault, noted })
    }

    /// Gives the CPU what [`Self::take`] took of the sandbox that is to run, and nothing of others.
    pub fn bring_back(self) {
        let cpu = per_cpu::this();
        *cpu.last_fault.lock() = self.fault;
        cpu.noted_calls.put(self.noted);
        cpu.has_trap_notes.store(true, Relaxed);
    }

    /// The CPU has nothing of the sandbox that is to run. Every switch does this, and mostly finds nothing.
    pub fn forget() {
        let cpu = per_cpu::this();
        if cpu.has_trap_notes.load(Relaxed) {
            *cpu.last_fault.lock() = None;
            cpu.noted_calls.forget();
            cpu.has_trap_notes.store(false, Relaxed);
        }
    }
}

/// Fault handling, for a debugger: where a sandbox is ended for a fault, and the stub below which a frame lies.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("fault.ends_sandbox", on_fault_of_sandbox as *const ()),
    Landmark::place("fault.stub", save_and_judge as *const ()),
    Landmark::number("fault.stub_room", STUB_ROOM),
];

/// Called for a fault that is the kernel's own: says its last words and ends the machine.
/// The last argument says that it happened while a fault was being handled.
pub type KernelFault = fn(&FaultFrame, &'static str, bool) -> !;

static KERNEL_FAULT: spin::Once<KernelFault> = spin::Once::new();

/// Called for a #PF with the address and whether it was written to: true if a page is mapped there
/// now, so that the instruction can be tried again. Must not touch what is not mapped.
pub type PageMissing = fn(u64, Touch) -> bool;

/// Called for a trap of compiled code with the instruction pointer, the frame pointer and, for #PF, the
/// address that was touched. If the engine knows the trap, it continues where it entered that code and
/// this does not return.
pub type EngineTrap = fn(u64, u64, Option<u64>);

/// What the code that caused a #PF did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It read, or fetched an instruction.
    Read,
    /// It wrote.
    Write,
}

/// Bit 1 of a #PF's error code: a write. SDM Vol. 3A, "Page-Fault Error Code".
const WRITE: u64 = 1 << 1;

static PAGE_MISSING: spin::Once<PageMissing> = spin::Once::new();
static ENGINE_TRAP: spin::Once<EngineTrap> = spin::Once::new();

/// Tells who maps pages at the first touch.
pub fn on_page_missing(handler: PageMissing) {
    PAGE_MISSING.call_once(|| handler);
}

/// Tells who knows the traps of compiled code.
pub fn on_engine_trap(handler: EngineTrap) {
    ENGINE_TRAP.call_once(|| handler);
}

/// To be called whenever the engine comes back from compiled code: if it came by way of a trap, the
/// fault's handling ends here and interrupts are on again.
pub fn engine_has_resumed() {
    if per_cpu::this().in_fault.swap(false, Relaxed) {
        x86_64::instructions::interrupts::enable();
    }
}

/// Tells whom to call when a fault is the kernel's own.
pub fn on_kernel_fault(handler: KernelFault) {
    KERNEL_FAULT.call_once(|| handler);
}

/// The addresses of the code that runs for guests (gathered by the linker script).
#[must_use]
pub fn guest_code() -> Range<u64> {
    unsafe extern "C" {
        static __guest_code_start: u8;
        static __guest_code_end: u8;
    }
    (&raw const __guest_code_start) as u64..(&raw const __guest_code_end) as u64
}

/// Whether guest code is at an address: the executor's, or code compiled ahead of time.
#[must_use]
pub fn is_guest_code(address: u64) -> bool {
    guest_code().contains(&address) || NATIVE_CODE.contains(&address)
}

/// Fills the exceptions' entries of an IDT.
pub fn install(idt: &mut InterruptDescriptorTable) {
    macro_rules! with_stub {
        ($entry:ident, $number:expr, $stack:expr) => {
            // SAFETY: the stub is made for this vector and for whether it has an error code; its
            // interrupt stack is the one that `gdt::init` set up for it.
            unsafe {
                place(
                    idt.$entry
                        .set_handler_addr(VirtAddr::new(stub::<$number> as *const () as u64)),
                    $stack,
                );
            }
        };
    }
    use FaultStack::{DoubleFault, Exception, MachineCheck, NonMaskable, PageFault};
    with_stub!(divide_error, 0, Exception);
    with_stub!(debug, 1, Exception);
    with_stub!(non_maskable_interrupt, 2, NonMaskable);
    with_stub!(breakpoint, 3, Exception);
    with_stub!(overflow, 4, Exception);
    with_stub!(bound_range_exceeded, 5, Exception);
    with_stub!(invalid_opcode, 6, Exception);
    with_stub!(device_not_available, 7, Exception);
    with_stub!(double_fault, 8, DoubleFault);
    with_stub!(invalid_tss, 10, Exception);
    with_stub!(segment_not_present, 11, Exception);
    with_stub!(stack_segment_fault, 12, Exception);
    with_stub!(general_protection_fault, 13, Exception);
    with_stub!(page_fault, 14, PageFault);
    with_stub!(x87_floating_point, 16, Exception);
    with_stub!(alignment_check, 17, Exception);
    with_stub!(machine_check, 18, MachineCheck);
    with_stub!(simd_floating_point, 19, Exception);
}

/// # Safety
/// The stack must belong to the vector of `options`.
unsafe fn place(options: &mut EntryOptions, stack: FaultStack) {
    // SAFETY: as the caller promises.
    unsafe { options.set_stack_index(stack as u16) };
}

/// Vectors for which the processor pushes an error code. SDM Vol. 3A, "Error Code".
const fn has_error_code(number: u64) -> bool {
    matches!(number, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// The first instructions of the exception `VECTOR`.
///
/// Entry: on the vector's interrupt stack, which is 16-byte aligned before the processor's frame:
///   [rsp + 0] error code, for vectors that have one
///   [rsp + 0 or 8] rip, cs, rflags, rsp, ss
/// Exit: jumps on with the vector and an error code pushed.
///
/// #NM's ends its cause, CR0.TS, since `fxsave64` would raise it again, on this same stack, for ever.
#[unsafe(naked)]
unsafe extern "C" fn stub<const VECTOR: u64>() -> ! {
    naked_asm!(
        ".if {vector} == {not_available}",
        "clts",
        ".endif",
        ".if {has_error_code} == 0",
        "push 0",
        ".endif",
        "push {vector}",
        "jmp {save}",
        has_error_code = const has_error_code(VECTOR) as u64,
        vector = const VECTOR,
        not_available = const vector::DEVICE_NOT_AVAILABLE,
        save = sym save_and_judge,
    )
}

/// What the stub takes of the stack below the frame: the FPU's state, and a word of padding.
const STUB_ROOM: u64 = 512 + 8;

/// Entry: `[rsp]` vector, error code, rip, cs, rflags, rsp, ss.
/// Exit: `iretq` with everything as it was, if [`on_fault`] returns.
///
/// Seven words are on a stack that was 16-byte aligned; sixteen more make 23, so one word of
/// padding below them aligns it for `fxsave64` and the call.
#[unsafe(naked)]
unsafe extern "C" fn save_and_judge() -> ! {
    naked_asm!(
        "push rax", "push rbx", "push rcx", "push rdx", "push rbp", "push rsi", "push rdi",
        "push r8", "push r9", "push r10", "push r11", "push r12", "push r13", "push r14",
        "push r15",
        "push 0",
        "mov rdi, rsp",
        "sub rsp, {room}",
        "fxsave64 [rsp]",
        "xor ebp, ebp",
        "cld",
        "call {on_fault}",
        "fxrstor64 [rsp]",
        "add rsp, {room} + 8",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rdi", "pop rsi", "pop rbp", "pop rdx", "pop rcx", "pop rbx", "pop rax",
        "add rsp, 16",
        "iretq",
        on_fault = sym on_fault,
        room = const STUB_ROOM,
    )
}

extern "C" fn on_fault(frame: &mut FaultFrame) {
    frame.cr2 = Cr2::read_raw();
    let cpu = per_cpu::this();
    if cpu.in_fault.swap(true, Relaxed) {
        kernel_fault(frame, "a fault while a fault was being handled", true);
    }
    cpu.fault_rip.store(frame.rip, Relaxed);
    scenario::inside_the_handler();
    if is_page_mapped_now(frame) {
        cpu.in_fault.store(false, Relaxed);
        return;
    }
    scenario::count(frame.vector);
    match judge(&fault_of(frame), running(cpu).as_ref()) {
        Verdict::Panic(reason) => {
            kernel_fault(frame, reason.as_str(), reason == Reason::NeverAGuests);
        }
        Verdict::AskEngine(_) => {
            keep(cpu, frame);
            on_fault_of_sandbox(frame);
            ask_engine(frame);
            end_sandbox(cpu);
        }
        Verdict::End(_) => {
            keep(cpu, frame);
            on_fault_of_sandbox(frame);
            end_sandbox(cpu);
        }
    }
}

/// Keeps what is to be known of a fault when its sandbox's stack is gone.
fn keep(cpu: &per_cpu::PerCpu, frame: &FaultFrame) {
    let stack = cpu.stack_low.load(Relaxed)..cpu.stack_high.load(Relaxed);
    *cpu.last_fault.lock() = Some(Found {
        frame: *frame,
        calls: Calls::at_fault(frame, stack),
    });
    cpu.has_trap_notes.store(true, Relaxed);
}

/// A debugger stops here when a fault is about to end the running sandbox.
#[inline(never)]
extern "C" fn on_fault_of_sandbox(frame: &FaultFrame) {
    core::hint::black_box(frame);
}

fn fault_of(frame: &FaultFrame) -> Fault {
    Fault {
        vector: frame.vector as u8,
        error_code: frame.error_code,
        rip: frame.rip,
        rsp: frame.rsp,
        cr2: touched(frame).unwrap_or(0),
    }
}

/// The address that caused a #PF.
fn touched(frame: &FaultFrame) -> Option<u64> {
    (frame.vector == u64::from(vector::PAGE_FAULT)).then_some(frame.cr2)
}

fn is_page_mapped_now(frame: &FaultFrame) -> bool {
    let touch = if frame.error_code & WRITE == 0 {
        Touch::Read
    } else {
        Touch::Write
    };
    touched(frame)
        .zip(PAGE_MISSING.get())
        .is_some_and(|(address, handler)| handler(address, touch))
}

/// Returns only if the engine does not know the trap.
fn ask_engine(frame: &FaultFrame) {
    if let Some(handler) = ENGINE_TRAP.get() {
        handler(frame.rip, frame.rbp, touched(frame));
    }
}

/// Abandons the running sandbox, whose fault is in `last_fault`.
fn end_sandbox(cpu: &per_cpu::PerCpu) -> ! {
    // An interrupt whose frame did not fit on the stack is in service and will never be handled; left
    // so, the local APIC would hold all others back for ever.
    apic::finish_in_service();
    cpu.in_fault.store(false, Relaxed);
    // SAFETY: the verdict is given only with a sandbox running; we are on an interrupt stack with
    // interrupts off, and the dispatcher never enters a faulted sandbox again.
    unsafe { switch::abandon() }
}

/// Judges a fault that the dispatcher was handed, for its name.
pub fn trap_of(frame: &FaultFrame, running: &Running) -> Verdict {
    judge(&fault_of(frame), Some(running))
}

/// What the CPU knows of the sandbox that it runs.
#[must_use]
pub fn running(cpu: &per_cpu::PerCpu) -> Option<Running> {
    let kernel_top = cpu.kernel_stack_top.load(Relaxed);
    let kernel_low = kernel_top - KERNEL_STACK_BYTES;
    cpu.running.load(Relaxed).then(|| Running {
        guest_code: guest_code(),
        native_code: NATIVE_CODE,
        stack: cpu.stack_low.load(Relaxed)..cpu.stack_high.load(Relaxed),
        guard: kernel_top..cpu.stack_low.load(Relaxed),
        kernel_stack: kernel_low..kernel_top,
        kernel_guard: kernel_low - GUARD_BYTES..kernel_low,
        host_calls: cpu.host_calls.load(Relaxed),
        locks_held: cpu.locks_held.load(Relaxed),
    })
}

fn kernel_fault(frame: &FaultFrame, why: &'static str, nested: bool) -> ! {
    match KERNEL_FAULT.get() {
        Some(handler) => handler(frame, why, nested),
        None => super::power::exit(luge_boot_info::exit::ExitCode::LastWords.value()),
    }
}

/// An exception's name, as the manual has it.
pub struct Name(pub u64);

impl Name {
    /// As a text.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        const NAMES: [&str; 20] = [
            "#DE",
            "#DB",
            "NMI",
            "#BP",
            "#OF",
            "#BR",
            "#UD",
            "#NM",
            "#DF",
            "vector 9",
            "#TS",
            "#NP",
            "#SS",
            "#GP",
            "#PF",
            "vector 15",
            "#MF",
            "#AC",
            "#MC",
            "#XM",
        ];
        NAMES.get(self.0 as usize).unwrap_or(&"an unknown vector")
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}
