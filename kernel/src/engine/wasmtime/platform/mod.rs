//! What the runtime wants of the machine under it, as the C functions by which it asks.
//!
//! [`memory`] maps, protects and unmaps; [`locks`] keep others out; traps and the runtime's state per
//! sandbox are here. The runtime's own declarations are in its `runtime/vm/sys/custom/capi.rs`; a
//! status of 0 is success, and others are errors that it passes on.

mod locks;
mod memory;
#[cfg(feature = "scenarios")]
pub mod scenario;

use core::sync::atomic::Ordering::Relaxed;

use spin::Once;

use crate::arch::traps::calls;
use crate::arch::{per_cpu, traps};

/// The runtime's trap handler: instruction pointer, frame pointer, whether there is an address that
/// was touched, and that address. Returns if the trap is not the runtime's.
type TrapHandler = extern "C" fn(usize, usize, bool, usize);

static TRAP_HANDLER: Once<TrapHandler> = Once::new();

/// Called once, when the engine is made.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_init_traps(handler: TrapHandler) -> i32 {
    TRAP_HANDLER.call_once(|| handler);
    traps::on_engine_trap(|rip, rbp, touched| {
        if let Some(handler) = TRAP_HANDLER.get() {
            let address = touched.unwrap_or(0) as usize;
            handler(rip as usize, rbp as usize, touched.is_some(), address);
        }
    });
    0
}

/// The largest state of a runtime that has entered no compiled code: it keeps a mark in the lowest bit.
const NOWHERE: usize = 1;

/// The runtime's state belongs to the sandbox, and moves with it. There is one slot.
///
/// The runtime asks for it when it enters or has left compiled code, and whenever it is about to leave that code for good,
/// by an exception or since something has failed that compiled code has asked for. That is the last moment at which the
/// calls that led there are on the stack: below the state, which lies where compiled code was entered.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
    debug_assert_eq!(
        slot, 0,
        "the second slot is for a feature that is not there"
    );
    let state = per_cpu::this().engine_state.load(Relaxed);
    if state.addr() > NOWHERE {
        calls::note_below(state.addr() as u64);
    }
    state
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(slot: usize, state: *mut u8) {
    debug_assert_eq!(
        slot, 0,
        "the second slot is for a feature that is not there"
    );
    per_cpu::this().engine_state.store(state, Relaxed);
}
