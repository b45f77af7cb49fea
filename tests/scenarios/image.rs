//! What is in the kernel's image where.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use elf::ElfBytes;
use elf::abi::STT_FUNC;
use elf::endian::LittleEndian;
use luge_harness::{Kernel, Lab};

scenarios![guest_code_is_the_executors_handlers_and_nothing_else,];

/// The handlers of the interpreter's executor, as the compiler names the path.
const HANDLERS: &str = "5wasmi6engine8executor7handler4exec";
/// What benchmarks and scenarios put beside them.
const STAND_INS: &str = "11luge_kernel4arch8stand_in";
/// The most that lies between two functions to align the second, in bytes.
const ALIGNMENT: u64 = 64;

/// A function of the kernel.
struct Function {
    name: String,
    start: u64,
    end: u64,
}

impl Function {
    /// Whether it is defined at this path or below. A generic function is not, whatever its types are.
    fn is_below(&self, path: &str) -> bool {
        // `_RNv`, an `Nt` for each step, and the crate with its hash.
        let steps = self.name.strip_prefix("_RNv");
        let steps = steps.or_else(|| self.name.strip_prefix("_RINv"));
        let krate = steps.and_then(|steps| steps.trim_start_matches("Nt").strip_prefix("Cs"));
        let hash_and_path = krate.and_then(|krate| krate.split_once('_'));
        hash_and_path.is_some_and(|(_, below)| below.starts_with(path))
    }
}

/// What may be preempted and ended by its address alone is what holds nothing of the kernel's, and no more.
fn guest_code_is_the_executors_handlers_and_nothing_else(lab: &Lab) -> Result<()> {
    for kernel in [Kernel::Product, Kernel::Scenarios] {
        check(&fs::read(lab.workshop().kernel(&kernel)?)?)?;
    }
    Ok(())
}

fn check(file: &[u8]) -> Result<()> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(file)?;
    let (guest, functions) = guest_code(&file)?;
    let (inside, outside): (Vec<_>, Vec<_>) = functions
        .iter()
        .partition(|function| guest.contains(&function.start));
    let mut known_to = guest.start;
    for function in &inside {
        let name = &function.name;
        let expected = function.is_below(HANDLERS) || function.is_below(STAND_INS);
        ensure!(expected, "{name} is in guest code");
        let gap = function.start.saturating_sub(known_to);
        ensure!(gap <= ALIGNMENT, "{gap} bytes of nobody before {name}");
        known_to = known_to.max(function.end);
    }
    ensure!(known_to == guest.end, "its last bytes are nobody's");
    let handlers = inside.iter().filter(|found| found.is_below(HANDLERS));
    ensure!(handlers.count() > 1000, "most handlers are missing");
    let stray = outside.iter().find(|found| found.is_below(HANDLERS));
    let stray = stray.map(|found| &found.name);
    ensure!(stray.is_none(), "{stray:?} is not in guest code");
    Ok(())
}

/// Where guest code is, and all functions by their addresses.
fn guest_code(file: &ElfBytes<LittleEndian>) -> Result<(Range<u64>, Vec<Function>)> {
    let (symbols, names) = file.symbol_table()?.context("it has no symbols")?;
    let (mut start, mut end, mut functions) = (0, 0, Vec::new());
    for symbol in symbols.iter() {
        match names.get(symbol.st_name as usize)? {
            "__guest_code_start" => start = symbol.st_value,
            "__guest_code_end" => end = symbol.st_value,
            name if symbol.st_symtype() == STT_FUNC => functions.push(Function {
                name: name.to_owned(),
                start: symbol.st_value,
                end: symbol.st_value + symbol.st_size,
            }),
            _ => {}
        }
    }
    functions.sort_by_key(|function| function.start);
    Ok((start..end, functions))
}
