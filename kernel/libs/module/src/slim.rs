//! Making a module smaller without changing what it does.
//!
//! [`slim`] leaves out custom sections that nobody reads, and joins neighbouring data segments. Nothing up to the
//! end of the code section moves: so a report of a fault gives the same offset for the module that is
//! served and for the one that it was made from, and `wasm-objdump` shows the instruction in either.
//!
//! Two segments are joined if they are active, follow one another in the module, have constant offsets in a memory
//! that the module itself defines, and the second begins where the first ends or up to [`LARGEST_GAP`] bytes
//! behind. The gap is filled with zeroes, which is what lies there: a memory of the module's own is zero until
//! segments are copied, and no earlier segment was copied to there. If the joined segment does not fit into
//! the memory, one of the two would not have either, and nobody ever sees the memory of a module that
//! cannot be instantiated. A segment that code names (`memory.init`, `data.drop`) is left alone, and so
//! are all before it, since the numbers of those behind change.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use wasmparser::{
    BinaryReader, Chunk, CustomSectionReader, Data, DataKind, DataSectionReader, FunctionBody,
    Operator, Parser, Payload,
};

/// The most zeroes between two segments that are joined: about what a segment of its own costs.
const LARGEST_GAP: u64 = 64;

/// The name section's part that names data segments.
const DATA_NAMES: u8 = 9;

/// A smaller module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slim {
    /// The module.
    pub wasm: Vec<u8>,
    /// What it saved.
    pub saved: Saved,
}

/// What a smaller module does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Bytes of custom sections that were left out.
    pub custom_bytes: usize,
    /// Data segments before.
    pub segments_before: u32,
    /// Data segments after.
    pub segments_after: u32,
}

/// A smaller module that does the same. None if `wasm` is none, or has nothing to save.
#[must_use]
pub fn slim(wasm: &[u8]) -> Option<Slim> {
    let parts = Parts::of(wasm)?;
    let joined = parts.data.as_ref().and_then(|data| parts.join(data));
    let saved = parts.saved(joined.as_deref());
    if saved.is_nothing() {
        return None;
    }
    let mut out = Vec::with_capacity(wasm.len());
    for section in &parts.sections {
        let bytes = &wasm[section.whole.clone()];
        match (&section.kind, &joined) {
            (Kind::Dropped, _) => {}
            (Kind::DataCount(contents), Some(joined)) => {
                out.extend(&wasm[section.whole.start..contents.start]);
                push_padded(&mut out, joined.len() as u32, contents.len());
            }
            (Kind::Data, Some(joined)) => push_section(&mut out, 11, &encode(joined)),
            (Kind::Names(contents), Some(_)) => {
                push_section(&mut out, 0, &without_data_names(&wasm[contents.clone()]))
            }
            _ => out.extend(bytes),
        }
    }
    Some(Slim { wasm: out, saved })
}

impl Saved {
    const fn is_nothing(&self) -> bool {
        self.custom_bytes == 0 && self.segments_before == self.segments_after
    }
}

/// A section, or the head of the module.
struct Section {
    /// With its number and length.
    whole: Range<usize>,
    kind: Kind,
}

/// What is done with a section.
enum Kind {
    Kept,
    Dropped,
    /// The number in it.
    DataCount(Range<usize>),
    Data,
    /// Its contents, with the section's name.
    Names(Range<usize>),
}

/// What a module consists of, as far as it matters here.
struct Parts<'m> {
    sections: Vec<Section>,
    data: Option<Vec<Segment<'m>>>,
    /// How many memories are imported.
    imported_memories: u32,
    /// The first segment that no code names, nor any behind it.
    first_unnamed: u32,
}

/// A data segment.
struct Segment<'m> {
    /// All of it, as it stands in the module.
    whole: &'m [u8],
    /// Memory, offset and bytes, if it is active with a constant offset.
    active: Option<(u32, u64, bool, &'m [u8])>,
    /// Whether it is passive, and so writes nothing by itself.
    is_passive: bool,
}

/// Segments that become one.
enum Joined<'m> {
    /// One, as it stands in the module.
    One(&'m [u8]),
    /// Several.
    Run {
        memory: u32,
        offset: u64,
        is_wide: bool,
        bytes: Vec<u8>,
    },
}

