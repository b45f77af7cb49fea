//! The stack in linear memory that C, C++, Rust and Zig have beside WebAssembly's own.
//!
//! Whatever a program takes the address of lies there. It grows downwards, from where the first global starts, and
//! nothing watches its end: `wasm-ld` puts it below the data (`--stack-first`, as Rust and Zig ask for), so that
//! what grows out of it leaves memory at address 0; or above them, as clang 14 has it, so that it grows through
//! all data first.
//!
//! Source: `lld/wasm/Writer.cpp` of LLVM, `Writer::layoutMemory`, and what clang 14 and 19, rustc and Zig write.

use alloc::vec::Vec;

use wasmparser::{
    BinaryReader, ConstExpr, DataKind, Name, NameSectionReader, Operator, Parser, Payload, ValType,
};

use crate::sections::sections;

/// What leaf functions use below the stack pointer without moving it, in bytes.
const RED_ZONE: u32 = 128;
/// The stack pointer is a multiple of this when a program starts.
const ALIGNMENT: u32 = 16;
/// The name under which the interpreter finds the stack pointer.
const EXPORT: &str = "luge:__stack_pointer";
const EXPORT_SECTION: u8 = 7;
const GLOBAL: u8 = 3;

/// Where the stack of a module lies in its linear memory. Its pointer is the first global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowStack {
    /// Where it starts, growing downwards.
    top: u32,
    /// No lower than this does it end.
    bottom: u32,
}

impl ShadowStack {
    /// That of a module, if the module has what `wasm-ld` writes: as its first global a mutable address, with all
    /// initial data above it, or all below it.
    #[must_use]
    pub fn of(wasm: &[u8]) -> Option<Self> {
        let mut top = None;
        let (mut lowest, mut end) = (u32::MAX, 0);
        for payload in sections(wasm) {
            match payload.ok()? {
                Payload::GlobalSection(globals) => {
                    let first = globals.into_iter().next()?.ok()?;
                    let is_pointer = first.ty.mutable && first.ty.content_type == ValType::I32;
                    top = is_pointer.then(|| constant(&first.init_expr)).flatten();
                    top?;
                }
                Payload::DataSection(segments) => {
                    for segment in segments {
                        let segment = segment.ok()?;
                        if let DataKind::Active { offset_expr, .. } = segment.kind {
                            let start = constant(&offset_expr)?;
                            lowest = lowest.min(start);
                            end = end.max(start.checked_add(segment.data.len() as u32)?);
                        }
                    }
                }
                Payload::CustomSection(section) if section.name() == "name" => {
                    let reader = BinaryReader::new(section.data(), section.data_offset());
                    if is_named_otherwise(NameSectionReader::new(reader)) {
                        return None;
                    }
                }
                _ => {}
            }
        }
        let top = top.filter(|top| *top > 0 && top.is_multiple_of(ALIGNMENT))?;
        match () {
            () if lowest >= top => Some(Self { top, bottom: 0 }),
            () if end < top => Some(Self { top, bottom: end }),
            () => None,
        }
    }

    /// How large it is in bytes; at most, unless [`Self::is_exact`].
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.top - self.bottom
    }

    /// Whether its size is known. Above data, there may be data below it that begin as zeroes, which no module
    /// speaks of.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        self.bottom == 0
    }

    /// Whether a program has used it up whose stack pointer is this.
    #[must_use]
    pub const fn is_used_up_at(self, pointer: u32) -> bool {
        pointer > self.top || pointer < self.bottom + RED_ZONE
    }

    /// Whether this address, which is outside of memory, is where a program gets to that has used it up: just
    /// below address 0, counted round.
    #[must_use]
    pub const fn is_used_up_by(self, address: u64) -> bool {
        const END: u64 = 1 << 32;
        address < END && address >= END - self.top as u64
    }

    /// The module with its stack pointer exported, and the name by which it is. `wasm` must be valid. None if
    /// there is no memory for it, or no place.
    #[must_use]
    pub fn exported(self, wasm: &[u8]) -> Option<(Vec<u8>, &'static str)> {
        // Where the section before it ends, or else the header.
        let mut before = 8;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.ok()?;
            if let Payload::ExportSection(exports) = &payload {
                let range = exports.range();
                let mut all = exports.clone().into_iter();
                if all.any(|export| export.is_ok_and(|export| export.name == EXPORT)) {
                    return None;
                }
                let count_bytes = leb_length(wasm.get(range.clone())?)?;
                let entries = wasm.get(range.start + count_bytes..range.end)?;
                let count = exports.count().checked_add(1)?;
                let (before, after) = (wasm.get(..before)?, wasm.get(range.end..)?);
                return Some((with_export(before, (count, entries), after)?, EXPORT));
            }
            if let Some((_, range)) = payload.as_section() {
                before = range.end;
            }
        }
        None
    }
}

/// The parts of a module, with one more entry in its exports, of which there are `count` then.
fn with_export(before: &[u8], (count, entries): (u32, &[u8]), after: &[u8]) -> Option<Vec<u8>> {
    let (count, count_bytes) = leb(count);
    let entry = 1 + EXPORT.len() + 2;
    let length = u32::try_from(count_bytes + entries.len() + entry).ok()?;
    let (length_leb, length_bytes) = leb(length);
    let mut bytes = Vec::new();
    let whole = before.len() + 1 + length_bytes + length as usize + after.len();
    bytes.try_reserve_exact(whole).ok()?;
    bytes.extend_from_slice(before);
    bytes.push(EXPORT_SECTION);
    bytes.extend_from_slice(&length_leb[..length_bytes]);
    bytes.extend_from_slice(&count[..count_bytes]);
    bytes.extend_from_slice(entries);
    bytes.push(EXPORT.len() as u8);
    bytes.extend_from_slice(EXPORT.as_bytes());
    bytes.extend_from_slice(&[GLOBAL, 0]);
    bytes.extend_from_slice(after);
    Some(bytes)
}

/// A number as LEB128, and how many bytes that has.
fn leb(mut number: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut length = 0;
    loop {
        let rest = number >> 7;
        let more = if rest > 0 { 0x80 } else { 0 };
        bytes[length] = (number & 0x7f) as u8 | more;
        length += 1;
        number = rest;
        if number == 0 {
            return (bytes, length);
        }
    }
}

/// How many bytes the LEB128 at the start has.
fn leb_length(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| byte & 0x80 == 0)
        .map(|at| at + 1)
}

/// The value of an expression that is an `i32.const`.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    match expression.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => Some(value.cast_unsigned()),
        _ => None,
    }
}

/// Whether the first global has a name, and that is another.
fn is_named_otherwise(names: NameSectionReader<'_>) -> bool {
    names
        .into_iter()
        .filter_map(Result::ok)
        .any(|name| match name {
            Name::Global(globals) => {
                let mut globals = globals.into_iter().filter_map(Result::ok);
                globals.any(|global| global.index == 0 && global.name != "__stack_pointer")
            }
            _ => false,
        })
}
