//! The interpreter as an engine.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use log::error;
use luge_sandbox::Outcome;
use luge_trap::Trap;
use wasmi::{
    CompilationMode, Config, EnforcedLimits, Engine, Error, ExternType, FuncType, Linker, Memory,
    Module, Store,
};

use super::ending::outcome_of;
use super::{CompileError, LARGEST_MODULE, imports};
use crate::sandbox::{Current, Workload, gate};

/// How deep a guest's calls may nest. A frame is 24 bytes of the arena, so all of them are small
/// against the allowance that an arena has beyond the guest's limit; wasmi's own default of 1,000 is
/// less than what recursive descent over a deep document needs.
const DEEPEST_RECURSION: usize = 10_000;

/// The most that the parameters, locals and operands of all those calls may take, in bytes.
const LARGEST_STACK: usize = 1 << 20;

/// A module that has been validated and translated, and linked as far as that goes without an
/// instance.
pub struct Program {
    engine: Engine,
    module: Module,
    linker: Linker<State>,
}

/// What one run has beside its memory.
pub(super) type State = super::state::State<Memory>;

impl Program {
    /// Validates and translates a module, in the kernel's heap.
    ///
    /// # Errors
    ///
    /// [`CompileError`] if it is not a module, not a WASI command, or wants what nobody has.
    pub fn compile(wasm: &[u8]) -> Result<Self, CompileError> {
        if wasm.len() > LARGEST_MODULE {
            return Err(CompileError::TooLarge(wasm.len()));
        }
        // The engine trusts a module's parts while it translates those before them, and panics on some
        // that are broken: it sees none that are.
        luge_module::validate(wasm).map_err(|why| CompileError::Invalid(why.to_string()))?;
        let engine = Engine::new(&config());
        let module = Module::new(&engine, wasm)
            .map_err(|error| CompileError::Invalid(on_one_line(&error)))?;
        check_exports(&module)?;
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker, &module)?;
        Ok(Self {
            engine,
            module,
            linker,
        })
    }

    fn start(&self, store: &mut Store<State>) -> Result<(), Error> {
        let instance = self
            .linker
            .instantiate_and_start(&mut *store, &self.module)?;
        instance
            .get_typed_func::<(), ()>(&*store, "_start")?
            .call(store, ())
    }
}

impl Workload for Program {
    fn run(&self, sandbox: Current) -> Outcome {
        let mut store = Store::new(&self.engine, State::new(sandbox));
        store.limiter(|state| &mut state.limiter);
        let result = self.start(&mut store);
        let outcome = match &result {
            Ok(()) => Outcome::Exit(0),
            Err(error) => outcome_of(error).unwrap_or_else(|| unexpected(error)),
        };
        // Too little stack for this one means no last line in the log, and the outcome stands.
        let _ = gate(|| store.data_mut().finish());
        // The arena goes whole, and sooner than one by one.
        core::mem::forget((store, result));
        outcome
    }
}

/// The engine's reasons are sometimes laid out over several lines; a line of the log is one.
fn on_one_line(error: &Error) -> String {
    let text = error.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// An ending that no admitted module should have. It is the guest that ends, by the name that most
/// aborts have.
fn unexpected(error: &Error) -> Outcome {
    let _ = gate(|| error!("the engine ended a guest for an unexpected reason: {error}"));
    Outcome::Trap(Trap::Unreachable)
}

fn config() -> Config {
    let mut config = Config::default();
    config
        .compilation_mode(CompilationMode::Eager)
        .enforced_limits(EnforcedLimits::strict())
        .ignore_custom_sections(true)
        .set_max_cached_stacks(0)
        // A new stack is made under a lock of the engine. Were anything allocated for it there, a
        // sandbox at its limit would be ended with the lock held.
        .set_min_stack_height(0)
        .set_max_recursion_depth(DEEPEST_RECURSION)
        .set_max_stack_height(LARGEST_STACK)
        // WASI preview 1 speaks of 32-bit pointers only.
        .wasm_memory64(false);
    config
}

/// A command exports a `_start` without parameters or results, and its memory.
fn check_exports(module: &Module) -> Result<(), CompileError> {
    match module.get_export("_start") {
        Some(ExternType::Func(found)) if found == FuncType::new([], []) => {}
        Some(_) => return Err(CompileError::WrongExport("_start")),
        None => return Err(CompileError::NoExport("_start")),
    }
    match module.get_export("memory") {
        Some(ExternType::Memory(_)) => Ok(()),
        Some(_) => Err(CompileError::WrongExport("memory")),
        None => Err(CompileError::NoExport("memory")),
    }
}
