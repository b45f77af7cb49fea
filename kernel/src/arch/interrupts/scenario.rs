//! A hook for scenarios: page faults without an interrupt stack.

use spin::Once;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::IDT;

static CRIPPLED: Once<InterruptDescriptorTable> = Once::new();

/// From now on a page fault arrives on the stack on which it happened, as in a kernel that has no interrupt
/// stacks.
///
/// # Panics
/// Before [`super::init`].
pub fn page_faults_without_stack() {
    let idt = CRIPPLED.call_once(|| {
        let mut idt = IDT.get().expect("the IDT is loaded at boot").clone();
        let handler = idt.page_fault.handler_addr();
        // SAFETY: it is the handler that the entry has. To set it anew clears the entry's options, the
        // interrupt stack among them, which is what this is for.
        unsafe { idt.page_fault.set_handler_addr(handler) };
        idt
    });
    idt.load();
}
