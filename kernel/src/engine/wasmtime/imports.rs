//! What a module may import, and the way from compiled code into the kernel.

use alloc::string::ToString;

use luge_wasi::{Function, Parameter};
use wasmtime::{Caller, Error, Extern, ExternType, FuncType, ImportType, Linker, Module, ValType};

use super::State;
use crate::arch::traps::calls;
use crate::engine::CompileError;
use crate::engine::shapes::with_shape;

/// A linker with what `module` imports and nothing else, all types checked.
pub(super) fn link(linker: &mut Linker<State>, module: &Module) -> Result<(), CompileError> {
    for import in module.imports() {
        define(linker, &import)?;
    }
    Ok(())
}

fn define(linker: &mut Linker<State>, import: &ImportType<'_>) -> Result<(), CompileError> {
    #[cfg(feature = "scenarios")]
    if import.module() == super::scenario::MODULE && super::scenario::define(linker, import.name())
    {
        return Ok(());
    }
    let function =
        Function::by_name(import.name()).filter(|_| import.module() == luge_wasi::MODULE);
    let (module, name) = (import.module().to_string(), import.name().to_string());
    let Some(function) = function else {
        return Err(CompileError::UnknownImport(module, name));
    };
    match import.ty() {
        ExternType::Func(found) if is_type_of(&found, function) => {}
        _ => return Err(CompileError::WrongImport(module, name)),
    }
    // A module may import a function twice; the second time it is there already.
    let _ = define_function(linker, function);
    Ok(())
}

fn is_type_of(found: &FuncType, function: Function) -> bool {
    let wanted = function.parameters();
    let same = |(found, wanted): (ValType, &Parameter)| match wanted {
        Parameter::I32 => found.is_i32(),
        Parameter::I64 => found.is_i64(),
    };
    let results = usize::from(function.returns_errno());
    found.params().len() == wanted.len()
        && found.params().zip(wanted).all(same)
        && found.results().len() == results
        && found.results().all(|result| result.is_i32())
}

/// Defines `function` as a typed closure, which compiled code calls without a detour.
fn define_function(linker: &mut Linker<State>, function: Function) -> Result<(), Error> {
    macro_rules! define {
        ($($name:ident: $kind:ty),*) => {
            linker
                .func_wrap(
                    luge_wasi::MODULE,
                    function.name(),
                    move |caller: Caller<'_, State>, $($name: $kind),*| {
                        call(caller, function, &[$(u64::from($name)),*])
                    },
                )
                .map(|_| ())
        };
    }
    if function == Function::ProcExit {
        let exit = |caller: Caller<'_, State>, code: u32| -> Result<(), Error> {
            call(caller, Function::ProcExit, &[code.into()]).map(|_| ())
        };
        linker.func_wrap(luge_wasi::MODULE, function.name(), exit)?;
        return Ok(());
    }
    with_shape!(function, define)
}

/// Carries out a guest's call, as the kernel. What it allocates for its own answer it does outside
/// of the gate, so in the sandbox's arena.
fn call(
    mut caller: Caller<'_, State>,
    function: Function,
    arguments: &[u64],
) -> Result<u32, Error> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        // The first call, maybe from a start function, before there is an instance.
        None => {
            let exported = caller.get_export("memory").and_then(Extern::into_memory);
            let memory = exported.ok_or_else(|| Error::msg("the module has no memory"))?;
            *caller.data_mut().memory.insert(memory)
        }
    };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    state.call(function, bytes, arguments).map_err(|end| {
        calls::note_no_more();
        Error::from(end)
    })
}
