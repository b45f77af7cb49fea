//! What the end of a run was, from what the runtime returned.

use luge_sandbox::Outcome;
use luge_trap::Trap;
use wasmtime::{Error, ThrownException};

use crate::engine::state::End;

/// The outcome of a run that ended with `error`. None for what cannot come from a module that was
/// admitted.
pub fn outcome_of(error: &Error) -> Option<Outcome> {
    if let Some(End(outcome)) = error.downcast_ref() {
        return Some(*outcome);
    }
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => of_trap(*trap).map(Outcome::Trap),
        None if error.is::<ThrownException>() => Some(Outcome::Trap(Trap::UncaughtException)),
        // All imports are there and fit; so what is left to go wrong is that there is no room.
        None => Some(Outcome::Trap(Trap::OutOfMemory)),
    }
}

fn of_trap(trap: wasmtime::Trap) -> Option<Trap> {
    use wasmtime::Trap as Found;
    Some(match trap {
        Found::StackOverflow => Trap::StackOverflow,
        Found::MemoryOutOfBounds | Found::HeapMisaligned => Trap::MemoryOutOfBounds,
        Found::TableOutOfBounds => Trap::TableOutOfBounds,
        Found::IndirectCallToNull => Trap::IndirectCallToNull,
        Found::BadSignature => Trap::BadSignature,
        Found::IntegerOverflow => Trap::IntegerOverflow,
        Found::IntegerDivisionByZero => Trap::IntegerDivideByZero,
        Found::BadConversionToInteger => Trap::BadConversionToInteger,
        Found::UnreachableCodeReached => Trap::Unreachable,
        // `throw_ref` of no exception.
        Found::NullReference => Trap::NullReference,
        Found::AllocationTooLarge => Trap::OutOfMemory,
        // Of proposals that are not there.
        _ => return None,
    })
}
