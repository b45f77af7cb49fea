//! What the end of a run was, from what the engine returned.

use luge_sandbox::Outcome;
use luge_trap::Trap;
use wasmi::errors::{ErrorKind, HostError, InstantiationError, MemoryError, TableError};
use wasmi::{Error, TrapCode};

use super::state::End;

impl HostError for End {}

/// The outcome of a run that ended with `error`. None for what cannot come from a module that was
/// admitted.
pub fn outcome_of(error: &Error) -> Option<Outcome> {
    if let Some(End(outcome)) = error.downcast_ref() {
        return Some(*outcome);
    }
    trap_of(error.kind()).map(Outcome::Trap)
}

fn trap_of(kind: &ErrorKind) -> Option<Trap> {
    match kind {
        ErrorKind::TrapCode(code) => of_code(*code),
        ErrorKind::Memory(MemoryError::OutOfBoundsAccess) => Some(Trap::MemoryOutOfBounds),
        ErrorKind::Memory(_) => Some(Trap::OutOfMemory),
        ErrorKind::Table(error) => Some(of_table(*error)),
        ErrorKind::Instantiation(error) => of_instantiation(error),
        _ => None,
    }
}

/// Before its first instruction a module gets what it asks for, or ends.
fn of_instantiation(error: &InstantiationError) -> Option<Trap> {
    match error {
        InstantiationError::ElementSegmentDoesNotFit { .. } => Some(Trap::TableOutOfBounds),
        InstantiationError::FailedToInstantiateMemory(_)
        | InstantiationError::FailedToInstantiateTable(_)
        | InstantiationError::TooManyMemories
        | InstantiationError::TooManyTables => Some(Trap::OutOfMemory),
        _ => None,
    }
}

fn of_table(error: TableError) -> Trap {
    match error {
        TableError::OutOfSystemMemory
        | TableError::ResourceLimiterDeniedAllocation
        | TableError::MinimumSizeOverflow
        | TableError::MaximumSizeOverflow => Trap::OutOfMemory,
        _ => Trap::TableOutOfBounds,
    }
}

fn of_code(code: TrapCode) -> Option<Trap> {
    Some(match code {
        TrapCode::UnreachableCodeReached => Trap::Unreachable,
        TrapCode::MemoryOutOfBounds => Trap::MemoryOutOfBounds,
        TrapCode::TableOutOfBounds => Trap::TableOutOfBounds,
        TrapCode::IndirectCallToNull => Trap::IndirectCallToNull,
        TrapCode::IntegerDivisionByZero => Trap::IntegerDivideByZero,
        TrapCode::IntegerOverflow => Trap::IntegerOverflow,
        TrapCode::BadConversionToInteger => Trap::BadConversionToInteger,
        TrapCode::StackOverflow => Trap::StackOverflow,
        TrapCode::BadSignature => Trap::BadSignature,
        TrapCode::GrowthOperationLimited | TrapCode::OutOfSystemMemory => Trap::OutOfMemory,
        // Fuel is not metered.
        TrapCode::OutOfFuel => return None,
    })
}