impl<'m> Parts<'m> {
    fn of(wasm: &'m [u8]) -> Option<Self> {
        let mut parts = Parts {
            sections: Vec::new(),
            data: None,
            imported_memories: 0,
            first_unnamed: 0,
        };
        let (mut parser, mut at, mut code_is_over) = (Parser::new(0), 0, false);
        loop {
            let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(&wasm[at..], true) else {
                return None;
            };
            let whole = at..at + consumed;
            at = whole.end;
            let kind = match payload {
                Payload::End(_) => return Some(parts),
                Payload::ImportSection(section) => {
                    for import in section {
                        let is_memory = matches!(import.ok()?.ty, wasmparser::TypeRef::Memory(_));
                        parts.imported_memories += u32::from(is_memory);
                    }
                    Kind::Kept
                }
                Payload::DataCountSection { range, .. } => Kind::DataCount(range),
                Payload::CodeSectionEntry(body) => {
                    parts.look_for_names(&body)?;
                    code_is_over = true;
                    Kind::Kept
                }
                Payload::DataSection(section) => {
                    parts.data = Some(segments(wasm, section)?);
                    code_is_over = true;
                    Kind::Data
                }
                Payload::CustomSection(section) => custom(&section, code_is_over),
                Payload::Version { encoding, .. } if encoding != wasmparser::Encoding::Module => {
                    return None;
                }
                _ => Kind::Kept,
            };
            parts.sections.push(Section { whole, kind });
        }
    }

    /// Notes which segments code names.
    fn look_for_names(&mut self, body: &FunctionBody<'_>) -> Option<()> {
        let mut operators = body.get_operators_reader().ok()?;
        // Without a count of segments before the code, code cannot name any.
        let has_count = self
            .sections
            .iter()
            .any(|section| matches!(section.kind, Kind::DataCount(_)));
        while has_count && !operators.eof() {
            if let Operator::MemoryInit { data_index, .. } | Operator::DataDrop { data_index } =
                operators.read().ok()?
            {
                self.first_unnamed = self.first_unnamed.max(data_index.checked_add(1)?);
            }
        }
        Some(())
    }

