//! The gate: how a sandbox's code calls into the kernel.
//!
//! Inside, the kernel works on a stack of its own, which each sandbox has beside its own. Allocations
//! go to the kernel's heap, and the sandbox can be neither preempted nor abandoned, so what the kernel
//! does for it is always finished. A host call that has to wait just leaves the CPU from there, and so does a long one
//! between two parts, if somebody else should run ([`Sandbox::breathe`]). Before, the room left on the sandbox's stack is
//! checked; after, whether the sandbox is to live on, and whether an interrupt wanted the CPU meanwhile.
//!
//! Invariant: while `PerCpu::host_calls` is not zero, the CPU is on the sandbox's kernel stack, and
//! `PerCpu::arena` is null but within [`in_own_memory`]. Guest code never runs then: what is inside has
//! no way to the engine.

use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

use luge_sandbox::Outcome;
use luge_trap::Trap;

use super::Sandbox;
use crate::arch::traps::calls;
use crate::arch::{interrupts, per_cpu, switch};
use crate::mm::allocator;
use crate::observe::steps::{self, Step};

/// What must be left of the sandbox's stack for a host call, in bytes. The call itself needs some hundreds
/// of them; but how it ended may be something that its engine allocates.
const ROOM: u64 = allocator::STACK_NEEDED + 1024;

/// The sandbox is to end now: return this up through the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndNow(pub Outcome);

/// Calls `f` as the kernel.
///
/// # Errors
/// [`EndNow`] if too little of the stack is left (`f` was not called), or if the sandbox was doomed
/// meanwhile: its deadline passed or its client left.
pub fn gate<R>(f: impl FnOnce() -> R) -> Result<R, EndNow> {
    gate_for(Step::OTHER_CALL, f)
}

/// Calls `f` as the kernel, as a call of this kind.
///
/// # Errors
/// As for [`gate`].
pub fn gate_for<R>(step: Step, f: impl FnOnce() -> R) -> Result<R, EndNow> {
    if per_cpu::this().host_calls.load(Relaxed) > 0 {
        return inside(f);
    }
    if room_left() < ROOM {
        calls::note();
        return Err(EndNow(Outcome::Trap(Trap::StackOverflow)));
    }
    // SAFETY: no host call is under way, so nothing is on the kernel stack.
    let result = unsafe {
        switch::call_on_kernel_stack(|| {
            steps::begin(step);
            let result = inside(f);
            steps::end_of_part();
            result
        })
    };
    // Between this call and the next may be too little guest code for an interrupt to come there.
    interrupts::preemption_point();
    result
}

/// Calls `f` as the kernel, however little is left of the stack. It must leave the CPU for good.
pub(super) fn gate_for_good(f: impl FnOnce()) -> ! {
    let host_calls = per_cpu::this().host_calls.load(Relaxed);
    assert_eq!(
        host_calls, 0,
        "a sandbox is ended outside of its host calls"
    );
    // SAFETY: no host call is under way, so nothing is on the kernel stack.
    let _ = unsafe {
        switch::call_on_kernel_stack(|| {
            steps::begin(Step::OTHER_CALL);
            inside(f)
        })
    };
    unreachable!("a sandbox that left for good is never entered again")
}

/// Calls `f` in the context of the kernel.
fn inside<R>(f: impl FnOnce() -> R) -> Result<R, EndNow> {
    let cpu = per_cpu::this();
    let arena = cpu.arena.swap(null_mut(), Relaxed);
    cpu.host_calls.fetch_add(1, Relaxed);
    let result = f();
    let doom = doom();
    // Looked up again: a sandbox that waited in `f` may go on elsewhere.
    let cpu = per_cpu::this();
    cpu.host_calls.fetch_sub(1, Relaxed);
    cpu.arena.store(arena, Relaxed);
    match doom {
        Some(outcome) => Err(EndNow(outcome)),
        None => Ok(result),
    }
}

/// Calls `f` inside the gate as if outside of it, as far as memory goes: what it allocates lies in the
/// running sandbox's arena, and goes with that. Any of it may be refused, and `f` must bear it: a sandbox
/// does not end inside of the gate.
pub fn in_own_memory<R>(f: impl FnOnce() -> R) -> R {
    let cpu = per_cpu::this();
    let sandbox = cpu.sandbox.load(Relaxed).cast::<Sandbox>();
    // SAFETY: null, or the running sandbox, which is alive.
    let sandbox = unsafe { sandbox.as_ref() };
    let own = sandbox.map_or(null_mut(), |sandbox| sandbox.own_memory.load(Relaxed));
    let before = cpu.arena.swap(own, Relaxed);
    let result = f();
    cpu.arena.store(before, Relaxed);
    result
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
