//! How much of everything a module may have.
//!
//! The kernel's engines allocate for each thing that a module declares and cannot be told that there is no
//! memory. Most things cost about what their bytes in the module do; functions are the exception, since an
//! empty one has four bytes, and the interpreter keeps some seventy for it. So where there are many
//! functions, they must be of the size that compilers give them. (Tables are missing: the parser itself takes
//! no more than a hundred.)
//!
//! The interpreter's own limits, `EnforcedLimits::strict()` of wasmi 2.0.0, are not used: they refuse
//! every small module whose functions have less than 40 bytes on average, and a second memory.

use core::fmt;

use wasmparser::{BinaryReaderError, Payload, TypeSectionReader};

/// More than a module may have of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It has too many of these.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// Its functions are too small on average: such modules are made to be expensive to load.
    TinyFunctions {
        /// Their average size in bytes.
        average: u32,
        /// The least that it may be.
        least: u32,
    },
}

/// From how many bytes of code on the average size of functions counts. Functions of less code than this cost
/// two mebibytes at most, however small they are.
const CODE_BYTES_THAT_COUNT: u32 = 100_000;
/// Least average size of a function, in bytes.
const LEAST_AVERAGE: u32 = 40;
/// Most functions: programs of many megabytes have fewer.
const MOST_FUNCTIONS: usize = 50_000;
/// Most linear memories: a sandbox has places for so many.
const MOST_MEMORIES: usize = 10;
/// Most globals, element segments and data segments, each.
const MOST_PARTS: usize = 10_000;
/// Most parameters, and most results, of a function.
const MOST_VALUES: usize = 128;

/// Checks one part of a module, whose syntax has been checked.
pub fn check(payload: &Payload<'_>) -> Result<(), Excess> {
    match payload {
        Payload::TypeSection(types) => check_types(types),
        Payload::FunctionSection(section) => most("functions", section.count(), MOST_FUNCTIONS),
        Payload::GlobalSection(section) => most("globals", section.count(), MOST_PARTS),
        Payload::MemorySection(section) => most("memories", section.count(), MOST_MEMORIES),
        Payload::ElementSection(section) => most("element segments", section.count(), MOST_PARTS),
        Payload::DataSection(section) => most("data segments", section.count(), MOST_PARTS),
        Payload::CodeSectionStart { count, size, .. } => check_code(*count, *size),
        _ => Ok(()),
    }
}

fn most(what: &'static str, found: u32, most: usize) -> Result<(), Excess> {
    let found = found as usize;
    if found > most {
        Err(Excess::TooMany { what, found, most })
    } else {
        Ok(())
    }
}

fn check_types(types: &TypeSectionReader<'_>) -> Result<(), Excess> {
    let functions = types.clone().into_iter_err_on_gc_types();
    for function in functions.flat_map(Result::<_, BinaryReaderError>::ok) {
        for (what, found) in [
            ("parameters of a function", function.params().len()),
            ("results of a function", function.results().len()),
        ] {
            if found > MOST_VALUES {
                return Err(Excess::TooMany {
                    what,
                    found,
                    most: MOST_VALUES,
                });
            }
        }
    }
    Ok(())
}

fn check_code(functions: u32, bytes: u32) -> Result<(), Excess> {
    match bytes.checked_div(functions) {
        Some(average) if bytes >= CODE_BYTES_THAT_COUNT && average < LEAST_AVERAGE => {
            Err(Excess::TinyFunctions {
                average,
                least: LEAST_AVERAGE,
            })
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::TooMany { what, found, most } => {
                write!(f, "{found} {what}, and {most} are the most")
            }
            Excess::TinyFunctions { average, least } => {
                write!(
                    f,
                    "functions of {average} bytes on average, and {least} are the least"
                )
            }
        }
    }
}
