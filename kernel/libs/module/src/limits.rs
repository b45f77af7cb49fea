//! How much of everything a module may have.
//!
//! The counts are those that browsers have agreed on, in WebAssembly's JavaScript API, "Implementation-defined
//! Limits": programs that people make keep to them. What a module made to be expensive runs into first is what
//! its things cost together ([`crate::cost`]). The parser itself has further limits: a hundred tables, a million
//! types, imports, exports and globals, and 131,072 targets of a `br_table`.
//!
//! The interpreter's own limits, `EnforcedLimits::strict()` of wasmi 2.0.0, are not used: they refuse
//! every small module whose functions have less than 40 bytes on average, and a second memory.

use core::fmt;

use wasmparser::{BinaryReaderError, MemorySectionReader, Payload, TypeSectionReader};

use crate::cost::{Cost, MOST_COST};

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
    /// Making a program of it takes too much memory: its things have few bytes and cost many.
    TooExpensive(Cost),
}

/// Most functions.
const MOST_FUNCTIONS: usize = 1_000_000;
/// Most linear memories: a sandbox has places for so many.
const MOST_MEMORIES: usize = 10;
/// Most globals.
const MOST_GLOBALS: usize = 1_000_000;
/// Most element segments, and most data segments: Go's programs have up to 48,000 of these.
const MOST_SEGMENTS: usize = 100_000;
/// Most sections. Each takes time to look at, and a custom one may have three bytes.
const MOST_SECTIONS: usize = 1_000;
/// Largest maximum of a linear memory, in pages: half of what addresses of 64 bits allow. The interpreter's count of a
/// memory's bytes does not hold all valid maximums (decision 37), and no machine has so much memory.
const LARGEST_MAXIMUM: u64 = 1 << 47;
/// Most parameters, and most results, of a function.
const MOST_VALUES: usize = 128;

/// What has been seen of a module.
#[derive(Default)]
pub(crate) struct Tally {
    sections: u32,
    cost: Cost,
}

impl Tally {
    /// Checks one part of a module more, before the rules of WebAssembly.
    pub(crate) fn add(&mut self, payload: &Payload<'_>) -> Result<(), Excess> {
        if payload.as_section().is_some() {
            self.sections += 1;
            most("sections", self.sections, MOST_SECTIONS)?;
        }
        check(payload)?;
        self.cost.add(payload);
        if self.cost.bytes > MOST_COST {
            return Err(Excess::TooExpensive(self.cost));
        }
        Ok(())
    }
}

/// Checks how many things one part of a module has.
fn check(payload: &Payload<'_>) -> Result<(), Excess> {
    match payload {
        Payload::TypeSection(types) => check_types(types),
        Payload::FunctionSection(section) => most("functions", section.count(), MOST_FUNCTIONS),
        Payload::GlobalSection(section) => most("globals", section.count(), MOST_GLOBALS),
        Payload::MemorySection(section) => {
            most("memories", section.count(), MOST_MEMORIES)?;
            check_maximums(section)
        }
        Payload::ElementSection(section) => {
            most("element segments", section.count(), MOST_SEGMENTS)
        }
        Payload::DataSection(section) => most("data segments", section.count(), MOST_SEGMENTS),
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

fn check_maximums(memories: &MemorySectionReader<'_>) -> Result<(), Excess> {
    let maximums = memories.clone().into_iter().flatten();
    match maximums.filter_map(|memory| memory.maximum).max() {
        Some(found) if found > LARGEST_MAXIMUM => Err(Excess::TooMany {
            what: "pages as the maximum of a memory",
            found: found as usize,
            most: LARGEST_MAXIMUM as usize,
        }),
        _ => Ok(()),
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

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excess::TooMany { what, found, most } => {
                write!(f, "{found} {what}, and {most} are the most")
            }
            Excess::TooExpensive(cost) => {
                let most = MOST_COST >> 20;
                write!(
                    f,
                    "translating it takes {cost}, and {most} MiB are the most"
                )
            }
        }
    }
}
