//! Native code as an engine: modules that `luge-image` compiled ahead of time.
//!
//! Key type: [`Program`]. [`platform`] is what the runtime wants of the machine: memory, traps, locks;
//! [`imports`] is what a module may import, [`ending`] how a run ends, [`names`] what its functions are called.
//!
//! The code runs on the sandbox's own stack and touches its linear memory with no check in software: a
//! touch of what is not there, a division by zero and `unreachable` are exceptions of the processor,
//! and an endless recursion runs into the stack's guard.
//!
//! Invariant: as for the interpreter, nothing that sandboxes share grows after [`Program::load`]. What
//! that means for wasmtime 48.0.8, read in its source: types are registered when a module is loaded and
//! when a host function is defined (the linker's are, and `instantiate_pre` leaves nothing to look up);
//! images of initial data are made at the first instantiation unless asked for before, so they are asked
//! for; the registry of code, which the trap handler reads, changes with modules only. The type of an exception is its
//! module's, and the heap of exceptions takes no lock. A store takes counts of references that are never given back.

pub mod ending;
mod imports;
pub mod names;
mod platform;
#[cfg(feature = "scenarios")]
mod scenario;

#[cfg(feature = "scenarios")]
pub use platform::scenario::all as try_platform;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use core::mem::ManuallyDrop;

use log::{error, info};
use luge_module::ShadowStack;
use luge_native::artefact;
use luge_native::settings::FEATURES;
use luge_sandbox::Outcome;
use luge_trap::Trap;
use spin::Once;
use wasmtime::{
    Config, Engine, Error, ExternType, InstancePre, Linker, Memory, Module, ModuleExport, Store,
    TypedFunc,
};

use super::CompileError;
use super::kept::{self, Keeping, Number};
use super::shadow_stack::{self, Evidence};
use crate::arch::{cpu, traps};
use crate::sandbox::{self, Current, Workload, gate};

/// The largest file of native code that is looked at, in bytes.
const LARGEST_ARTEFACT: u64 = 256 << 20;

static ENGINE: Once<Result<Engine, CompileError>> = Once::new();

/// A module's native code, mapped and linked as far as that goes without an instance.
struct Program {
    number: Number,
    keeping: Keeping,
    instance: InstancePre<State>,
    start: ModuleExport,
    stack: Option<ShadowStack>,
}

/// An instance of it, ready to run.
struct Instance {
    store: Store<State>,
    start: TypedFunc<(), ()>,
}

/// What one run has beside its memory.
pub(super) type State = super::state::State<Memory>;

/// The engine.
pub(super) struct Native;

impl super::Engine for Native {
    fn beside(&self, path: &str) -> Option<(String, u64)> {
        Some((artefact::path(path), LARGEST_ARTEFACT))
    }

    /// Native code is copied to where it runs, its initial data once more, and what describes it is read.
    fn memory_to_load(&self, _: &[u8], beside: &[u8]) -> u64 {
        3 * beside.len() as u64
    }

    fn prepare(&self) -> Result<(), CompileError> {
        engine().map(drop)
    }

    fn check(&self, wasm: &[u8], beside: &[u8]) -> Result<(), CompileError> {
        artefact::open(beside, wasm)
            .map(drop)
            .map_err(CompileError::Native)
    }

    fn load(&self, wasm: &[u8], beside: &[u8]) -> Result<Arc<dyn Workload>, CompileError> {
        Ok(Arc::new(Program::load(wasm, beside)?))
    }
}

impl Program {
    /// Maps the native code in `file`, made from the module `wasm`, as [`artefact::open`] has found.
    ///
    /// # Errors
    /// [`CompileError`] if the engine or the processor is another than it was made for, or if the module is not
    /// a WASI command or wants what nobody has.
    fn load(wasm: &[u8], file: &[u8]) -> Result<Self, CompileError> {
        super::check_outline(wasm)?;
        let module = map_code(artefact::code(file).map_err(CompileError::Native)?)?;
        check_exports(&module)?;
        let mut linker = Linker::new(module.engine());
        imports::link(&mut linker, &module)?;
        Ok(Self {
            number: Number::new(),
            keeping: Keeping::of(wasm),
            instance: linker.instantiate_pre(&module).map_err(invalid)?,
            start: module
                .get_export_index("_start")
                .ok_or(CompileError::NoExport("_start"))?,
            stack: ShadowStack::of(wasm),
        })
    }

    /// Not inlined: the state that it makes would take a page of every sandbox's stack, and most find an instance.
    #[inline(never)]
    fn instantiate(&self, sandbox: Current) -> Result<Instance, Error> {
        // If this fails, the arena goes whole.
        let mut store = ManuallyDrop::new(Store::new(
            self.instance.module().engine(),
            State::new(sandbox),
        ));
        store.limiter(|state| &mut state.limiter);
        let instance = self.instance.instantiate(&mut *store)?;
        let memory = instance.get_memory(&mut *store, "memory");
        store.data_mut().memory = memory;
        let start = instance
            .get_module_export(&mut *store, &self.start)
            .and_then(wasmtime::Extern::into_func)
            .expect("checked when it was loaded")
            .typed(&*store)?;
        Ok(Instance {
            store: ManuallyDrop::into_inner(store),
            start,
        })
    }
}

