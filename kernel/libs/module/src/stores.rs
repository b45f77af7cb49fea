//! Other instructions for the stores that the interpreter cannot take (`kernel/docs/decisions`, "Stores that the
//! interpreter cannot take are replaced before it sees them").
//!
//! Such a store becomes a conversion of its value and a store that writes the same bytes: `f32.store` of all bits
//! of an `i32`, `f64.store` of those of an `i64`, and before the narrow stores an extension of the part that they
//! write. The converted value is a value of its own. Address, offset, memory and alignment stay as they are, so it traps
//! where the original does; and nothing else of the function changes: no local variable, no block, no type.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use wasmparser::{Parser, Payload};

use crate::operands::{Operands, number};

/// A store that is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where its opcode stands, in bytes from the start of the module.
    at: u32,
    replacement: Replacement,
}

/// What a store becomes: opcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Replacement {
    conversion: u8,
    store: u8,
}

impl Replacement {
    /// For the opcode of a store of an integer.
    fn of(store: u8) -> Option<Self> {
        let (conversion, store) = match store {
            // `i32.store`: `f32.reinterpret_i32`, `f32.store`.
            0x36 => (0xbe, 0x38),
            // `i64.store`: `f64.reinterpret_i64`, `f64.store`.
            0x37 => (0xbf, 0x39),
            // `i32.store8`, `i32.store16`: `i32.extend8_s`, `i32.extend16_s`.
            0x3a => (0xc0, store),
            0x3b => (0xc1, store),
            // `i64.store8`, `i64.store16`, `i64.store32`: `i64.extend8_s`, `i64.extend16_s`, `i64.extend32_s`.
            0x3c => (0xc2, store),
            0x3d => (0xc3, store),
            0x3e => (0xc4, store),
            _ => return None,
        };
        Some(Replacement { conversion, store })
    }
}

/// Whether an opcode is that of a store, which is sooner told than whether it is one of an integer.
#[inline]
pub fn may_be_integer_store(opcode: u8) -> bool {
    opcode.wrapping_sub(0x36) <= 0x3e - 0x36
}

/// Whether an opcode is that of a store of an integer.
pub fn is_integer_store(opcode: u8) -> bool {
    matches!(opcode, 0x36 | 0x37 | 0x3a..=0x3e)
}

/// The store `at` this place with these bytes, if it must be replaced where it finds such operands.
pub fn site(at: usize, operator: &[u8], operands: &Operands) -> Option<Site> {
    let replacement = Replacement::of(operator[0])?;
    let at = at as u32;
    (has_long_encoding(operator) && operands.may_be_one()).then_some(Site { at, replacement })
}

/// An opcode, an alignment and an offset of one byte each. With the index of a memory, there is a byte more.
const SHORT: usize = 3;

/// Whether the interpreter has no short encoding for an operator that accesses memory.
pub fn has_long_encoding(operator: &[u8]) -> bool {
    if operator.len() <= SHORT {
        return false;
    }
    let (alignment, rest) = number(&operator[1..]);
    // A memory's index follows.
    if alignment & 0x40 != 0 {
        return true;
    }
    number(rest).0 > u64::from(u16::MAX)
}

/// The valid module `bytes` with *every* store of an integer replaced. For tests: what is proven of those is proven
/// of the few that must be.
#[must_use]
pub fn with_every_store_replaced(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut sites = Vec::new();
    for body in bodies(bytes) {
        let operators = body.get_operators_reader().into_iter();
        let operators = operators.flat_map(|reader| reader.into_iter_with_offsets());
        sites.extend(operators.flatten().filter_map(|(_, at)| {
            let replacement = Replacement::of(bytes[at])?;
            let at = at as u32;
            Some(Site { at, replacement })
        }));
    }
    replace(bytes, &sites)
}

fn bodies(bytes: &[u8]) -> impl Iterator<Item = wasmparser::FunctionBody<'_>> {
    let payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    })
}

