//! Registers as one finds them, and as one leaves them to the next. For scenarios.

use core::arch::naked_asm;
use core::mem::offset_of;

use crate::arch::switch;

/// What [`spoil`] leaves in registers.
const PATTERN: u64 = 0x5a5a_c3c3_a5a5_3c3c;

/// The general registers, rax rcx rdx rbx rsp rbp rsi rdi r8 to r15, and the FPU's state as `fxsave64` writes
/// it.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Registers {
    /// See [`Registers`].
    pub general: [u64; 16],
    /// See [`Registers`].
    pub float: [u64; 64],
}

const _: () = assert!(
    offset_of!(Registers, float) == 128,
    "aligned to 16 bytes, as `fxsave64` wants it, and where `store` puts it"
);

/// Where the x87 registers begin in [`Registers::float`], and the SSE registers behind them, up to what is
/// reserved. SDM Vol. 1, "FXSAVE Area".
const FLOAT_REGISTERS: core::ops::Range<usize> = 32 / 8..416 / 8;

impl Registers {
    /// None have been stored yet.
    pub const fn new() -> Self {
        Self {
            general: [0; 16],
            float: [0; 64],
        }
    }

    /// Where [`spoil`]'s pattern is in the FPU's state, as an index. In general registers whoever asks may
    /// have it itself.
    pub fn spoilt(&self) -> Option<usize> {
        self.float.iter().position(|word| *word == PATTERN)
    }

    /// Whether all registers of the FPU are zero.
    pub fn float_is_clean(&self) -> bool {
        self.float[FLOAT_REGISTERS].iter().all(|word| *word == 0)
    }
}

/// Leaves [`PATTERN`] in all registers that a function may change, as guest code may do.
#[unsafe(naked)]
#[unsafe(link_section = ".text.guest")]
pub extern "C" fn spoil() {
    naked_asm!(
        "movabs rax, {pattern}",
        "mov rcx, rax",
        "mov rdx, rax",
        "mov rsi, rax",
        "mov rdi, rax",
        "mov r8, rax",
        "mov r9, rax",
        "mov r10, rax",
        "mov r11, rax",
        "movq xmm0, rax",
        "punpcklqdq xmm0, xmm0",
        "movdqa xmm1, xmm0",
        "movdqa xmm2, xmm0",
        "movdqa xmm3, xmm0",
        "movdqa xmm4, xmm0",
        "movdqa xmm5, xmm0",
        "movdqa xmm6, xmm0",
        "movdqa xmm7, xmm0",
        "movdqa xmm8, xmm0",
        "movdqa xmm9, xmm0",
        "movdqa xmm10, xmm0",
        "movdqa xmm11, xmm0",
        "movdqa xmm12, xmm0",
        "movdqa xmm13, xmm0",
        "movdqa xmm14, xmm0",
        "movdqa xmm15, xmm0",
        "ret",
        pattern = const PATTERN,
    )
}

/// As [`spoil`], and divides by zero then.
#[unsafe(naked)]
#[unsafe(link_section = ".text.guest")]
pub extern "C" fn spoil_and_fault() {
    naked_asm!(
        "call {spoil}",
        "xor ecx, ecx",
        "div ecx",
        "ret",
        spoil = sym spoil,
    )
}

/// As [`spoil`], and stays there for ever.
#[unsafe(naked)]
#[unsafe(link_section = ".text.guest")]
pub extern "C" fn spoil_and_stay() -> ! {
    naked_asm!("call {spoil}", "2: jmp 2b", spoil = sym spoil)
}

/// Writes down what is in the registers.
///
/// Entry: rdi = where to, called as a function.
#[unsafe(naked)]
pub extern "C" fn store(_to: &mut Registers) {
    naked_asm!(
        "mov [rdi], rax",
        "mov [rdi + 8], rcx",
        "mov [rdi + 16], rdx",
        "mov [rdi + 24], rbx",
        "mov [rdi + 32], rsp",
        "mov [rdi + 40], rbp",
        "mov [rdi + 48], rsi",
        "mov [rdi + 56], rdi",
        "mov [rdi + 64], r8",
        "mov [rdi + 72], r9",
        "mov [rdi + 80], r10",
        "mov [rdi + 88], r11",
        "mov [rdi + 96], r12",
        "mov [rdi + 104], r13",
        "mov [rdi + 112], r14",
        "mov [rdi + 120], r15",
        "fxsave64 [rdi + 128]",
        "ret",
    )
}

/// The first function of a context, for [`switch::Context::new`]: stores what it finds in the [`Registers`] that
/// are its argument, and leaves for good.
#[unsafe(naked)]
pub extern "C" fn store_first(_to: *mut ()) -> ! {
    extern "C" fn leave() {
        x86_64::instructions::interrupts::disable();
        // SAFETY: called in a context of its own, interrupts off, no lock held.
        unsafe { switch::leave() };
    }
    naked_asm!(
        "push rbp",
        "call {store}",
        "call {leave}",
        "ud2",
        store = sym store,
        leave = sym leave,
    )
}
