//! Every exception that ring 0 can raise, raised where guest code is. For scenarios.

use core::arch::asm;

use luge_trap::vector;

use crate::arch::gdt;

/// The x87 control word with division by zero unmasked. SDM Vol. 1, "x87 FPU Control Word".
const X87_UNMASKED: u16 = 0x37b;
/// MXCSR with division by zero unmasked. SDM Vol. 1, "MXCSR Control and Status Register".
const MXCSR_UNMASKED: u32 = 0x1d80;
/// The bit of CR0 with which the next SSE instruction is #NM. SDM Vol. 3A, "Control Registers".
const TASK_SWITCHED: u64 = 1 << 3;

/// Raises the exception with this number. Returns for those that an instruction in ring 0 cannot raise:
/// #AC is for ring 3 (SDM Vol. 3A, "Alignment Check Exception"), the rest is not of interest here.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn raise(number: u8) {
    // SAFETY: each of these faults, on purpose, and what is done before changes nothing that outlives the
    // fault: what it does to CR0 and the FPU is undone by the handler. Kernels for use are built without
    // this function.
    unsafe {
        match number {
            vector::DIVIDE_ERROR => asm!("div {0:e}", in(reg) 0, out("eax") _, out("edx") _),
            vector::BREAKPOINT => asm!("int3"),
            vector::INVALID_OPCODE => asm!("ud2"),
            vector::DEVICE_NOT_AVAILABLE => without_fpu(),
            vector::STACK_SEGMENT => {
                asm!("mov ss, {0:e}", in(reg) u32::from(gdt::absent_segment()))
            }
            vector::GENERAL_PROTECTION => asm!("mov {0}, [{0}]", inout(reg) 1_u64 << 62 => _),
            vector::PAGE_FAULT => super::wild_write(0x10_0000_0000),
            vector::X87_FLOATING_POINT => asm!(
                "fninit", "fldcw [{0}]", "fld1", "fldz", "fdivp st(1), st", "fwait",
                in(reg) &X87_UNMASKED,
            ),
            vector::SIMD_FLOATING_POINT => divide_floats_by_zero(),
            _ => {}
        }
    }
}

/// #NM: an SSE instruction while CR0.TS is set. Interrupts are off, since their stubs save the FPU state.
///
/// # Safety
/// As for all of [`raise`].
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
unsafe fn without_fpu() {
    // SAFETY: as the caller knows.
    unsafe {
        asm!(
            "cli", "mov {0}, cr0", "or {0}, {ts}", "mov cr0, {0}", "movaps xmm0, xmm0",
            out(reg) _, ts = const TASK_SWITCHED,
        );
    }
}

/// #XM: a division of floats by zero, unmasked. QEMU's own processor never raises this one, so what
/// follows the division enters the same gate in the same way.
///
/// # Safety
/// As for all of [`raise`].
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
unsafe fn divide_floats_by_zero() {
    // SAFETY: as the caller knows.
    unsafe {
        asm!(
            "ldmxcsr [{0}]", "xorps xmm0, xmm0", "mov {1:e}, 1", "cvtsi2ss xmm1, {1:e}",
            "divss xmm1, xmm0", "int {vector}",
            in(reg) &MXCSR_UNMASKED, out(reg) _, out("xmm0") _, out("xmm1") _,
            vector = const vector::SIMD_FLOATING_POINT,
        );
    }
}

/// An instruction of AVX, which is #UD because the kernel does not switch AVX on.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn avx() {
    // SAFETY: it faults, on purpose; were it carried out, it would clear a register of the caller's to
    // spend.
    unsafe { asm!("vpxor ymm0, ymm0, ymm0", out("xmm0") _) };
}
