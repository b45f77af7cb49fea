//! The jump from the loader's page tables into the kernel's.
//!
//! The instruction that loads CR3 is the last one that the loader runs, and the CPU goes on at the
//! address behind it. So the loader's tables map a page of the loader, the *gate*, where the
//! kernel's tables map its entry point, with `mov cr3, rax` ending just before the entry. Nothing
//! of the loader has to be left in the kernel's tables.

use core::arch::asm;
use core::cell::UnsafeCell;

use luge_boot_info::paging::{Access, Mapping};
use luge_boot_info::range::{PAGE, PhysRange};
use x86_64::PhysAddr;

/// `mov cr3, rax`
const LOAD_CR3: [u8; 3] = [0x0f, 0x22, 0xd8];

/// `int3`, so that a CPU that does not jump says so.
const INT3: u8 = 0xcc;

/// Two pages: the instruction may begin in the page before the entry's.
#[repr(C, align(4096))]
struct Gate(UnsafeCell<[u8; 2 * PAGE as usize]>);

// SAFETY: `prepare` is the only code that touches the bytes, and it is called once, by one CPU.
unsafe impl Sync for Gate {}

static GATE: Gate = Gate(UnsafeCell::new([INT3; 2 * PAGE as usize]));

/// What the kernel's first instruction finds.
pub struct Start {
    /// The kernel's level 4 table.
    pub root: PhysAddr,
    /// The kernel's first instruction.
    pub entry: u64,
    /// The end of its stack, a multiple of 16.
    pub stack_end: u64,
    /// The address of `BootInfo` in the kernel.
    pub boot_info: u64,
}

/// Writes the gate for a kernel that is entered at `entry`, and returns the mapping that the
/// loader's own tables need for it.
///
/// # Safety
/// It must be called once at most.
pub unsafe fn prepare(entry: u64) -> Mapping {
    let gate = GATE.0.get().cast::<u8>();
    let at = PAGE + entry % PAGE - LOAD_CR3.len() as u64;
    // SAFETY: `at` + 3 is not above 2 pages, and nobody else touches the gate.
    unsafe { gate.add(at as usize).cast::<[u8; 3]>().write(LOAD_CR3) };
    // The pages from the instruction's to the entry's, one or two.
    let virt = (entry - LOAD_CR3.len() as u64) & !(PAGE - 1);
    let end = gate.addr() as u64 + 2 * PAGE;
    let first = if at < PAGE {
        gate.addr() as u64
    } else {
        gate.addr() as u64 + PAGE
    };
    Mapping {
        virt,
        phys: PhysRange::between(first, end),
        access: Access::ReadExecute,
    }
}

/// Enters the kernel as `_start(boot_info)`.
///
/// Entry: the loader's tables, with the gate mapped.
/// Exit: RIP = entry, CR3 = root, RDI = `boot_info`, RSP = `stack_end` - 8 as behind a call,
/// RBP = 0 so that a backtrace ends, interrupts off. CR0, CR4 and EFER are as `entry` left them. GDT, TSS
/// and IDT still name memory that is no longer mapped: the kernel loads its own before it loads a
/// segment or takes an exception.
///
/// # Safety
/// The mapping that [`prepare`] returned for `start.entry` must be in the loader's tables, and
/// `start` must describe tables that map the entry, the stack and `BootInfo`.
pub unsafe fn enter(start: &Start) -> ! {
    let gate = start.entry - LOAD_CR3.len() as u64;
    // SAFETY: the caller vouches for the tables; the stack is not used between its change and the
    // kernel's first instruction.
    unsafe {
        asm!(
            "cli",
            "mov rsp, {stack}",
            "xor ebp, ebp",
            "jmp {gate}",
            stack = in(reg) start.stack_end - 8,
            gate = in(reg) gate,
            in("rax") start.root.as_u64(),
            in("rdi") start.boot_info,
            options(noreturn),
        )
    }
}
