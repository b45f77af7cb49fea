//! The gate: how a sandbox's code calls into the kernel.
//!
//! Inside, allocations go to the kernel's heap and the sandbox can be neither preempted nor
//! abandoned, so what the kernel does for it is always finished. Before, the room left on the
//! sandbox's stack is checked; after, whether the sandbox is to live on.
//!
//! Invariant: inside the gate `PerCpu::host_calls` is not zero and `PerCpu::arena` is null.

use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use luge_sandbox::Outcome;
use luge_trap::Trap;

use super::Sandbox;
use crate::arch::per_cpu;

/// What a host call may need of the sandbox's stack, in bytes.
const ROOM: u64 = 16 << 10;

/// The sandbox is to end now: return this up through the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndNow(pub Outcome);

/// Calls `f` as the kernel.
///
/// # Errors
/// [`EndNow`] if too little of the stack is left (`f` was not called), or if the sandbox was doomed
/// meanwhile: its deadline passed or its client left.
pub fn gate<R>(f: impl FnOnce() -> R) -> Result<R, EndNow> {
    if room_left() < ROOM {
        return Err(EndNow(Outcome::Trap(Trap::StackOverflow)));
    }
    let cpu = per_cpu::this();
    let arena = cpu.arena.swap(null_mut(), Relaxed);
    cpu.host_calls.fetch_add(1, Relaxed);
    let result = f();
    // Looked up again: a sandbox that waited in `f` may go on elsewhere.
    let cpu = per_cpu::this();
    cpu.host_calls.fetch_sub(1, Relaxed);
    cpu.arena.store(arena, Relaxed);
    match doom() {
        Some(outcome) => Err(EndNow(outcome)),
        None => Ok(result),
    }
}

/// Bytes between the stack pointer and the end of the running sandbox's stack.
fn room_left() -> u64 {
    let here = 0_u8;
    let address = core::ptr::from_ref(&here) as u64;
    address.saturating_sub(per_cpu::this().stack_low.load(Relaxed))
}

fn doom() -> Option<Outcome> {
    let sandbox = per_cpu::this().sandbox.load(Relaxed).cast::<Sandbox>();
    // SAFETY: null, or the running sandbox, which is alive.
    let sandbox = unsafe { sandbox.as_ref() }?;
    *sandbox.doom.lock()
}
