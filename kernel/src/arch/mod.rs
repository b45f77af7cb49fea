//! Everything that is x86_64: the only folder with assembly and registers.
//!
//! Upper layers hand in what is to be done (a page table entry, a context, a handler); this layer
//! knows how the processor wants it. It names no upper layer: where it has to call up, a function
//! is registered.

pub mod acpi;
pub mod apic;
pub mod cpu;
pub mod gdt;
pub mod interrupts;
pub mod landmarks;
pub mod lock;
pub mod paging;
pub mod per_cpu;
pub mod power;
pub mod random;
pub mod serial;
pub mod stand_in;
pub mod switch;
pub mod time;
pub mod traps;
pub mod watchdog;
