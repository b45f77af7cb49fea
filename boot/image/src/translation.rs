//! Whether the kernel's interpreter can translate a module, found out by the same engine.
//!
//! [`check`] does what the kernel does with a module that is to run in the interpreter, up to its first run.
//! [`Need`] says which modules that concerns: one that is run as native code alone is nothing to the interpreter.
//!
//! A panic of the engine is contained, as it is in the kernel, if this program is built so that panics unwind: the
//! profile `release` is not, and there a panic ends the program with the engine's words.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use luge_module::{NativeOnly, ShadowStack, validate};
use luge_spec::{Engine, ModulePath, Route};
use thiserror::Error;
use wasmi::{CompilationMode, Config, EnforcedLimits, Module};

use crate::list::Bytes;
use crate::progress::Progress;

/// Why the interpreter cannot translate a module.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Untranslatable {
    /// It says why.
    #[error("the interpreter cannot translate it: {0}")]
    Refused(String),
    /// It uses what only native code has.
    #[error(transparent)]
    NativeOnly(#[from] NativeOnly),
    /// It panics; where in its source.
    #[error("the interpreter (wasmi 2.0.0) panics as it translates it, at {0}")]
    Panicked(String),
}

/// No engine runs a module where its routes want it to run.
#[derive(Debug, Error)]
#[error("{why}; {advice}", advice = .need.advice(.why))]
pub struct NoEngine {
    why: Untranslatable,
    need: Need,
}

/// Whether a module must run in the interpreter, by the routes that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// All of them want native code.
    Never,
    /// One of them leaves it open.
    WithoutNativeCode,
    /// One of them wants the interpreter.
    Always,
}

impl Need {
    /// That of one route.
    pub fn of(route: &Route) -> Need {
        match route.engine {
            Some(Engine::Wasmtime) => Need::Never,
            None => Need::WithoutNativeCode,
            Some(Engine::Wasmi) => Need::Always,
        }
    }

    /// What can be done about a module that the interpreter cannot translate.
    fn advice(self, why: &Untranslatable) -> String {
        let native = match why {
            Untranslatable::NativeOnly(_) => NativeOnly::ADVICE,
            _ => "native code does without (see --native)",
        };
        match self {
            Need::Always => format!("a route of it has \"engine\": \"wasmi\", and {native}"),
            Need::WithoutNativeCode | Need::Never => native.to_owned(),
        }
    }
}

/// Checks that the interpreter can translate a valid module that is served, if it needs to. If only the native code runs
/// that the module may have beside it, gives why.
///
/// # Errors
/// [`NoEngine`]
pub fn check(
    path: &ModulePath,
    wasm: &[u8],
    need: Need,
    has_native: impl FnOnce() -> bool,
    progress: Progress,
) -> Result<Option<Untranslatable>, NoEngine> {
    let translated = match need {
        Need::Never => Ok(()),
        Need::WithoutNativeCode | Need::Always => translate(path, wasm, progress),
    };
    match translated {
        Ok(()) => Ok(None),
        Err(why) if need == Need::WithoutNativeCode && has_native() => Ok(Some(why)),
        Err(why) => Err(NoEngine { why, need }),
    }
}

/// Does with a module what the kernel does before it runs it.
fn translate(path: &ModulePath, wasm: &[u8], progress: Progress) -> Result<(), Untranslatable> {
    let bytes = wasm.len() as u64;
    let is_long = bytes >= WORTH_TELLING;
    let step =
        is_long.then(|| progress.begin(format_args!("translating {path}, {}", Bytes(bytes))));
    let result = make(wasm);
    if let (Some(step), Ok(())) = (step, &result) {
        step.end(bytes);
    }
    result
}

/// From how many bytes on a module takes so long that it is told.
const WORTH_TELLING: u64 = 1 << 20;

fn make(wasm: &[u8]) -> Result<(), Untranslatable> {
    let interface = validate(wasm).map_err(|why| Untranslatable::Refused(why.to_string()))?;
    let wanted = interface.for_interpreter()?;
    let exported = ShadowStack::of(wasm).and_then(|stack| stack.exported(&wanted));
    let wanted = exported.as_ref().map_or(&*wanted, |(wasm, _)| wasm);
    contain(|| {
        let made = Module::new(&wasmi::Engine::new(&config()), wanted);
        made.map(drop).map_err(|why| on_one_line(&why))
    })
}

