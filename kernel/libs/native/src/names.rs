//! Which function an instruction of native code is in, by the symbols that the compiler leaves in it.
//!
//! The code is an ELF file, mapped as it lies on the disk. Its symbols are named after the module's functions:
//! `wasm[0]::function[7]::fib`, the last part where the module has a name section.

use elf::ElfBytes;
use elf::abi::STT_FUNC;
use elf::endian::LittleEndian;
use elf::symbol::Symbol;

/// A place in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'c> {
    /// The function's name in the file's symbols.
    pub function: &'c str,
    /// How far the instruction is from the function's first one, in bytes.
    pub offset: u64,
}

/// The function of the instruction at `offset` bytes from the beginning of `code`. None if there is none, or if
/// `code` is not what it should be.
#[must_use]
pub fn place_at(code: &[u8], offset: u64) -> Option<Place<'_>> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(code).ok()?;
    let text = file.section_header_by_name(".text").ok()??;
    let address = offset
        .checked_sub(text.sh_offset)
        .filter(|address| *address < text.sh_size)?;
    let (symbols, names) = file.symbol_table().ok()??;
    let symbol = symbols.iter().find(|symbol| has(symbol, address))?;
    Some(Place {
        function: names.get(symbol.st_name as usize).ok()?,
        offset: address - symbol.st_value,
    })
}

fn has(symbol: &Symbol, address: u64) -> bool {
    symbol.st_symtype() == STT_FUNC
        && address
            .checked_sub(symbol.st_value)
            .is_some_and(|offset| offset < symbol.st_size)
}
