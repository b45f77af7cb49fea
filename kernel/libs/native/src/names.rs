//! Which function an instruction of native code is in, and which instruction of the module it was made from: by what
//! the compiler leaves beside the code.
//!
//! The code is an ELF file, mapped as it lies on the disk. Its symbols are named after the module's functions:
//! `wasm[0]::function[7]::fib`, the last part where the module has a name section, shortened and without what is not
//! ASCII. They lie in the order of the functions' addresses. A table of the engine's tells for each instruction how
//! far into the module's file its origin lies.

use elf::ElfBytes;
use elf::abi::STT_FUNC;
use elf::endian::LittleEndian;
use elf::parse::ParsingTable;
use elf::string_table::StringTable;
use elf::symbol::Symbol;

/// A file of native code, as far as names go.
pub struct Code<'c> {
    /// Where the code lies in the file, and how long it is, in bytes.
    text: (u64, u64),
    symbols: ParsingTable<'c, LittleEndian, Symbol>,
    names: StringTable<'c>,
    /// The table of origins, in the engine's own format.
    origins: &'c [u8],
}

/// A place in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'c> {
    /// The function's name in the file's symbols.
    pub function: &'c str,
    /// How far the instruction is from the function's first one, in bytes.
    pub offset: u64,
    /// How far into the module's file the instruction lies that it was made from, in bytes. Not known of what the
    /// compiler adds, nor without the feature `engine`.
    pub origin: Option<u32>,
}

impl<'c> Code<'c> {
    /// None if `file` is not what it should be.
    #[must_use]
    pub fn open(file: &'c [u8]) -> Option<Self> {
        let file = ElfBytes::<LittleEndian>::minimal_parse(file).ok()?;
        let text = file.section_header_by_name(".text").ok()??;
        let (symbols, names) = file.symbol_table().ok()??;
        let origins = file.section_header_by_name(".wasmtime.addrmap").ok()?;
        let origins = origins.and_then(|section| file.section_data(&section).ok());
        Some(Self {
            text: (text.sh_offset, text.sh_size),
            symbols,
            names,
            origins: origins.map_or(&[], |(bytes, _)| bytes),
        })
    }

    /// The function of the instruction at `offset` bytes from the beginning of the file, if there is one.
    #[must_use]
    pub fn place_at(&self, offset: u64) -> Option<Place<'c>> {
        let (start, bytes) = self.text;
        let address = offset
            .checked_sub(start)
            .filter(|address| *address < bytes)?;
        let symbol = self
            .symbol_before(address)
            .filter(|symbol| has(symbol, address))?;
        Some(Place {
            function: self.names.get(symbol.st_name as usize).ok()?,
            offset: address - symbol.st_value,
            origin: origin_of(self.origins, address),
        })
    }

    /// The last symbol that is not behind `address`.
    fn symbol_before(&self, address: u64) -> Option<Symbol> {
        let (mut low, mut high) = (0, self.symbols.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.symbols.get(middle) {
                Ok(symbol) if symbol.st_value <= address => low = middle + 1,
                _ => high = middle,
            }
        }
        self.symbols.get(low.checked_sub(1)?).ok()
    }
}

fn has(symbol: &Symbol, address: u64) -> bool {
    symbol.st_symtype() == STT_FUNC
        && address
            .checked_sub(symbol.st_value)
            .is_some_and(|offset| offset < symbol.st_size)
}

#[cfg(feature = "engine")]
fn origin_of(origins: &[u8], address: u64) -> Option<u32> {
    let address = usize::try_from(address).ok()?;
    wasmtime_environ::lookup_file_pos(origins, address)?.file_offset()
}

#[cfg(not(feature = "engine"))]
fn origin_of(_: &[u8], _: u64) -> Option<u32> {
    None
}

/// The number of a module's function, imports counted, and its name if it has one, from the name of its symbol. None
/// of what is not a module's function: trampolines of the engine's.
#[must_use]
pub fn of_module(symbol: &str) -> Option<(u32, Option<&str>)> {
    let (_, rest) = symbol.strip_prefix("wasm[")?.split_once("]::function[")?;
    let (number, rest) = rest.split_once(']')?;
    Some((number.parse().ok()?, rest.strip_prefix("::")))
}
