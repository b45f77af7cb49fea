//! Native code that stands for a guest's: it lies where guest code does, so it can be preempted and
//! may fault. For benchmarks and scenarios.

use core::arch::asm;

/// A division by the processor.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn divide(dividend: u32, divisor: u32) -> u32 {
    let quotient;
    // SAFETY: the instruction touches the named registers only. It may fault; a fault of guest code
    // ends the sandbox.
    unsafe {
        asm!("div {:e}", in(reg) divisor, inout("eax") dividend => quotient, inout("edx") 0 => _);
    }
    quotient
}

/// A store, wherever `address` points.
#[cfg(feature = "scenarios")]
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn wild_write(address: u64) {
    // SAFETY: not safe, on purpose: the scenarios pass unmapped addresses, whose fault must end the
    // sandbox and nothing else. Kernels for use are built without this function.
    unsafe { asm!("mov byte ptr [{}], 1", in(reg) address) };
}
