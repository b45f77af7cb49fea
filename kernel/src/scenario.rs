//! Misbehaviour on purpose, in kernels built with the feature `scenarios` only.
//!
//! Some of it is called by hostile guests, as imports of the module `luge_scenario`; some of it is
//! asked for on the command line (`scenario=NAME`), to see that the test harness notices.

use log::info;
use x86_64::structures::idt::InterruptDescriptorTable;

pub use crate::arch::stand_in::{divide, wild_write};
use crate::arch::{paging, stand_in, traps};

/// An address that nothing is ever mapped at: the lower half is empty.
const UNMAPPED: *mut u8 = 0x10_0000_0000 as *mut u8;

/// Does what `name` says, at boot. False if there is no such scenario.
pub fn at_boot(name: &str) -> bool {
    info!("scenario {name}");
    match name {
        "panic" => panic!("asked for by scenario=panic"),
        "audit" => info!("audit: {:?}", paging::audit()),
        "hang" => hang(),
        "triple-fault" => triple_fault(),
        "kernel-fault" => kernel_fault(),
        "kernel-divide-error" => {
            let _ = stand_in::divide(1, 0);
        }
        "fault-in-fault-handler" => fault_in_fault_handler(),
        "stack-overflow" => {
            let _ = recurse(u64::MAX);
        }
        _ => return false,
    }
    true
}

/// A store of the kernel's to an address that is not mapped: must stop the kernel.
#[inline(never)]
pub fn kernel_fault() {
    // SAFETY: not safe, on purpose, as kernels for use are built without this file.
    unsafe { UNMAPPED.write_volatile(1) };
}

/// A fault whose handler faults too: must end in last words.
pub fn fault_in_fault_handler() {
    traps::scenario::arm();
    kernel_fault();
}

fn hang() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// With no handler for anything, the first exception resets the machine.
fn triple_fault() {
    static EMPTY: InterruptDescriptorTable = InterruptDescriptorTable::new();
    EMPTY.load();
    kernel_fault();
}

/// Fills the stack, so that the guard page below it is hit.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn recurse(depth: u64) -> u64 {
    let frame = core::hint::black_box([depth; 64]);
    recurse(depth - 1) + frame[0]
}
