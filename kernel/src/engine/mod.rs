//! From a module's bytes to a program that sandboxes run.
//!
//! Key type: [`Engine`], of which there are two: [`INTERPRETER`] and [`NATIVE`]. A program is made once, when a
//! module is loaded, and shared by all of its sandboxes; its
//! [`Workload`] is one run of the module as a WASI command. [`imports`]
//! is what a module may import, [`limiter`] what it may grow to, [`ending`] how a run ends.
//!
//! Invariant: after [`Engine::load`], nothing that sandboxes share ever grows. A sandbox allocates
//! in an arena that is dropped whole, so a shared table that grew during a run would point into
//! nothing afterwards. What that means for wasmi 2.0.0, read in its source:
//!
//! - One engine per program. An engine keeps four things: code (complete before the first run, since
//!   compilation is eager), function types (the module's own are there from its parsing; a host
//!   function's is looked up again at every instantiation, and is there because [`imports`] admits
//!   only exact types), allocations for reuse by the translator (load time only), and value stacks
//!   for reuse (none are kept). Its code is never freed before itself, so it goes with the module.
//! - Its locks are held only around the taking and giving back of a value stack, and to look up a
//!   type: never while guest code runs, so never by a sandbox that is preempted or ended.
//! - A store is never dropped: its memory goes with the arena. So the reference counts that it took
//!   (of the engine, and of each host function it imported) never come back. A program of
//!   the interpreter lies in an arena of its own, which goes whole (`sandbox::making`); of native code, memory
//!   stays when it is dropped.

pub mod ending;
mod imports;
pub mod kept;
mod limiter;
mod shadow_stack;
mod shapes;
mod state;
pub mod wasmi;
#[cfg(feature = "wasmtime")]
pub mod wasmtime;

#[cfg(feature = "scenarios")]
mod scenario;

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::sandbox::Workload;

/// What makes programs of modules. A program of whichever engine is a [`Workload`] from then on.
pub trait Engine: Sync {
    /// The file that it wants beside the module `path`, if it wants one, and the most of it that it looks
    /// at, in bytes.
    fn beside(&self, path: &str) -> Option<(String, u64)>;

    /// Bytes of memory that making a program of the module `wasm` and of that file may take. An engine takes it
    /// that memory never runs out.
    fn memory_to_load(&self, wasm: &[u8], beside: &[u8]) -> u64;

    /// Makes what all programs of the engine share, at the first call. That lies in the kernel's heap, so it is for the
    /// kernel to call, and not for a sandbox, whose memory goes with it.
    ///
    /// # Errors
    /// [`CompileError`] if the engine runs nothing on this processor.
    fn prepare(&self) -> Result<(), CompileError>;

    /// Whether the file beside the module `wasm` is whole, and made from it. Takes long if they are long.
    ///
    /// # Errors
    /// [`CompileError`] if not.
    fn check(&self, wasm: &[u8], beside: &[u8]) -> Result<(), CompileError>;

    /// Makes a program of the module `wasm` and the file beside it, which [`Self::check`] has found good. That of the
    /// interpreter lies in the memory of whoever calls, native code in memory of its own and in the kernel's
    /// heap: it is for the kernel alone to load.
    ///
    /// # Errors
    /// [`CompileError`] if the engine does not take it.
    fn load(&self, wasm: &[u8], beside: &[u8]) -> Result<Arc<dyn Workload>, CompileError>;
}

/// The engine that every kernel has.
pub const INTERPRETER: &dyn Engine = &wasmi::Interpreter;
/// The engine for native code, if this kernel has it.
#[cfg(feature = "wasmtime")]
pub const NATIVE: Option<&dyn Engine> = Some(&wasmtime::Native);
/// The engine for native code, if this kernel has it.
#[cfg(not(feature = "wasmtime"))]
pub const NATIVE: Option<&dyn Engine> = None;

/// The largest module that is looked at, in bytes.
pub const LARGEST_MODULE: usize = luge_module::LARGEST;

/// Checks by names alone that a module is a command. A kernel for scenarios also provides what hostile guests import.
fn check_outline(wasm: &[u8]) -> Result<(), CompileError> {
    match luge_module::check_outline(wasm) {
        #[cfg(feature = "scenarios")]
        Err(luge_module::NoCommand {
            why: luge_module::Unsuited::UnknownImport { module, .. },
            ..
        }) if module == scenario::MODULE => Ok(()),
        checked => checked.map_err(CompileError::NoCommand),
    }
}

/// Why a module cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Larger than [`LARGEST_MODULE`]; its size in bytes.
    TooLarge(usize),
    /// It is no WASI command, which its names tell.
    NoCommand(luge_module::NoCommand),
    /// The engine refuses it: its reason, with an offset where it has one.
    Invalid(String),
    /// It does not export this, so it is not a WASI command.
    NoExport(&'static str),
    /// It exports this name as something else than a command does.
    WrongExport(&'static str),
    /// Its memory has addresses of 64 bits, and WASI preview 1 knows those of 32 bits only.
    WideMemory,
    /// It wants something that nobody has; where from, and its name.
    UnknownImport(String, String),
    /// It wants a function that there is, with another type; where from, and its name.
    WrongImport(String, String),
    /// Its native code cannot be used; why.
    #[cfg(feature = "wasmtime")]
    Native(luge_native::artefact::Unfit),
    /// The processor cannot run any native code that we make; what it lacks.
    #[cfg(feature = "wasmtime")]
    Processor(&'static str),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => {
                write!(f, "{bytes} bytes, more than the limit of {LARGEST_MODULE}")
            }
            Self::NoCommand(why) => why.fmt(f),
            Self::Invalid(reason) => f.write_str(reason),
            Self::NoExport(name) => {
                write!(f, "not a WASI command: it does not export `{name}`")
            }
            Self::WrongExport(name) => {
                write!(
                    f,
                    "not a WASI command: its export `{name}` is of another kind or type"
                )
            }
            Self::WideMemory => f.write_str(
                "its `memory` has addresses of 64 bits, and those of WASI preview 1 have 32",
            ),
            Self::UnknownImport(module, name) => {
                write!(f, "it imports `{module}::{name}`, which nobody provides")
            }
            Self::WrongImport(module, name) => {
                write!(
                    f,
                    "it imports `{module}::{name}` with a type that it does not have"
                )
            }
            #[cfg(feature = "wasmtime")]
            Self::Native(why) => write!(f, "native code: {why}"),
            #[cfg(feature = "wasmtime")]
            Self::Processor(name) => {
                write!(f, "native code: the processor does not have {name}")
            }
        }
    }
}

impl core::error::Error for CompileError {}
