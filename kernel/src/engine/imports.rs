//! What a module may import, and the way from a guest's call into the kernel.

use alloc::string::ToString;

use luge_wasi::{Function, Parameter};
use wasmi::{Caller, Error, Extern, ExternType, FuncType, ImportType, Linker, Module, ValType};

use super::CompileError;
use super::shapes::with_shape;
use super::wasmi::State;

use Parameter::{I32, I64};

/// A linker with what `module` imports and nothing else, all types checked, so that instantiation
/// finds everything and registers nothing.
pub(super) fn link(linker: &mut Linker<State>, module: &Module) -> Result<(), CompileError> {
    for import in module.imports() {
        define(linker, &import)?;
    }
    Ok(())
}

fn define(linker: &mut Linker<State>, import: &ImportType) -> Result<(), CompileError> {
    #[cfg(feature = "scenarios")]
    if import.module() == super::scenario::MODULE {
        return super::scenario::define(linker, import);
    }
    let function =
        Function::by_name(import.name()).filter(|_| import.module() == luge_wasi::MODULE);
    let Some(function) = function else {
        return Err(unknown(import));
    };
    match import.ty() {
        ExternType::Func(found) if *found == type_of(function) => {}
        _ => return Err(wrong(import)),
    }
    // A module may import a function twice; the second time it is there already.
    let _ = define_function(linker, function);
    Ok(())
}

/// The error for an import that nobody provides.
pub(super) fn unknown(import: &ImportType) -> CompileError {
    CompileError::UnknownImport(import.module().to_string(), import.name().to_string())
}

/// The error for an import whose type is another.
pub(super) fn wrong(import: &ImportType) -> CompileError {
    CompileError::WrongImport(import.module().to_string(), import.name().to_string())
}

fn type_of(function: Function) -> FuncType {
    let parameters = function
        .parameters()
        .iter()
        .map(|parameter| match parameter {
            I32 => ValType::I32,
            I64 => ValType::I64,
        });
    let results = function.returns_errno().then_some(ValType::I32);
    FuncType::new(parameters, results)
}

/// Defines `function` as a typed closure: wasmi calls those without an allocation.
fn define_function(linker: &mut Linker<State>, function: Function) -> Result<(), Error> {
    macro_rules! define {
        ($($name:ident: $kind:ty),*) => {
            linker.func_wrap(
                luge_wasi::MODULE,
                function.name(),
                move |caller: Caller<'_, State>, $($name: $kind),*| {
                    call(caller, function, &[$(u64::from($name)),*])
                },
            )
        };
    }
    if function == Function::ProcExit {
        let exit = |caller: Caller<'_, State>, code: u32| -> Result<(), Error> {
            call(caller, Function::ProcExit, &[code.into()]).map(|_| ())
        };
        linker.func_wrap(luge_wasi::MODULE, function.name(), exit)?;
        return Ok(());
    }
    with_shape!(function, define)?;
    Ok(())
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
            let memory = exported.ok_or_else(|| Error::new("the module has no memory"))?;
            *caller.data_mut().memory.insert(memory)
        }
    };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    state.call(function, bytes, arguments).map_err(Error::host)
}
