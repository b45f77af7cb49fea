//! The interpreter as an engine.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use core::mem::ManuallyDrop;

use log::error;
use luge_module::{Interface, NativeOnly, ShadowStack};
use luge_sandbox::Outcome;
use luge_trap::Trap;
use wasmi::{
    CompilationMode, Config, EnforcedLimits, Engine, Error, ExternType, FuncType, Global, Linker,
    Memory, Module, Store, TypedFunc,
};

use super::ending::outcome_of;
use super::kept::{self, Keeping, Number};
use super::shadow_stack::{self, Evidence};
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
struct Program {
    number: Number,
    keeping: Keeping,
    engine: Engine,
    module: Module,
    linker: Linker<State>,
    /// Its stack in linear memory, and the name by which its pointer is exported.
    stack: Option<(ShadowStack, &'static str)>,
}

/// An instance of it, ready to run.
struct Instance {
    store: Store<State>,
    start: TypedFunc<(), ()>,
    stack_pointer: Option<Global>,
}

/// What one run has beside its memory.
pub(super) type State = super::state::State<Memory>;

/// The engine.
pub(super) struct Interpreter;

impl super::Engine for Interpreter {
    fn beside(&self, _: &str) -> Option<(String, u64)> {
        None
    }

    fn memory_to_load(&self, wasm: &[u8], _: &[u8]) -> u64 {
        // Copies of the module may lie beside it, one with stores replaced, one with the stack pointer exported.
        luge_module::cost(wasm).bytes + 2 * wasm.len() as u64
    }

    /// Each program has an engine of its own.
    fn prepare(&self) -> Result<(), CompileError> {
        Ok(())
    }

    fn check(&self, _: &[u8], _: &[u8]) -> Result<(), CompileError> {
        Ok(())
    }

    fn load(&self, wasm: &[u8], _: &[u8]) -> Result<Arc<dyn Workload>, CompileError> {
        Ok(Arc::new(Program::compile(wasm)?))
    }
}

impl Program {
    /// Validates and translates a module, in the memory of whoever calls.
    ///
    /// # Errors
    ///
    /// [`CompileError`] if it is not a module, not a WASI command, or wants what nobody has.
    fn compile(wasm: &[u8]) -> Result<Self, CompileError> {
        super::check_outline(wasm)?;
        let engine = new_engine();
        let (module, stack) = match ShadowStack::of(wasm) {
            None => (translate(&engine, wasm)?, None),
            Some(stack) => translate_with_stack(&engine, wasm, stack)?,
        };
        check_exports(&module)?;
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker, &module)?;
        Ok(Self {
            number: Number::new(),
            keeping: Keeping::of(wasm),
            engine,
            module,
            linker,
            stack,
        })
    }

    /// Not inlined: the state that it makes would take a page of every sandbox's stack, and most find an instance.
    #[inline(never)]
    fn instantiate(&self, sandbox: Current) -> Result<Instance, Error> {
        // If this fails, the arena goes whole.
        let mut store = ManuallyDrop::new(Store::new(&self.engine, State::new(sandbox)));
        store.limiter(|state| &mut state.limiter);
        let instance = self
            .linker
            .instantiate_and_start(&mut *store, &self.module)?;
        let memory = instance.get_memory(&*store, "memory");
        store.data_mut().memory = memory;
        let start = instance.get_typed_func::<(), ()>(&*store, "_start")?;
        let stack_pointer = self
            .stack
            .and_then(|(_, name)| instance.get_global(&*store, name));
        Ok(Instance {
            store: ManuallyDrop::into_inner(store),
            start,
            stack_pointer,
        })
    }
}