/// The valid module `bytes` with these stores replaced. They are in the order of the module.
pub fn replace<'m>(bytes: &'m [u8], sites: &[Site]) -> Cow<'m, [u8]> {
    if sites.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut code = 0..0;
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        if let Payload::CodeSectionStart { range, .. } = payload {
            code = range;
            break;
        }
    }
    let changed: Vec<_> = changed_bodies(bytes, sites).collect();
    let before: usize = changed.iter().map(|body| body.length_bytes(bytes)).sum();
    let after: usize = changed
        .iter()
        .map(|body| encoded(body.length()).len())
        .sum();
    let mut copy = Copy::new(bytes, sites);
    copy.length(code.start, code.len() - before + after + sites.len());
    for body in &changed {
        copy.length(body.range.start, body.length());
        copy.up_to(body.range.end);
    }
    copy.up_to(bytes.len());
    Cow::Owned(copy.to)
}

/// A function in which stores are replaced.
struct Changed {
    /// Where it stands behind its length.
    range: Range<usize>,
    /// How many bytes are added.
    added: usize,
}

impl Changed {
    fn length(&self) -> usize {
        self.range.len() + self.added
    }

    /// How many bytes its length takes in the module as it is.
    fn length_bytes(&self, bytes: &[u8]) -> usize {
        self.range.start - number_before(bytes, self.range.start)
    }
}

fn changed_bodies<'m>(bytes: &'m [u8], sites: &'m [Site]) -> impl Iterator<Item = Changed> + 'm {
    let mut rest = sites;
    bodies(bytes).filter_map(move |body| {
        let range = body.range();
        let added = rest.partition_point(|site| (site.at as usize) < range.end);
        rest = &rest[added..];
        (added > 0).then_some(Changed { range, added })
    })
}

/// A copy of a module with changes.
struct Copy<'m> {
    from: &'m [u8],
    /// Up to where it has been copied.
    at: usize,
    sites: &'m [Site],
    to: Vec<u8>,
}

impl<'m> Copy<'m> {
    fn new(from: &'m [u8], sites: &'m [Site]) -> Self {
        // A conversion is one byte; lengths seldom get longer, and then the vector grows.
        let to = Vec::with_capacity(from.len() + sites.len() + 64);
        Copy {
            from,
            at: 0,
            sites,
            to,
        }
    }

    /// Copies up to this place, and replaces the stores before it.
    fn up_to(&mut self, end: usize) {
        while let Some((site, rest)) = self.sites.split_first()
            && (site.at as usize) < end
        {
            let Replacement { conversion, store } = site.replacement;
            self.to.extend(&self.from[self.at..site.at as usize]);
            self.to.extend([conversion, store]);
            self.at = site.at as usize + 1;
            self.sites = rest;
        }
        self.to.extend(&self.from[self.at..end]);
        self.at = end;
    }

    /// Copies up to the length that ends at this place, and writes this one instead.
    fn length(&mut self, end: usize, length: usize) {
        self.up_to(number_before(self.from, end));
        self.to.extend(encoded(length));
        self.at = end;
    }
}

/// Where the number begins that ends at this place. What comes before a length has no mark of going on: a section's
/// number, or the last byte of a number or of a function.
fn number_before(bytes: &[u8], end: usize) -> usize {
    let more = bytes[..end - 1].iter().rev();
    end - 1 - more.take_while(|byte| **byte & 0x80 != 0).count()
}

/// A number in as few bytes as it needs.
fn encoded(mut number: usize) -> impl ExactSizeIterator<Item = u8> {
    let mut bytes = [0; 5];
    let mut length = 0;
    loop {
        let more = if number > 0x7f { 0x80 } else { 0 };
        bytes[length] = (number & 0x7f) as u8 | more;
        length += 1;
        number >>= 7;
        if number == 0 {
            return bytes.into_iter().take(length);
        }
    }
}
