//! Which function an instruction of native code is in.

use luge_native::names::{Code, Place, of_module};

fn place_at(code: &[u8], offset: u64) -> Option<Place<'_>> {
    Code::open(code)?.place_at(offset)
}

/// A section of the file under test.
struct Section {
    name: &'static str,
    kind: u32,
    link: u32,
    entry_bytes: u64,
    bytes: Vec<u8>,
}

const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
/// `STT_FUNC` and `STT_OBJECT`, local.
const FUNCTION: u8 = 2;
const OBJECT: u8 = 1;
/// Where the first section lies: where the engine has its code.
const TEXT: u64 = 0x1000;

fn symbol(name: u32, kind: u8, value: u64, size: u64) -> Vec<u8> {
    let mut bytes = name.to_le_bytes().to_vec();
    bytes.extend([kind, 0, 1, 0]);
    bytes.extend(value.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes
}

/// The file that the sections make, the first of them at [`TEXT`].
fn file(mut sections: Vec<Section>) -> Vec<u8> {
    let mut names = vec![0];
    let mut starts = Vec::new();
    for name in sections
        .iter()
        .map(|section| section.name)
        .chain([".shstrtab"])
    {
        starts.push(names.len() as u32);
        names.extend(name.bytes().chain([0]));
    }
    sections.push(Section {
        name: ".shstrtab",
        kind: STRTAB,
        link: 0,
        entry_bytes: 0,
        bytes: names,
    });
    let mut headers = vec![0; 64];
    let mut file = vec![0; TEXT as usize];
    for (section, name) in sections.iter().zip(starts) {
        let offset = file.len() as u64;
        headers.extend([name, section.kind].map(u32::to_le_bytes).concat());
        let words = [0, 0, offset, section.bytes.len() as u64];
        headers.extend(words.map(u64::to_le_bytes).concat());
        headers.extend([section.link, 0].map(u32::to_le_bytes).concat());
        headers.extend([1, section.entry_bytes].map(u64::to_le_bytes).concat());
        file.extend(&section.bytes);
    }
    let place = file.len() as u64;
    file.extend(headers);
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\xc8");
    file[16..24].copy_from_slice(&[1, 0, 62, 0, 1, 0, 0, 0]);
    file[40..48].copy_from_slice(&place.to_le_bytes());
    let counts = [
        64,
        0,
        0,
        64,
        sections.len() as u16 + 1,
        sections.len() as u16,
    ];
    file[52..64].copy_from_slice(&counts.map(u16::to_le_bytes).concat());
    file
}

fn code() -> Vec<u8> {
    let symbols = [
        symbol(0, 0, 0, 0),
        symbol(1, FUNCTION, 0, 0x20),
        symbol(22, FUNCTION, 0x40, 0x10),
        symbol(1, OBJECT, 0x60, 0x10),
    ];
    let section = |name, kind, link, entry_bytes, bytes| Section {
        name,
        kind,
        link,
        entry_bytes,
        bytes,
    };
    file(vec![
        section(".text", PROGBITS, 0, 0, vec![0x90; 0x100]),
        section(".symtab", SYMTAB, 3, 24, symbols.concat()),
        section(
            ".strtab",
            STRTAB,
            0,
            0,
            b"\0wasm[0]::function[0]\0wasm[0]::function[1]::fib\0".to_vec(),
        ),
    ])
}

#[test]
fn an_instruction_is_in_the_function_around_it() {
    let code = code();
    let place = |function, offset| {
        Some(Place {
            function,
            offset,
            origin: None,
        })
    };
    assert_eq!(place_at(&code, TEXT), place("wasm[0]::function[0]", 0));
    assert_eq!(
        place_at(&code, TEXT + 0x1f),
        place("wasm[0]::function[0]", 0x1f)
    );
    assert_eq!(
        place_at(&code, TEXT + 0x44),
        place("wasm[0]::function[1]::fib", 4)
    );
}

#[test]
fn what_is_in_no_function_has_no_name() {
    let code = code();
    for offset in [
        0,
        TEXT - 1,
        TEXT + 0x20,
        TEXT + 0x50,
        TEXT + 0x60,
        TEXT + 0x100,
        u64::MAX,
    ] {
        assert_eq!(place_at(&code, offset), None, "{offset:#x}");
    }
}

#[test]
fn whatever_is_damaged_there_is_no_panic() {
    let code = code();
    for length in (0..code.len()).step_by(7) {
        let _ = place_at(&code[..length], TEXT + 1);
    }
    for place in (0..64).chain(code.len() - 64 * 5..code.len()) {
        for value in [0x00, 0x7f, 0xff] {
            let mut damaged = code.clone();
            damaged[place] = value;
            let _ = place_at(&damaged, TEXT + 1);
        }
    }
}

#[test]
fn a_function_of_the_module_has_a_number_and_perhaps_a_name() {
    for (symbol, wanted) in [
        ("wasm[0]::function[0]", Some((0, None))),
        ("wasm[0]::function[17]::fib", Some((17, Some("fib")))),
        ("wasm[0]::function[17]::a::b]", Some((17, Some("a::b]")))),
        ("wasm[0]::function[17]::", Some((17, Some("")))),
        ("wasm[0]::array_to_wasm_trampoline[33]", None),
        ("signatures[1]::wasm_to_array_trampoline", None),
        ("wasmtime_builtin_memory_grow", None),
        ("wasm[0]::function[]", None),
        ("wasm[0]::function[99999999999]", None),
        ("", None),
    ] {
        assert_eq!(of_module(symbol), wanted, "{symbol}");
    }
}
