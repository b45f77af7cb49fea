//! Imports for hostile guests, in kernels built with the feature `scenarios` only: the same as the
//! interpreter's (`engine::scenario`), for native code.

use wasmtime::{Caller, Error, Extern, Linker};

use super::State;
use crate::arch::traps;
pub(super) use crate::engine::scenario::MODULE;
use crate::engine::state::End;
use crate::sandbox::{EndNow, gate};
use crate::scenario;

/// Defines the import `name` of [`MODULE`]. False if there is none; its type is checked later.
pub(super) fn define(linker: &mut Linker<State>, name: &str) -> bool {
    let defined = match name {
        "reenter" => linker.func_wrap(MODULE, name, reenter),
        "reenter_into_guard" => linker.func_wrap(MODULE, name, reenter_into_guard),
        "divide" => linker.func_wrap(MODULE, name, scenario::divide),
        "wild_write" => linker.func_wrap(MODULE, name, scenario::wild_write),
        "raise" => linker.func_wrap(MODULE, name, scenario::raise),
        "raise_in_host_call" => linker.func_wrap(MODULE, name, |number: u32| {
            in_kernel(|| scenario::raise(number))
        }),
        "avx" => linker.func_wrap(MODULE, name, scenario::avx),
        "fill_stack" => linker.func_wrap(MODULE, name, scenario::fill_stack),
        "fill_stack_by" => linker.func_wrap(MODULE, name, scenario::fill_stack_by),
        "linger" => linker.func_wrap(MODULE, name, scenario::linger),
        "kernel_fault" => linker.func_wrap(MODULE, name, || in_kernel(scenario::kernel_fault)),
        "kernel_overflow" => linker.func_wrap(MODULE, name, || in_kernel(scenario::overflow)),
        "fault_in_fault_handler" => {
            linker.func_wrap(MODULE, name, || in_kernel(scenario::fault_in_fault_handler))
        }
        "kernel_panic" => linker.func_wrap(MODULE, name, || {
            in_kernel(|| panic!("asked for by a guest"))
        }),
        _ => return false,
    };
    // A module may import a function twice; the second time it is there already.
    let _ = defined;
    true
}

/// Calls `f` as a host call does.
fn in_kernel(f: impl FnOnce()) -> Result<(), Error> {
    gate(f).map_err(|EndNow(outcome)| Error::from(End(outcome)))
}

/// Calls the guest back, which calls this again. The gate looks at what is left of the stack.
fn reenter(caller: Caller<'_, State>) -> Result<(), Error> {
    in_kernel(|| {})?;
    call_again(caller)
}

/// As [`reenter`], but the last of the stack is used up natively.
fn reenter_into_guard(caller: Caller<'_, State>) -> Result<(), Error> {
    if scenario::is_stack_almost_full() {
        scenario::fill_stack();
    }
    call_again(caller)
}

fn call_again(mut caller: Caller<'_, State>) -> Result<(), Error> {
    let again = caller.get_export("again").and_then(Extern::into_func);
    let again = again.ok_or_else(|| Error::msg("the guest has no `again`"))?;
    let result = again.typed::<(), ()>(&caller)?.call(&mut caller, ());
    traps::engine_has_resumed();
    result
}