impl Workload for Program {
    fn run(&self, sandbox: Current) -> Outcome {
        // SAFETY: an instance has its store, which lies in the arena, and counts references to the engine and to
        // the linker's functions, which are this program's.
        let instance = unsafe { kept::instance(self.keeping, || self.instantiate(sandbox)) };
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) => return outcome_or_unexpected(&error),
        };
        let store = &mut instance.store;
        store.data_mut().begin(sandbox);
        let result = instance.start.call(&mut *store, ());
        let outcome = match &result {
            Ok(()) => Outcome::Exit(0),
            Err(error) => outcome_or_unexpected(error),
        };
        let outcome = store.data_mut().finish(outcome);
        shadow_stack::report(sandbox, outcome, self.stack.map(|(stack, _)| stack), || {
            let pointer = instance.stack_pointer?.get(&*store).i32()?;
            Some(Evidence::Pointer(pointer.cast_unsigned()))
        });
        // The arena goes whole, and sooner than one by one.
        core::mem::forget(result);
        outcome
    }

    fn program(&self) -> u64 {
        self.number.get()
    }
}

fn outcome_or_unexpected(error: &Error) -> Outcome {
    outcome_of(error).unwrap_or_else(|| unexpected(error))
}

/// An engine with nothing in it.
pub fn new_engine() -> Engine {
    Engine::new(&config())
}

/// Validates and translates a module.
///
/// # Errors
/// [`CompileError`] if it is not a module, or too large.
pub fn translate(engine: &Engine, wasm: &[u8]) -> Result<Module, CompileError> {
    make(engine, &for_interpreter(wasm)?)
}

/// The same, with the pointer of its stack in linear memory exported where there is memory for that: gives the
/// stack and the export's name then.
#[expect(clippy::type_complexity, reason = "it is what a program keeps")]
fn translate_with_stack(
    engine: &Engine,
    wasm: &[u8],
    stack: ShadowStack,
) -> Result<(Module, Option<(ShadowStack, &'static str)>), CompileError> {
    let wanted = for_interpreter(wasm)?;
    match stack.exported(&wanted) {
        Some((exported, name)) => Ok((make(engine, &exported)?, Some((stack, name)))),
        None => Ok((make(engine, &wanted)?, None)),
    }
}

/// Validates and translates a module with every store of an integer replaced, not only those that must be.
///
/// # Errors
/// As [`translate`].
#[cfg(feature = "scenarios")]
pub fn translate_with_every_store_replaced(
    engine: &Engine,
    wasm: &[u8],
) -> Result<Module, CompileError> {
    for_interpreter(wasm)?;
    make(engine, &luge_module::with_every_store_replaced(wasm))
}

/// The engine trusts a module's parts while it translates those before them, and panics on some that are broken: it
/// sees none that are.
fn check(wasm: &[u8]) -> Result<Interface<'_>, CompileError> {
    if wasm.len() > LARGEST_MODULE {
        return Err(CompileError::TooLarge(wasm.len()));
    }
    luge_module::validate(wasm).map_err(|why| CompileError::Invalid(why.to_string()))
}

/// The module as the engine can take it, once it has been checked.
fn for_interpreter(wasm: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    let checked = check(wasm)?;
    let wanted = checked.for_interpreter();
    wanted.map_err(|why| CompileError::Invalid(format!("{why}; {}", NativeOnly::ADVICE)))
}

/// Translates what has been validated and is as the engine can take it.
fn make(engine: &Engine, wasm: &[u8]) -> Result<Module, CompileError> {
    Module::new(engine, wasm).map_err(|error| CompileError::Invalid(on_one_line(&error)))
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
        // `luge_module` has looked already, and its limits are those that are meant.
        .enforced_limits(EnforcedLimits::default())
        .ignore_custom_sections(true)
        .set_max_cached_stacks(0)
        // A new stack is made under a lock of the engine. Were anything allocated for it there, a
        // sandbox at its limit would be ended with the lock held.
        .set_min_stack_height(0)
        .set_max_recursion_depth(DEEPEST_RECURSION)
        .set_max_stack_height(LARGEST_STACK);
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
        Some(ExternType::Memory(memory)) if memory.is_64() => Err(CompileError::WideMemory),
        Some(ExternType::Memory(_)) => Ok(()),
        Some(_) => Err(CompileError::WrongExport("memory")),
        None => Err(CompileError::NoExport("memory")),
    }
}