impl Workload for Program {
    fn run(&self, sandbox: Current) -> Outcome {
        // SAFETY: an instance has its store, which lies in the arena and refers to the sandbox's linear memory,
        // and counts references to the engine and to modules, which live as long as this program.
        let instance = unsafe { kept::instance(self.keeping, || self.instantiate(sandbox)) };
        traps::engine_has_resumed();
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) => return end_of(&error, sandbox),
        };
        let store = &mut instance.store;
        store.data_mut().begin(sandbox);
        let result = instance.start.call(&mut *store, ());
        traps::engine_has_resumed();
        let outcome = match &result {
            Ok(()) => Outcome::Exit(0),
            Err(error) => {
                let touched = sandbox.touched();
                let outcome = end_of(error, sandbox);
                let memory = store.data().memory;
                shadow_stack::report(sandbox, outcome, self.stack, || {
                    let start = memory?.data_ptr(&*store).expose_provenance() as u64;
                    Some(Evidence::Address(touched?.checked_sub(start)?))
                });
                outcome
            }
        };
        let outcome = store.data_mut().finish(outcome);
        // The arena goes whole, and sooner than one by one.
        core::mem::forget(result);
        outcome
    }

    fn program(&self) -> u64 {
        self.number.get()
    }
}

/// How a run ended with `error`; says what the processor found, if that was it.
fn end_of(error: &Error, sandbox: Current) -> Outcome {
    let outcome = ending::outcome_of(error).unwrap_or_else(|| unexpected(error));
    if let Outcome::Trap(trap) = outcome {
        // Too little stack for this means no line in the log.
        let _ = gate(|| sandbox.report_trap(trap));
    }
    outcome
}

/// Maps the native code in `file`, made from the module `wasm`. To be called by the kernel.
///
/// # Errors
/// [`CompileError`] if the file is damaged or of another module, and as [`Program::load`], except for what commands
/// are and what they want.
#[cfg(feature = "scenarios")]
pub fn map(wasm: &[u8], file: &[u8]) -> Result<Module, CompileError> {
    map_code(artefact::open(file, wasm).map_err(CompileError::Native)?)
}

/// Maps native code that has been checked.
fn map_code(code: &[u8]) -> Result<Module, CompileError> {
    let engine = engine()?;
    // SAFETY: the file is whole, and is what `luge-image` wrote, as far as that can be known: whoever
    // makes the disk is trusted with the kernel (`kernel/docs/threat-model.md`).
    let module = unsafe { Module::deserialize(engine, code) }.map_err(invalid)?;
    module.initialize_copy_on_write_image().map_err(invalid)?;
    Ok(module)
}

/// An ending that no admitted module should have. It is the guest that ends, by the name that most
/// aborts have.
fn unexpected(error: &Error) -> Outcome {
    let _ = gate(|| error!("the engine ended a guest for an unexpected reason: {error:#}"));
    Outcome::Trap(Trap::Unreachable)
}

/// The engine that all programs share, made at the first call. For the kernel alone: it lies in the memory of whoever
/// calls first.
pub fn engine() -> Result<&'static Engine, CompileError> {
    let engine = ENGINE.call_once(|| {
        if let Some(missing) = FEATURES.iter().find(|feature| !cpu::has(feature.name)) {
            return Err(CompileError::Processor(missing.name));
        }
        let mut config = Config::new();
        luge_native::configure(&mut config);
        // SAFETY: `detect` says of a feature that it is there only if the processor says so.
        unsafe { config.detect_host_feature(detect) };
        let engine = Engine::new(&config).map_err(invalid)?;
        sandbox::places_by(names::in_module);
        info!("wasmtime runs native code of level {}", artefact::LEVEL);
        Ok(engine)
    });
    engine.as_ref().map_err(CompileError::clone)
}

/// Whether code may use a feature of the processor: those of the level, and nothing else, whatever the
/// processor has. State beyond FXSAVE's is not kept.
fn detect(name: &str) -> Option<bool> {
    let known = FEATURES.iter().find(|feature| feature.name == name);
    Some(known.is_some_and(|feature| cpu::has(feature.name)))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn invalid(error: Error) -> CompileError {
    let text = format!("{error:#}");
    let words: alloc::vec::Vec<&str> = text.split_whitespace().collect();
    CompileError::Invalid(words.join(" "))
}

/// A command exports a `_start` without parameters or results, and its memory.
fn check_exports(module: &Module) -> Result<(), CompileError> {
    match module.get_export("_start") {
        Some(ExternType::Func(found)) if is_plain(&found) => {}
        Some(_) => return Err(CompileError::WrongExport("_start")),
        None => return Err(CompileError::NoExport("_start")),
    }
    match module.get_export("memory") {
        Some(ExternType::Memory(memory)) if memory.is_64() => Err(CompileError::WideMemory),
        Some(ExternType::Memory(_)) => Ok(()),
        Some(_) => Err(CompileError::WrongExport("memory")),
        None => Err(CompileError::NoExport("memory")),
    }
}

fn is_plain(function: &wasmtime::FuncType) -> bool {
    function.params().len() == 0 && function.results().len() == 0
}
