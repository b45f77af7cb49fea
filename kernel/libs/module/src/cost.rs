//! What the interpreter takes of memory to make a program of a module.
//!
//! The kernel's engines allocate for each thing that a module declares and cannot be told that there is no
//! memory. A thing may have two bytes in the module and take hundreds: so what is counted is not a module's
//! size, and not only how many things it has, but what each of them costs.
//!
//! The figures are the peaks that wasmparser 0.228 (validating) and wasmi 2.0.0 (translating) have for a module of
//! 10,000 to 100,000 things of one kind, rounded up; `tests/guests/host` measures them with a counting
//! allocator. Code is counted at [`CODE`] times its bytes: compilers' code takes three to five times.
//! Code that is made to be expensive takes up to 47 times (a single `br_table`), which nobody can know before it
//! is translated: whoever translates foreign modules does it where that ends as "out of memory".

use core::fmt;

use wasmparser::{Chunk, Parser, Payload};

/// The most that a module may cost, in bytes of memory: as much as the code of the largest module, and half
/// as much again for the rest.
pub const MOST_COST: u64 = 768 << 20;

/// Bytes of memory for a byte of code.
const CODE: u64 = 8;

/// What a module costs, as far as it has been seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of memory.
    pub bytes: u64,
    /// What takes most of them.
    pub dearest: Part,
}

/// What the things of one section cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What they are.
    pub what: &'static str,
    /// How many there are.
    pub count: u32,
    /// Bytes of memory for all of them.
    pub bytes: u64,
}

/// What `wasm` costs, told by the heads of its sections in a time that depends on their number alone. Of what
/// is no module, it is the cost of the sections before it ceases to be one: nobody makes a program of it.
#[must_use]
pub fn cost(wasm: &[u8]) -> Cost {
    let (mut cost, mut parser, mut rest) = (Cost::default(), Parser::new(0), wasm);
    while let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) {
        cost.add(&payload);
        rest = rest.get(consumed..).unwrap_or_default();
        if let Payload::CodeSectionStart { size, .. } = payload {
            parser.skip_section();
            rest = rest.get(size as usize..).unwrap_or_default();
        }
        if rest.is_empty() {
            break;
        }
    }
    cost
}

impl Cost {
    /// Counts one more part of a module.
    pub(crate) fn add(&mut self, payload: &Payload<'_>) {
        let Some((what, count, each, per_byte)) = price(payload) else {
            return;
        };
        let length = match payload {
            Payload::CodeSectionStart { size, .. } => u64::from(*size),
            _ => payload
                .as_section()
                .map_or(0, |(_, range)| range.len() as u64),
        };
        let bytes = u64::from(count) * each + length * per_byte;
        self.bytes += bytes;
        if bytes > self.dearest.bytes {
            self.dearest = Part { what, count, bytes };
        }
    }
}

/// What a section has, how many, and bytes of memory for each of them and for each byte of the section.
fn price(payload: &Payload<'_>) -> Option<(&'static str, u32, u64, u64)> {
    Some(match payload {
        Payload::TypeSection(section) => ("types", section.count(), 320, 16),
        Payload::ImportSection(section) => ("imports", section.count(), 1_040, 4),
        Payload::GlobalSection(section) => ("globals", section.count(), 80, 8),
        Payload::ExportSection(section) => ("exports", section.count(), 480, 4),
        Payload::ElementSection(section) => ("element segments", section.count(), 160, 32),
        // The bytes are in a vector that doubles, and then once more.
        Payload::DataSection(section) => ("data segments", section.count(), 64, 3),
        Payload::CodeSectionStart { count, .. } => ("functions", *count, 176, CODE),
        _ => return None,
    })
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part { what, count, bytes } = self.dearest;
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        write!(
            f,
            "{} MiB of memory, {} of them for {count} {what}",
            mib(self.bytes),
            mib(bytes)
        )
    }
}
