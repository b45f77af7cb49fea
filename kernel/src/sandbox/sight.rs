//! What a debugger sees of the sandboxes: which there are, where their parts lie, and at which instructions
//! their lives turn.
//!
//! Nothing here is read by the kernel itself, but for [`running`], which last words ask.
//!
//! Invariant: [`LIVE_AT`] names a sandbox from the moment when it has a stack and an arena to the moment before
//! it gives them back, so what a debugger follows from there is whole whenever the machine is stopped.

use core::mem::offset_of;
use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use luge_memory::layout::ARENA_SLOTS;
use luge_sandbox::Life;
use luge_sched::Standing;
use luge_trap::Trap;

use super::{Current, Native, Sandbox, dispatch, faults};
use crate::arch::landmarks::Landmark;
use crate::arch::per_cpu;

/// The sandboxes, by the slots of their arenas, which no two of them share.
static LIVE_AT: [AtomicPtr<Sandbox>; ARENA_SLOTS as usize] =
    [const { AtomicPtr::new(null_mut()) }; ARENA_SLOTS as usize];

/// Where those parts of a sandbox lie that are behind a lock, in a cell or elsewhere.
pub(super) struct Sight {
    name: AtomicPtr<u8>,
    name_bytes: AtomicUsize,
    life: AtomicPtr<Life>,
    standing: AtomicPtr<Standing>,
    native: AtomicPtr<Native>,
}

impl Sight {
    pub(super) const fn new() -> Self {
        Self {
            name: AtomicPtr::new(null_mut()),
            name_bytes: AtomicUsize::new(0),
            life: AtomicPtr::new(null_mut()),
            standing: AtomicPtr::new(null_mut()),
            native: AtomicPtr::new(null_mut()),
        }
    }
}

/// Shows a sandbox that has what it runs on, which is `native`.
pub(super) fn show(sandbox: &Sandbox, native: &Native) {
    let sight = &sandbox.sight;
    sight
        .name
        .store(sandbox.name().as_ptr().cast_mut(), Relaxed);
    sight.name_bytes.store(sandbox.name().len(), Relaxed);
    sight.life.store(sandbox.life.place(), Relaxed);
    sight.standing.store(sandbox.standing.place(), Relaxed);
    sight.native.store(from_ref(native).cast_mut(), Relaxed);
    LIVE_AT[native.arena.slot() as usize].store(from_ref(sandbox).cast_mut(), Relaxed);
}

/// Hides the sandbox that has `native`.
pub(super) fn hide(native: &Native) {
    LIVE_AT[native.arena.slot() as usize].store(null_mut(), Relaxed);
}

/// The sandbox that this CPU runs, its host calls included. Takes no lock.
pub fn running() -> Option<Current> {
    let sandbox = per_cpu::this().sandbox.load(Relaxed);
    (!sandbox.is_null()).then(|| Current(sandbox.cast()))
}

/// A debugger stops here when `sandbox` ends by a trap that its engine found by itself. Most of its frames are
/// gone by then.
#[inline(never)]
pub(super) extern "C" fn on_trap_of_engine(sandbox: *const Sandbox, trap: u8) {
    core::hint::black_box((sandbox, trap));
}

/// The sandboxes, for a debugger.
pub const LANDMARKS: &[Landmark] = &[
    Landmark::place("sandboxes", &raw const LIVE_AT),
    Landmark::number("sandboxes.count", ARENA_SLOTS as u64),
    Landmark::place("sandbox.starts", dispatch::first as *const ()),
    Landmark::place("sandbox.traps_in_engine", on_trap_of_engine as *const ()),
    Landmark::field("sandbox.id", offset_of!(Sandbox, id)),
    Landmark::field("sandbox.route", offset_of!(Sandbox, route)),
    Landmark::field("sandbox.deadline_ns", offset_of!(Sandbox, deadline)),
    Landmark::field("sandbox.arena", offset_of!(Sandbox, own_memory)),
    Landmark::field("sandbox.name", SIGHT + offset_of!(Sight, name)),
    Landmark::field("sandbox.name_bytes", SIGHT + offset_of!(Sight, name_bytes)),
    Landmark::field("sandbox.life", SIGHT + offset_of!(Sight, life)),
    Landmark::field("sandbox.standing", SIGHT + offset_of!(Sight, standing)),
    Landmark::field("sandbox.native", SIGHT + offset_of!(Sight, native)),
    Landmark::field("native.rsp", offset_of!(Native, context)),
    Landmark::field("native.stack", offset_of!(Native, stack)),
    Landmark::field("native.host_calls", offset_of!(Native, host_calls)),
];
const SIGHT: usize = offset_of!(Sandbox, sight);

/// The parts of a life.
pub const LIFE: &[Landmark] = &Landmark::all(Life::LAYOUT);
/// What orders the queue.
pub const STANDING: &[Landmark] = &Landmark::all(Standing::LAYOUT);
/// The traps, by their numbers.
pub const TRAPS: &[Landmark] = &Landmark::all(Trap::MEANING);
/// The last faults.
pub const FAULTS: &[Landmark] = faults::LANDMARKS;
