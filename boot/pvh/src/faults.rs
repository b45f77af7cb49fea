//! A fault in the loader is a message and an exit code, not a reset.
//!
//! All exceptions run on a stack of their own, so that even an overflow of the loader's stack can
//! be told. No handler returns.

use core::arch::global_asm;
use core::cell::UnsafeCell;

use luge_boot_info::exit::ExitCode;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::control::Cr2;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::idt::InterruptDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;

use crate::console::{leave, say};

const FAULT_STACK_LEN: usize = 16 * 1024;

#[repr(C, align(16))]
struct FaultStack(UnsafeCell<[u8; FAULT_STACK_LEN]>);

// SAFETY: no Rust code makes a reference to the bytes; only the CPU uses them, as a stack.
unsafe impl Sync for FaultStack {}

static FAULT_STACK: FaultStack = FaultStack(UnsafeCell::new([0; FAULT_STACK_LEN]));
static TSS: Once<TaskStateSegment> = Once::new();
static GDT: Once<GlobalDescriptorTable> = Once::new();
static IDT: Once<InterruptDescriptorTable> = Once::new();

/// Which entry of the interrupt stack table every exception uses.
const IST: u16 = 0;

/// Loads the loader's GDT, TSS and IDT.
pub fn install() {
    let tss = TSS.call_once(|| {
        let mut tss = TaskStateSegment::new();
        let end = FAULT_STACK.0.get().addr() + FAULT_STACK_LEN;
        tss.interrupt_stack_table[IST as usize] = VirtAddr::new(end as u64);
        tss
    });
    let mut selectors = None;
    let gdt = GDT.call_once(|| {
        let mut gdt = GlobalDescriptorTable::new();
        let code = gdt.append(Descriptor::kernel_code_segment());
        gdt.append(Descriptor::kernel_data_segment());
        selectors = Some((code, gdt.append(Descriptor::tss_segment(tss))));
        gdt
    });
    gdt.load();
    if let Some((code, tss)) = selectors {
        // SAFETY: both selectors are of the table just loaded; code comes first and data second, as
        // in the table before, so SS stays valid.
        unsafe {
            CS::set_reg(code);
            load_tss(tss);
        }
    }
    IDT.call_once(idt).load();
}

// One stub for each exception, 16 bytes apart.
//
// Entry: as the CPU pushed it on the fault stack, with or without an error code.
// Exit: `fault` is called with RDI = a whole `Frame`, RSP a multiple of 16 before the call,
// RBP = 0. It never returns, so no register is kept. Handlers of the ABI "x86-interrupt" are no choice: with
// an error code, Rust 1.95 calls on from them with a stack that is off by 8.
//
//     RSP + 0   vector
//     RSP + 8   error code, or 0
//     RSP + 16  RIP, CS, RFLAGS, RSP, SS
global_asm!(
    ".pushsection .text.loader_faults, \"ax\", @progbits",
    ".balign 16",
    "loader_faults:",
    ".set loader_fault_vector, 0",
    ".rept {vectors}",
    ".balign 16",
    ".if (({with_error_code} >> loader_fault_vector) & 1) == 0",
    "push 0",
    ".endif",
    "push loader_fault_vector",
    "jmp loader_faults_common",
    ".set loader_fault_vector, loader_fault_vector + 1",
    ".endr",
    // Fails to assemble if a stub takes more than its 16 bytes.
    ".org loader_faults + 16 * {vectors}",
    "loader_faults_common:",
    "cld",
    "mov rdi, rsp",
    "and rsp, -16",
    "xor ebp, ebp",
    "call {fault}",
    "ud2",
    ".popsection",
    vectors = const VECTORS,
    with_error_code = const WITH_ERROR_CODE,
    fault = sym fault,
);

unsafe extern "C" {
    static loader_faults: u8;
}

/// How many vectors are exceptions.
const VECTORS: usize = 32;

/// The exceptions that push an error code (SDM Vol. 3A, "Exception and Interrupt Reference").
const WITH_ERROR_CODE: u32 =
    1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;

/// What a stub leaves on the stack.
#[repr(C)]
struct Frame {
    vector: u64,
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

const _: () = assert!(size_of::<Frame>() == 7 * 8);

const PAGE_FAULT: u64 = 14;

fn idt() -> InterruptDescriptorTable {
    let mut idt = InterruptDescriptorTable::new();
    macro_rules! exceptions {
        ($($vector:literal $name:ident)*) => {
            $(
                let stub = (&raw const loader_faults).addr() + 16 * $vector;
                // SAFETY: the stub of this vector is at this address and never returns; the IST
                // entry is set by `install` and used by nothing but exceptions.
                unsafe {
                    idt.$name.set_handler_addr(VirtAddr::new(stub as u64)).set_stack_index(IST);
                }
            )*
        };
    }
    exceptions! {
        0 divide_error
        1 debug
        2 non_maskable_interrupt
        3 breakpoint
        4 overflow
        5 bound_range_exceeded
        6 invalid_opcode
        7 device_not_available
        8 double_fault
        10 invalid_tss
        11 segment_not_present
        12 stack_segment_fault
        13 general_protection_fault
        14 page_fault
        16 x87_floating_point
        17 alignment_check
        18 machine_check
        19 simd_floating_point
    }
    idt
}

extern "C" fn fault(frame: &Frame) -> ! {
    let Frame {
        vector,
        error_code,
        rip,
        rsp,
        ..
    } = *frame;
    if vector == PAGE_FAULT {
        say!("fault: page fault at {:#x}", Cr2::read_raw());
    }
    say!("fault: vector {vector}, error code {error_code:#x}, rip {rip:#x}, rsp {rsp:#x}");
    leave(ExitCode::LoaderFault)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("panic: {info}");
    leave(ExitCode::LoaderFault)
}
