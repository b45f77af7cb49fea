//! A fault in the loader is a message and an exit code, not a reset.
//!
//! All exceptions run on a stack of their own, so that even an overflow of the loader's stack can
//! be told. No handler returns.

use core::cell::UnsafeCell;
use core::fmt;

use luge_boot_info::exit::ExitCode;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::control::Cr2;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::idt::{InterruptDescriptorTable, InterruptStackFrame, PageFaultErrorCode};
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

macro_rules! exceptions {
    ($idt:ident: $($name:ident = $title:literal),* $(,)?) => {
        $({
            extern "x86-interrupt" fn handler(frame: InterruptStackFrame) {
                end($title, &frame, format_args!(""));
            }
            // SAFETY: the IST entry is set by `install` and used by nothing but exceptions.
            unsafe { $idt.$name.set_handler_fn(handler).set_stack_index(IST) };
        })*
    };
}

macro_rules! exceptions_with_code {
    ($idt:ident: $($name:ident = $title:literal),* $(,)?) => {
        $({
            extern "x86-interrupt" fn handler(frame: InterruptStackFrame, code: u64) {
                end($title, &frame, format_args!(", error code {code:#x}"));
            }
            // SAFETY: the IST entry is set by `install` and used by nothing but exceptions.
            unsafe { $idt.$name.set_handler_fn(handler).set_stack_index(IST) };
        })*
    };
}

fn idt() -> InterruptDescriptorTable {
    let mut idt = InterruptDescriptorTable::new();
    exceptions! { idt:
        divide_error = "divide error",
        non_maskable_interrupt = "non-maskable interrupt",
        breakpoint = "breakpoint",
        invalid_opcode = "invalid opcode",
        device_not_available = "device not available",
        x87_floating_point = "x87 floating point",
        simd_floating_point = "SIMD floating point",
    }
    exceptions_with_code! { idt:
        invalid_tss = "invalid TSS",
        segment_not_present = "segment not present",
        stack_segment_fault = "stack segment fault",
        general_protection_fault = "general protection fault",
        alignment_check = "alignment check",
    }
    // SAFETY: the IST entry is set by `install` and used by nothing but exceptions.
    unsafe {
        idt.page_fault
            .set_handler_fn(page_fault)
            .set_stack_index(IST);
        idt.double_fault
            .set_handler_fn(double_fault)
            .set_stack_index(IST);
        idt.machine_check
            .set_handler_fn(machine_check)
            .set_stack_index(IST);
    }
    idt
}

extern "x86-interrupt" fn page_fault(frame: InterruptStackFrame, code: PageFaultErrorCode) {
    let address = Cr2::read_raw();
    end(
        "page fault",
        &frame,
        format_args!(" at {address:#x}, error code {:#x}", code.bits()),
    );
}

extern "x86-interrupt" fn double_fault(frame: InterruptStackFrame, _code: u64) -> ! {
    end("double fault", &frame, format_args!(""))
}

extern "x86-interrupt" fn machine_check(frame: InterruptStackFrame) -> ! {
    end("machine check", &frame, format_args!(""))
}

fn end(title: &str, frame: &InterruptStackFrame, detail: fmt::Arguments<'_>) -> ! {
    let (rip, rsp) = (
        frame.instruction_pointer.as_u64(),
        frame.stack_pointer.as_u64(),
    );
    say!("fault: {title}{detail}, rip {rip:#x}, rsp {rsp:#x}");
    leave(ExitCode::LoaderFault)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("panic: {info}");
    leave(ExitCode::LoaderFault)
}
