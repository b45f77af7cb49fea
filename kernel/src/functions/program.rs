//! From a module on the disk, and the native code beside it, to a program.

use alloc::sync::Arc;
use core::fmt;

use luge_spec::{Engine, ModulePath};

use crate::arch::paging::PAGE_BYTES;
use crate::disk::{FileError, Volume};
use crate::engine::{CompileError, LARGEST_MODULE, Program};
use crate::mm;
use crate::sandbox::Workload;

/// Why a module is left out.
pub enum Refusal {
    /// The disk does not give the module, or its native code.
    File(FileError),
    /// No engine takes it.
    Compile(CompileError),
    /// Making a program of so many bytes could take more memory than is free, in bytes.
    NoMemory {
        /// How long the module or its native code is.
        module: usize,
        /// How many times as much memory that may take.
        times: usize,
        /// What is free.
        free: usize,
    },
    /// It is to run as native code, and there is none beside it.
    #[cfg(feature = "wasmtime")]
    NoNativeCode,
    /// It is to run as native code, and this kernel runs none.
    #[cfg(not(feature = "wasmtime"))]
    NoSuchEngine,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::File(why) => why.fmt(f),
            Refusal::Compile(why) => why.fmt(f),
            Refusal::NoMemory {
                module,
                times,
                free,
            } => write!(
                f,
                "{module} bytes may take {times} times as much memory to translate, and {free} bytes are free"
            ),
            #[cfg(feature = "wasmtime")]
            Refusal::NoNativeCode => {
                f.write_str("the engine is wasmtime, and it has no native code")
            }
            #[cfg(not(feature = "wasmtime"))]
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
    engine: Option<Engine>,
) -> Result<Arc<dyn Workload>, Refusal> {
    let wasm = volume
        .read(module.as_str(), LARGEST_MODULE as u64)
        .map_err(Refusal::File)?;
    match engine {
        Some(Engine::Wasmi) => interpreted(&wasm),
        Some(Engine::Wasmtime) => native::only(volume, module, &wasm),
        None => native::if_any(volume, module, &wasm).map_or_else(|| interpreted(&wasm), Ok),
    }
}

/// What the interpreter makes of a module may be so many times its size, while it is being made: about
/// three times are usual, and its vectors double as they grow.
const AMPLIFICATION: usize = 8;

/// Engines take it that memory never runs out, so a module that may take too much of it is not begun.
fn check_room(module: usize, times: usize) -> Result<(), Refusal> {
    let free = mm::statistics().frames_free * PAGE_BYTES as usize;
    if module.saturating_mul(times) > free {
        return Err(Refusal::NoMemory {
            module,
            times,
            free,
        });
    }
    Ok(())
}

fn interpreted(wasm: &[u8]) -> Result<Arc<dyn Workload>, Refusal> {
    check_room(wasm.len(), AMPLIFICATION)?;
    let program = Program::compile(wasm).map_err(Refusal::Compile)?;
    Ok(Arc::new(program))
}

#[cfg(feature = "wasmtime")]
mod native {
    use log::warn;
    use luge_native::artefact;

    use super::{Arc, FileError, ModulePath, Refusal, Volume, Workload, check_room};
    use crate::engine::wasmtime::{LARGEST_ARTEFACT, Program};
    use crate::functions::{LOG, one_line};

    /// Native code is copied to where it runs, its initial data once more, and what describes it is read.
    const COPIES: usize = 3;

    /// The native code of a module, or why it cannot be had.
    pub(super) fn only(
        volume: &Volume,
        module: &ModulePath,
        wasm: &[u8],
    ) -> Result<Arc<dyn Workload>, Refusal> {
        let path = artefact::path(module.as_str());
        let file = match volume.read(&path, LARGEST_ARTEFACT) {
            Ok(file) => file,
            Err(FileError::NotFound) => return Err(Refusal::NoNativeCode),
            Err(why) => return Err(Refusal::File(why)),
        };
        check_room(file.len(), COPIES)?;
        let program = Program::load(wasm, &file).map_err(Refusal::Compile)?;
        Ok(Arc::new(program))
    }

    /// The native code of a module, if there is some that can be used. Says why if it cannot.
    pub(super) fn if_any(
        volume: &Volume,
        module: &ModulePath,
        wasm: &[u8],
    ) -> Option<Arc<dyn Workload>> {
        match only(volume, module, wasm) {
            Ok(program) => Some(program),
            Err(Refusal::NoNativeCode) => None,
            Err(why) => {
                let path = artefact::path(module.as_str());
                warn!(target: LOG, "{path}: not used, wasmi runs {module}: {}", one_line(&why));
                None
            }
        }
    }
}

#[cfg(not(feature = "wasmtime"))]
mod native {
    use super::{Arc, ModulePath, Refusal, Volume, Workload};

    pub(super) fn only(_: &Volume, _: &ModulePath, _: &[u8]) -> Result<Arc<dyn Workload>, Refusal> {
        Err(Refusal::NoSuchEngine)
    }

    pub(super) fn if_any(_: &Volume, _: &ModulePath, _: &[u8]) -> Option<Arc<dyn Workload>> {
        None
    }
}
