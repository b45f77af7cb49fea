//! From a module on the disk, and the native code beside it, to a program.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use log::warn;
use luge_memory::shortage::Shortage;
use luge_module::NoCommand;
use luge_spec::{Engine as Wanted, ModulePath};

use crate::arch::paging::PAGE_BYTES;
use crate::disk::{FileError, Volume};
use crate::engine::{CompileError, Engine, INTERPRETER, LARGEST_MODULE, NATIVE};
use crate::mm;
use crate::sandbox::Workload;

use super::{LOG, one_line};

/// Why a module is left out.
pub enum Refusal {
    /// The disk does not give the module, or its native code.
    File(FileError),
    /// No engine takes it.
    Compile(CompileError),
    /// It takes or gives something else than a command does.
    NoCommand(NoCommand),
    /// Making a program of it could take more memory than is free.
    NoMemory(Shortage),
    /// It is to run as native code, and there is none beside it.
    NoNativeCode,
    /// It is to run as native code, and this kernel runs none.
    NoSuchEngine,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::File(why) => why.fmt(f),
            Refusal::Compile(why) => why.fmt(f),
            Refusal::NoCommand(why) => why.fmt(f),
            Refusal::NoMemory(shortage) => write!(f, "to make a program of it, {shortage}"),
            Refusal::NoNativeCode => {
                f.write_str("the engine is wasmtime, and it has no native code")
            }
            Refusal::NoSuchEngine => {
                f.write_str("the engine is wasmtime, which is not in this kernel")
            }
        }
    }
}

/// The program of `module` in `engine`; if that is none, in native code where it can be had and in the
/// interpreter where not.
pub fn load(
    volume: &Volume,
    module: &ModulePath,
    engine: Option<Wanted>,
) -> Result<Arc<dyn Workload>, Refusal> {
    let wasm = volume
        .read(module.as_str(), LARGEST_MODULE as u64)
        .map_err(Refusal::File)?;
    match engine {
        Some(Wanted::Wasmi) => made_by(INTERPRETER, volume, module, &wasm),
        Some(Wanted::Wasmtime) => {
            let native = NATIVE.ok_or(Refusal::NoSuchEngine)?;
            made_by(native, volume, module, &wasm)
        }
        None => native_if_any(volume, module, &wasm)
            .map_or_else(|| made_by(INTERPRETER, volume, module, &wasm), Ok),
    }
}

/// What `engine` makes of a module and of what lies beside it.
fn made_by(
    engine: &dyn Engine,
    volume: &Volume,
    module: &ModulePath,
    wasm: &[u8],
) -> Result<Arc<dyn Workload>, Refusal> {
    let beside = match engine.beside(module.as_str()) {
        Some((path, most)) => Some(volume.read(&path, most).map_err(|why| match why {
            FileError::NotFound => Refusal::NoNativeCode,
            why => Refusal::File(why),
        })?),
        None => None,
    };
    let beside = beside.as_deref().unwrap_or_default();
    check_memory(engine.memory_to_load(wasm, beside)).map_err(Refusal::NoMemory)?;
    engine.load(wasm, beside).map_err(|why| refusal(why, wasm))
}

/// The program of a module that somebody sent, in the interpreter: native code cannot be checked.
///
/// # Errors
/// What is wrong with it, and where.
pub fn of_upload(wasm: &[u8]) -> Result<Arc<dyn Workload>, String> {
    let made = INTERPRETER.load(wasm, &[]);
    made.map_err(|why| one_line(&refusal(why, wasm)))
}

/// Memory that making a program of an upload may take, in bytes.
///
/// # Errors
/// There is not so much.
pub fn memory_for_upload(wasm: &[u8]) -> Result<u64, Shortage> {
    let bytes = INTERPRETER.memory_to_load(wasm, &[]);
    check_memory(bytes).map(|()| bytes)
}

/// Why an engine does not take a module; with the place, if it is about what commands take and give.
fn refusal(why: CompileError, wasm: &[u8]) -> Refusal {
    let checked = luge_module::validate(wasm).map(|interface| interface.check_command());
    match checked {
        Ok(Err(no_command)) => Refusal::NoCommand(no_command),
        _ => Refusal::Compile(why),
    }
}

/// The native code of a module, if there is some that can be used. Says why if it cannot.
fn native_if_any(volume: &Volume, module: &ModulePath, wasm: &[u8]) -> Option<Arc<dyn Workload>> {
    let native = NATIVE?;
    match made_by(native, volume, module, wasm) {
        Ok(program) => Some(program),
        Err(Refusal::NoNativeCode) => None,
        Err(why) => {
            let path = native
                .beside(module.as_str())
                .map_or_else(String::new, |(path, _)| path);
            warn!(target: LOG, "{path}: not used, wasmi runs {module}: {}", one_line(&why));
            None
        }
    }
}

/// A program that may take more memory than is free is not begun.
fn check_memory(bytes: u64) -> Result<(), Shortage> {
    let frames = mm::statistics();
    let (free, total) = (frames.frames_free as u64, frames.frames_total as u64);
    Shortage::check(bytes, free * PAGE_BYTES, total * PAGE_BYTES)
}
