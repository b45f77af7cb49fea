//! What a fault leaves on its stack.

use core::mem::offset_of;

use crate::arch::landmarks::Landmark;

/// What a fault left behind. The stub pushes it in this order, last field first.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct FaultFrame {
    /// The address that was touched, for #PF; put there by [`on_fault`](super::on_fault).
    pub cr2: u64,
    /// General-purpose registers.
    pub r15: u64,
    /// See `r15`.
    pub r14: u64,
    /// See `r15`.
    pub r13: u64,
    /// See `r15`.
    pub r12: u64,
    /// See `r15`.
    pub r11: u64,
    /// See `r15`.
    pub r10: u64,
    /// See `r15`.
    pub r9: u64,
    /// See `r15`.
    pub r8: u64,
    /// See `r15`.
    pub rdi: u64,
    /// See `r15`.
    pub rsi: u64,
    /// See `r15`.
    pub rbp: u64,
    /// See `r15`.
    pub rdx: u64,
    /// See `r15`.
    pub rcx: u64,
    /// See `r15`.
    pub rbx: u64,
    /// See `r15`.
    pub rax: u64,
    /// The exception's vector.
    pub vector: u64,
    /// The error code, 0 where the vector has none.
    pub error_code: u64,
    /// What the processor pushed: SDM Vol. 3A, "64-Bit Mode Stack Frame".
    pub rip: u64,
    /// See `rip`.
    pub cs: u64,
    /// See `rip`.
    pub rflags: u64,
    /// See `rip`.
    pub rsp: u64,
    /// See `rip`.
    pub ss: u64,
}

const _: () = assert!(
    size_of::<FaultFrame>() == 23 * 8,
    "23 words, as the stub pushes them"
);

impl FaultFrame {
    /// Nothing.
    pub const NONE: Self = Self {
        cr2: 0,
        r15: 0,
        r14: 0,
        r13: 0,
        r12: 0,
        r11: 0,
        r10: 0,
        r9: 0,
        r8: 0,
        rdi: 0,
        rsi: 0,
        rbp: 0,
        rdx: 0,
        rcx: 0,
        rbx: 0,
        rax: 0,
        vector: 0,
        error_code: 0,
        rip: 0,
        cs: 0,
        rflags: 0,
        rsp: 0,
        ss: 0,
    };
}

/// The frame, for a debugger. The general-purpose registers lie from `r15` on, in their order here.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::field("frame.cr2", offset_of!(FaultFrame, cr2)),
    Landmark::field("frame.registers", offset_of!(FaultFrame, r15)),
    Landmark::field("frame.rbp", offset_of!(FaultFrame, rbp)),
    Landmark::field("frame.vector", offset_of!(FaultFrame, vector)),
    Landmark::field("frame.error_code", offset_of!(FaultFrame, error_code)),
    Landmark::field("frame.rip", offset_of!(FaultFrame, rip)),
    Landmark::field("frame.rsp", offset_of!(FaultFrame, rsp)),
];