    /// The segments with neighbours joined. None if there are none to join.
    fn join(&self, data: &[Segment<'m>]) -> Option<Vec<Joined<'m>>> {
        let mut joined: Vec<Joined<'m>> = Vec::new();
        let mut written = Written::default();
        for (index, segment) in data.iter().enumerate() {
            let Some((memory, offset, _, bytes)) = segment.active else {
                joined.push(Joined::One(segment.whole));
                if !segment.is_passive {
                    written.is_unknown = true;
                }
                continue;
            };
            let end = offset.checked_add(bytes.len() as u64)?;
            let may_join = index as u32 > self.first_unnamed && memory >= self.imported_memories;
            let before = may_join
                .then(|| run_before(&mut joined, data, index))
                .flatten();
            match before {
                Some((of, run_end, run))
                    if of == memory
                        && is_near(run_end, offset)
                        && written.is_free(memory, run_end..offset) =>
                {
                    run.resize(run.len() + (offset - run_end) as usize, 0);
                    run.extend(bytes);
                }
                _ => joined.push(Joined::One(segment.whole)),
            }
            written.add(memory, offset..end);
        }
        (joined.len() < data.len()).then_some(joined)
    }

    fn saved(&self, joined: Option<&[Joined<'_>]>) -> Saved {
        let dropped = self
            .sections
            .iter()
            .filter(|section| matches!(section.kind, Kind::Dropped));
        let before = self.data.as_ref().map_or(0, Vec::len) as u32;
        Saved {
            custom_bytes: dropped.map(|section| section.whole.len()).sum(),
            segments_before: before,
            segments_after: joined.map_or(before, |joined| joined.len() as u32),
        }
    }
}

/// Whether a segment at `offset` is so near to one that ends at `end` that joining them is worth it.
const fn is_near(end: u64, offset: u64) -> bool {
    offset >= end && offset - end <= LARGEST_GAP
}

/// Where segments have written: elsewhere, a memory of the module's own is zero.
#[derive(Default)]
struct Written {
    /// By memory and beginning, the end of each range. No two overlap or touch.
    ranges: BTreeMap<(u32, u64), u64>,
    /// A segment may have written anywhere.
    is_unknown: bool,
}

impl Written {
    fn add(&mut self, memory: u32, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        while let Some((of, from, to)) = self.last_up_to(memory, end)
            && to >= start
        {
            self.ranges.remove(&(of, from));
            (start, end) = (start.min(from), end.max(to));
        }
        self.ranges.insert((memory, start), end);
    }

    fn is_free(&self, memory: u32, gap: Range<u64>) -> bool {
        let Some(last) = gap.end.checked_sub(1).filter(|_| !gap.is_empty()) else {
            return true;
        };
        let before = self.last_up_to(memory, last);
        !self.is_unknown && before.is_none_or(|(_, _, end)| end <= gap.start)
    }

    /// The last range of a memory that begins at `address` or before: with its beginning and end.
    fn last_up_to(&self, memory: u32, address: u64) -> Option<(u32, u64, u64)> {
        let up_to = self.ranges.range((memory, 0)..=(memory, address));
        up_to.last().map(|((of, start), end)| (*of, *start, *end))
    }
}

/// The memory of the last of `joined`, where it ends, and its bytes to append to: it is the segment before
/// `index`, or a run that ends with that. None if that is not active, or has no constant offset.
fn run_before<'j, 'm>(
    joined: &'j mut [Joined<'m>],
    data: &[Segment<'m>],
    index: usize,
) -> Option<(u32, u64, &'j mut Vec<u8>)> {
    let (memory, offset, is_wide, bytes) = data.get(index.checked_sub(1)?)?.active?;
    let end = offset + bytes.len() as u64;
    let last = joined.last_mut()?;
    if let Joined::One(_) = last {
        let bytes = bytes.to_vec();
        *last = Joined::Run {
            memory,
            offset,
            is_wide,
            bytes,
        };
    }
    match last {
        Joined::Run { bytes, .. } => Some((memory, end, bytes)),
        Joined::One(_) => None,
    }
}

/// What becomes of a custom section.
fn custom(section: &CustomSectionReader<'_>, code_is_over: bool) -> Kind {
    match section.name() {
        "name" => Kind::Names(section.range()),
        // Nothing before the code moves.
        _ if !code_is_over => Kind::Kept,
        _ => Kind::Dropped,
    }
}

fn segments<'m>(wasm: &'m [u8], section: DataSectionReader<'m>) -> Option<Vec<Segment<'m>>> {
    section
        .into_iter()
        .map(|data| {
            let Data { kind, data, range } = data.ok()?;
            let is_passive = matches!(kind, DataKind::Passive);
            let active = match kind {
                DataKind::Passive => None,
                DataKind::Active {
                    memory_index,
                    offset_expr,
                } => constant(offset_expr.get_operators_reader())
                    .map(|(offset, is_wide)| (memory_index, offset, is_wide, data)),
            };
            let whole = wasm.get(range)?;
            Some(Segment {
                whole,
                active,
                is_passive,
            })
        })
        .collect()
}

/// The value of an expression that is one constant, and whether it has 64 bits.
fn constant(mut operators: wasmparser::OperatorsReader<'_>) -> Option<(u64, bool)> {
    let value = match operators.read().ok()? {
        Operator::I32Const { value } => (u64::from(value as u32), false),
        Operator::I64Const { value } => (value as u64, true),
        _ => return None,
    };
    matches!(operators.read().ok()?, Operator::End).then_some(value)
}

/// The contents of a data section.
fn encode(joined: &[Joined<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    push_number(&mut out, joined.len() as u64);
    for segment in joined {
        match segment {
            Joined::One(whole) => out.extend(*whole),
            Joined::Run {
                memory,
                offset,
                is_wide,
                bytes,
            } => {
                match memory {
                    0 => out.push(0),
                    _ => {
                        out.push(2);
                        push_number(&mut out, u64::from(*memory));
                    }
                }
                if *is_wide {
                    out.push(0x42);
                    push_signed(&mut out, *offset as i64);
                } else {
                    out.push(0x41);
                    push_signed(&mut out, i64::from(*offset as u32 as i32));
                }
                out.push(0x0b);
                push_number(&mut out, bytes.len() as u64);
                out.extend(bytes);
            }
        }
    }
    out
}

/// The contents of a name section without the names of data segments, whose numbers have changed.
fn without_data_names(contents: &[u8]) -> Vec<u8> {
    let parts = || {
        let mut reader = BinaryReader::new(contents, 0);
        reader.read_string().ok()?;
        let mut out = contents[..reader.current_position()].to_vec();
        while !reader.eof() {
            let start = reader.current_position();
            let number = reader.read_u8().ok()?;
            let length = reader.read_var_u32().ok()? as usize;
            reader.read_bytes(length).ok()?;
            if number != DATA_NAMES {
                out.extend(&contents[start..reader.current_position()]);
            }
        }
        Some(out)
    };
    // Names that cannot be read are nobody's loss.
    parts().unwrap_or_else(|| contents.to_vec())
}

fn push_section(out: &mut Vec<u8>, number: u8, contents: &[u8]) {
    out.push(number);
    push_number(out, contents.len() as u64);
    out.extend(contents);
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number in so many bytes; a smaller one than stood there always fits.
fn push_padded(out: &mut Vec<u8>, number: u32, bytes: usize) {
    for place in 0..bytes {
        let more = if place + 1 < bytes { 0x80 } else { 0 };
        let digits = u64::from(number) >> (7 * place);
        out.push(digits as u8 & 0x7f | more);
    }
}

fn push_signed(out: &mut Vec<u8>, mut number: i64) {
    loop {
        let digits = number as u8 & 0x7f;
        number >>= 7;
        let is_last = (number == 0 && digits & 0x40 == 0) || (number == -1 && digits & 0x40 != 0);
        if is_last {
            out.push(digits);
            return;
        }
        out.push(digits | 0x80);
    }
}
