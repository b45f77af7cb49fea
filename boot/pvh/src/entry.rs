//! From the firmware's jump to the first line of Rust.
//!
//! Entry (PVH boot protocol, "x86/HVM direct boot ABI"): 32-bit protected mode, flat segments,
//! paging off, interrupts off, EBX = physical address of `hvm_start_info`, no stack.
//!
//! Exit: 64-bit mode, the first 4 GiB identity-mapped in 2 MiB pages (the first one read and
//! execute, the others read and write), NX, write protection and SSE on, interrupts off,
//! RDI = EBX's old value, RSP = end of `loader_stack`, then a call of `loader_main`.

use core::arch::global_asm;
use core::cell::UnsafeCell;

use luge_boot_info::exit::{ExitCode, PORT};
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};
use x86_64::structures::paging::PageTableFlags as Flags;

/// The loader's stack, in bytes.
const STACK_LEN: usize = 128 * 1024;

/// Memory that only the code before Rust writes, or only the CPU.
#[repr(C, align(4096))]
struct Raw<const LEN: usize>(UnsafeCell<[u8; LEN]>);

// SAFETY: no Rust code makes a reference to the bytes; the stack is used as stacks are, and the
// tables are written before Rust runs and afterwards only by `tables`, on one CPU.
unsafe impl<const LEN: usize> Sync for Raw<LEN> {}

#[unsafe(export_name = "loader_stack")]
#[unsafe(link_section = ".stack")]
static STACK: Raw<STACK_LEN> = Raw(UnsafeCell::new([0; STACK_LEN]));

/// The loader's own tables: levels 4 and 3, then four of level 2 in ascending order.
#[unsafe(export_name = "loader_tables")]
static TABLES: Raw<{ 6 * 4096 }> = Raw(UnsafeCell::new([0; 6 * 4096]));

const _: () = assert!(size_of::<Raw<STACK_LEN>>() == STACK_LEN);

/// An entry that leads to the next level.
const TABLE: u64 = Flags::PRESENT.bits() | Flags::WRITABLE.bits();
/// The low half of a 2 MiB entry for code.
const CODE: u64 = Flags::PRESENT.bits() | Flags::HUGE_PAGE.bits();
/// The low half of a 2 MiB entry for data.
const DATA: u64 = CODE | Flags::WRITABLE.bits();
/// The high half of a 2 MiB entry for data.
const DATA_HIGH: u64 = Flags::NO_EXECUTE.bits() >> 32;

const CR0: u64 = Cr0Flags::PROTECTED_MODE_ENABLE.bits()
    | Cr0Flags::MONITOR_COPROCESSOR.bits()
    | Cr0Flags::NUMERIC_ERROR.bits()
    | Cr0Flags::WRITE_PROTECT.bits()
    | Cr0Flags::PAGING.bits();
const CR4: u64 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION.bits()
    | Cr4Flags::OSFXSR.bits()
    | Cr4Flags::OSXMMEXCPT_ENABLE.bits();
const EFER: u64 = EferFlags::LONG_MODE_ENABLE.bits() | EferFlags::NO_EXECUTE_ENABLE.bits();

global_asm!(
    // The note by which the firmware finds the entry: XEN_ELFNOTE_PHYS32_ENTRY.
    ".pushsection .note.pvh, \"a\", @note",
    ".balign 4",
    ".long 4, 4, 18",
    ".asciz \"Xen\"",
    ".long pvh_entry",
    ".popsection",
    //
    ".pushsection .text.pvh_entry, \"ax\", @progbits",
    ".code32",
    ".global pvh_entry",
    "pvh_entry:",
    "cld",
    "mov esp, offset loader_stack + {stack_len}",
    "mov ebp, ebx",
    //
    // Long mode (EDX bit 29) and NX (bit 20) are needed before anything can be said in 64 bits.
    "mov eax, 0x80000000",
    "cpuid",
    "cmp eax, 0x80000001",
    "jb pvh_old_cpu",
    "mov eax, 0x80000001",
    "cpuid",
    "and edx, 0x20100000",
    "cmp edx, 0x20100000",
    "jne pvh_old_cpu",
    //
    // Levels 4 and 3.
    "mov edi, offset loader_tables",
    "lea eax, [edi + 0x1000 + {table}]",
    "mov [edi], eax",
    "lea eax, [edi + 0x2000 + {table}]",
    "xor ecx, ecx",
    "2: mov [edi + 0x1000 + ecx * 8], eax",
    "add eax, 0x1000",
    "inc ecx",
    "cmp ecx, 4",
    "jb 2b",
    //
    // Level 2: 2,048 pages of 2 MiB, of which the first is the loader's code.
    "mov eax, {data}",
    "xor ecx, ecx",
    "3: mov [edi + 0x2000 + ecx * 8], eax",
    "mov dword ptr [edi + 0x2004 + ecx * 8], {data_high}",
    "add eax, 0x200000",
    "inc ecx",
    "cmp ecx, 2048",
    "jb 3b",
    "mov dword ptr [edi + 0x2000], {code}",
    "mov dword ptr [edi + 0x2004], 0",
    //
    "mov cr3, edi",
    "mov eax, {cr4}",
    "mov cr4, eax",
    "mov ecx, 0xc0000080",
    "mov eax, {efer}",
    "xor edx, edx",
    "wrmsr",
    "mov eax, {cr0}",
    "mov cr0, eax",
    "lgdt [pvh_gdt_pointer]",
    "push 8",
    "mov eax, offset pvh_long_mode",
    "push eax",
    "retf",
    //
    "pvh_old_cpu:",
    "mov esi, offset pvh_old_cpu_message",
    "mov ecx, offset pvh_old_cpu_message_end",
    "sub ecx, esi",
    "mov edx, 0x3f8",
    "rep outsb",
    "mov eax, {loader_fault}",
    "mov edx, {exit_port}",
    "out dx, al",
    "4: hlt",
    "jmp 4b",
    //
    ".code64",
    "pvh_long_mode:",
    "mov eax, 16",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov fs, eax",
    "mov gs, eax",
    "mov esp, offset loader_stack + {stack_len}",
    "mov edi, ebp",
    "xor ebp, ebp",
    "call {loader_main}",
    "ud2",
    ".popsection",
    //
    ".pushsection .rodata.pvh_entry, \"a\", @progbits",
    ".balign 8",
    "pvh_gdt:",
    ".quad 0",
    // 64-bit code, and data for SS: present, ring 0 (SDM Vol. 3A, "Segment Descriptors").
    ".quad 0x00209b0000000000",
    ".quad 0x0000930000000000",
    "pvh_gdt_pointer:",
    ".word 23",
    ".long pvh_gdt",
    "pvh_old_cpu_message:",
    ".ascii \"loader: the CPU has no long mode or no NX\\r\\n\"",
    "pvh_old_cpu_message_end:",
    ".popsection",
    stack_len = const STACK_LEN,
    table = const TABLE,
    code = const CODE,
    data = const DATA,
    data_high = const DATA_HIGH,
    cr0 = const CR0,
    cr4 = const CR4,
    efer = const EFER,
    exit_port = const PORT,
    loader_fault = const ExitCode::LoaderFault.value(),
    loader_main = sym crate::loader_main,
);