/// As in the kernel, without what is for running.
fn config() -> Config {
    let mut config = Config::default();
    config
        .compilation_mode(CompilationMode::Eager)
        .enforced_limits(EnforcedLimits::default())
        .ignore_custom_sections(true);
    config
}

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Carries out `work`, which may give a reason for why it fails, and may panic. Nothing is printed then.
fn contain(work: impl FnOnce() -> Result<(), String>) -> Result<(), Untranslatable> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let otherwise = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if cfg!(panic = "unwind") && IS_CONTAINED.get() {
                PLACE.set(place_of(info));
            } else {
                otherwise(info);
            }
        }));
    });
    IS_CONTAINED.set(true);
    // What is left of it when it panics is looked at by nobody: it has its own engine.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    IS_CONTAINED.set(false);
    match result {
        Ok(done) => done.map_err(Untranslatable::Refused),
        Err(_) => Err(Untranslatable::Panicked(PLACE.take())),
    }
}

/// File and line of a panic, the file from its crate's folder on.
fn place_of(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(String::new, |place| {
        let file = place.file();
        let file = file.find("/wasmi").map_or(file, |start| &file[start + 1..]);
        format!("{file}:{}", place.line())
    })
}

/// The engine's reasons are sometimes laid out over several lines.
fn on_one_line(why: &dyn fmt::Display) -> String {
    let text = why.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::When;

    /// The text of a command with this in its `_start`.
    fn command(body: &str) -> Vec<u8> {
        wat::parse_str(format!(
            r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#
        ))
        .unwrap()
    }

    fn translated(wasm: &[u8]) -> Result<(), Untranslatable> {
        let path = ModulePath::new("a.wasm").unwrap();
        translate(&path, wasm, Progress::new(When::Never))
    }

    #[test]
    fn what_a_module_needs_is_translated_after_its_stores_are_replaced() {
        // The block hides what is stored: in doubt a store is replaced.
        let module = command(
            "(local i64) local.get 0 i32.wrap_i64 (block (result i64) i64.const 7) i64.store32 offset=70000",
        );
        let interface = validate(&module).unwrap();
        assert_ne!(*interface.for_interpreter().unwrap(), *module);
        assert_eq!(translated(&module), Ok(()));
    }

    #[test]
    fn the_interpreters_own_reason_is_given() {
        let most = command(&format!("(local {})", "i32 ".repeat(30_000)));
        assert_eq!(translated(&most), Ok(()));
        let more = command(&format!("(local {})", "i32 ".repeat(30_001)));
        // These are its words, for local variables as well.
        let why = "encountered function with too many function parameters";
        assert_eq!(
            translated(&more),
            Err(Untranslatable::Refused(why.to_owned()))
        );
    }

    #[test]
    fn a_panic_of_the_interpreter_is_contained_and_named_with_its_place() {
        let why = contain(|| panic!("a stand-in")).unwrap_err().to_string();
        let line = line!() - 1;
        assert_eq!(
            why,
            format!(
                "the interpreter (wasmi 2.0.0) panics as it translates it, at boot/image/src/translation.rs:{line}"
            )
        );
        // The next one is told from it, and is no panic.
        let why = contain(|| Err("a reason".to_owned())).unwrap_err();
        assert_eq!(why, Untranslatable::Refused("a reason".to_owned()));
        assert_eq!(contain(|| Ok(())), Ok(()));
    }

    #[test]
    fn a_panic_elsewhere_is_told_as_ever_after_one_was_contained() {
        contain(|| panic!("a stand-in")).unwrap_err();
        assert!(!IS_CONTAINED.get());
        assert!(panic::catch_unwind(|| panic!("a stand-in")).is_err());
        assert!(PLACE.take().is_empty());
    }

    #[test]
    fn the_strictest_route_decides_what_a_module_needs() {
        let route = |engine| {
            Need::of(&Route {
                engine,
                ..Route::uploaded("/")
            })
        };
        let (native, open) = (route(Some(Engine::Wasmtime)), route(None));
        let interpreted = route(Some(Engine::Wasmi));
        assert!(native < open && open < interpreted);
    }
}
