//! Misbehaviour on purpose, in kernels built with the feature `scenarios` only.
//!
//! Some of it is called by hostile guests, as imports of the module `luge_scenario`; some of it is
//! asked for on the command line (`scenario=NAME`), to see that the test harness notices.

use core::arch::asm;

use log::info;
use x86_64::structures::idt::InterruptDescriptorTable;

use crate::arch::traps;

/// An address that nothing is ever mapped at: the lower half is empty.
const UNMAPPED: *mut u8 = 0x10_0000_0000 as *mut u8;

/// Does what `name` says, at boot. False if there is no such scenario.
pub fn at_boot(name: &str) -> bool {
    info!("scenario {name}");
    match name {
        "panic" => panic!("asked for by scenario=panic"),
        "hang" => hang(),
        "triple-fault" => triple_fault(),
        "kernel-fault" => kernel_fault(),
        "kernel-divide-error" => {
            let _ = divide_here(1, 0);
        }
        "fault-in-fault-handler" => fault_in_fault_handler(),
        "stack-overflow" => {
            let _ = recurse(u64::MAX);
        }
        _ => return false,
    }
    true
}

/// A division as a guest's would be: in guest code, by the processor.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn divide(dividend: u32, divisor: u32) -> u32 {
    divide_here(dividend, divisor)
}

/// A store as a guest's would be, wherever `address` points.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn wild_write(address: u64) {
    // SAFETY: not safe, on purpose: the scenarios pass unmapped addresses, whose fault must end the
    // sandbox and nothing else. Kernels for use are built without this file.
    unsafe { asm!("mov byte ptr [{}], 1", in(reg) address) };
}

/// A store of the kernel's to an address that is not mapped: must stop the kernel.
#[inline(never)]
pub fn kernel_fault() {
    // SAFETY: not safe, on purpose, see `wild_write`.
    unsafe { UNMAPPED.write_volatile(1) };
}

/// A fault whose handler faults too: must end in last words.
pub fn fault_in_fault_handler() {
    traps::scenario::arm();
    kernel_fault();
}

#[inline(always)]
fn divide_here(dividend: u32, divisor: u32) -> u32 {
    let quotient;
    // SAFETY: the instruction touches the named registers only, and faults if it must.
    unsafe {
        asm!("div {:e}", in(reg) divisor, inout("eax") dividend => quotient, inout("edx") 0 => _);
    }
    quotient
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
