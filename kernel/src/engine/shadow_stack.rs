//! What can be said of a program that has used up its stack in linear memory ([`ShadowStack`]).
//!
//! It has then touched what is outside of its memory. Of native code the address is known, of the interpreter the
//! stack pointer, which its copy of the module exports.

use luge_journal::LinearStack;
use luge_module::ShadowStack;
use luge_sandbox::Outcome;
use luge_trap::Trap;

use crate::sandbox::{Current, gate};

/// Whether a stack pointer or an address tells that the stack has run out.
#[derive(Clone, Copy)]
pub(super) enum Evidence {
    /// The stack pointer, after the program has ended.
    Pointer(u32),
    /// What it has touched, counted from the start of its memory.
    #[cfg(feature = "wasmtime")]
    Address(u64),
}

/// Reports that the stack has run out, if a program that ended so shows it.
pub(super) fn report(
    sandbox: Current,
    outcome: Outcome,
    stack: Option<ShadowStack>,
    evidence: impl FnOnce() -> Option<Evidence>,
) {
    let (Outcome::Trap(trap @ Trap::MemoryOutOfBounds), Some(stack)) = (outcome, stack) else {
        return;
    };
    let is_certain = match evidence() {
        Some(Evidence::Pointer(pointer)) if stack.is_used_up_at(pointer) => true,
        #[cfg(feature = "wasmtime")]
        Some(Evidence::Address(address)) if stack.is_used_up_by(address) => false,
        _ => return,
    };
    let stack = LinearStack {
        bytes: stack.bytes(),
        is_exact: stack.is_exact(),
        is_certain,
    };
    // Too little of the native stack for this means that it is not said.
    let _ = gate(|| sandbox.report_linear_stack(trap, stack));
}
