//! Native code that stands for a guest's: it lies where guest code does, so it can be preempted and
//! may fault. For benchmarks and scenarios.

use core::arch::asm;
use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(feature = "scenarios")]
mod exceptions;
#[cfg(feature = "scenarios")]
mod overflows;
#[cfg(feature = "scenarios")]
pub mod registers;

#[cfg(feature = "scenarios")]
pub use self::{
    exceptions::{avx, raise},
    overflows::{fill_stack, fill_stack_by, linger},
};

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

/// Shorter than any interruption, and longer than a step of [`watch`], in TSC ticks.
const UNINTERRUPTED: u64 = 100;

/// Looks at the time-stamp counter again and again until it is `until`. Leaves in `least` the length of
/// the shortest interruption, in TSC ticks, if there was a shorter one than it had.
#[unsafe(link_section = ".text.guest")]
#[inline(never)]
pub fn watch(until: u64, least: &AtomicU64) {
    // SAFETY: the instruction reads a counter and is always there on x86_64.
    let mut last = unsafe { _rdtsc() };
    while last < until {
        // SAFETY: as above.
        let now = unsafe { _rdtsc() };
        let gap = now - last;
        if gap > UNINTERRUPTED && gap < least.load(Relaxed) {
            least.store(gap, Relaxed);
        }
        last = now;
    }
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
