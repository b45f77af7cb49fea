//! Imports for hostile guests, in kernels built with the feature `scenarios` only: host calls that do
//! what no host call does, to see that the guest or the kernel ends as it should.
//!
//! Another one is a name, a type and a function in [`define`].

use wasmi::{Caller, Error, Extern, ExternType, FuncType, ImportType, Linker, ValType};

use super::CompileError;
use super::imports::{unknown, wrong};
use super::state::End;
use super::wasmi::State;
use crate::mm::{held, refusals};
use crate::sandbox::{EndNow, gate};
use crate::scenario;

use ValType::{I32, I64};

/// The module that they are imported from.
pub(super) const MODULE: &str = "luge_scenario";

/// Defines `import`, which is one of [`MODULE`]'s.
pub(super) fn define(linker: &mut Linker<State>, import: &ImportType) -> Result<(), CompileError> {
    let name = import.name();
    let (parameters, results): (&[ValType], &[ValType]) = match name {
        "reenter"
        | "reenter_into_guard"
        | "kernel_fault"
        | "kernel_overflow"
        | "kernel_panic"
        | "fault_in_fault_handler" => (&[], &[]),
        "divide" => (&[I32, I32], &[I32]),
        "wild_write" => (&[I64], &[]),
        "raise" | "raise_in_host_call" | "fill_stack_by" | "hold_frames" => (&[I32], &[]),
        "avx" | "fill_stack" | "linger" | "refuse_bulk" | "grant_bulk" | "give_frames_back" => {
            (&[], &[])
        }
        "refuse_next" => (&[], &[I32]),
        "panic_while_made" => panic!("asked for by a module"),
        _ => return Err(unknown(import)),
    };
    let ty = FuncType::new(parameters.iter().copied(), results.iter().copied());
    if !matches!(import.ty(), ExternType::Func(found) if *found == ty) {
        return Err(wrong(import));
    }
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
        "refuse_bulk" => linker.func_wrap(MODULE, name, || scenario::refuse_bulk(true)),
        "grant_bulk" => linker.func_wrap(MODULE, name, || scenario::refuse_bulk(false)),
        "hold_frames" => linker.func_wrap(MODULE, name, |left: u32| {
            in_kernel(|| held::take_all_but(left))
        }),
        "refuse_next" => linker.func_wrap(MODULE, name, refusals::refuse_next),
        "give_frames_back" => linker.func_wrap(MODULE, name, || in_kernel(held::give_back)),
        "kernel_fault" => linker.func_wrap(MODULE, name, || in_kernel(scenario::kernel_fault)),
        "kernel_overflow" => linker.func_wrap(MODULE, name, || in_kernel(scenario::overflow)),
        "fault_in_fault_handler" => {
            linker.func_wrap(MODULE, name, || in_kernel(scenario::fault_in_fault_handler))
        }
        _ => linker.func_wrap(MODULE, name, || {
            in_kernel(|| panic!("asked for by a guest"))
        }),
    };
    // A module may import a function twice; the second time it is there already.
    let _ = defined;
    Ok(())
}

/// Calls `f` as a host call does.
fn in_kernel(f: impl FnOnce()) -> Result<(), Error> {
    gate(f).map_err(|EndNow(outcome)| Error::host(End(outcome)))
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
    let again = again.ok_or_else(|| Error::new("the guest has no `again`"))?;
    again.typed::<(), ()>(&caller)?.call(&mut caller, ())
}
