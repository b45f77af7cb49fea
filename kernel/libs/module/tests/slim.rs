//! Rules of making modules smaller: they do the same afterwards.

use luge_module::{Saved, slim, validate};
use wasmi::{Engine, Global, Linker, Module, Mutability, Store, Val};

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("it is right")
}

/// What there is of a module's memories once it is instantiated, or why it is not.
fn memories(wasm: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).map_err(|why| why.to_string())?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let global = Global::new(&mut store, Val::I32(12), Mutability::Const);
    linker
        .define("g", "g", global)
        .map_err(|why| why.to_string())?;
    let instance = linker
        .instantiate_and_start(&mut store, &module)
        .map_err(|why| why.to_string())?;
    let names = ["a", "b"];
    let memories = names
        .iter()
        .filter_map(|name| instance.get_memory(&store, name));
    Ok(memories
        .map(|memory| memory.data(&store).to_vec())
        .collect())
}

/// The smaller module, which must be valid, do the same, have the same bytes up to the end of the code, and not become
/// smaller still.
fn checked(wasm: &[u8]) -> Option<(Vec<u8>, Saved)> {
    assert!(validate(wasm).is_ok(), "{:?}", validate(wasm).err());
    let slim = slim(wasm)?;
    assert!(
        validate(&slim.wasm).is_ok(),
        "{:?}",
        validate(&slim.wasm).err()
    );
    assert_eq!(memories(wasm), memories(&slim.wasm));
    assert_eq!(luge_module::slim(&slim.wasm), None, "once is enough");
    Some((slim.wasm, slim.saved))
}

fn segments(text: &str) -> (u32, u32) {
    let wasm = wat(&format!("(module {text})"));
    checked(&wasm).map_or((0, 0), |(_, saved)| {
        (saved.segments_before, saved.segments_after)
    })
}

fn custom(name: &str, bytes: usize) -> Vec<u8> {
    assert!(name.len() + bytes < 0x7f);
    let length = 1 + name.len() + bytes;
    let head = [0, length as u8, name.len() as u8];
    [&head[..], name.as_bytes(), &vec![7; bytes]].concat()
}

#[test]
fn custom_sections_go_and_names_stay() {
    let plain = wat("(module $m (func $f) (memory (export \"a\") 1) (data (i32.const 0) \"x\"))");
    let mut full = plain.clone();
    full.extend(custom(".debug_info", 50));
    full.extend(custom("producers", 10));
    let (slim, saved) = checked(&full).expect("there is something to save");
    assert_eq!(slim, plain);
    assert_eq!(saved.custom_bytes, full.len() - plain.len());
    assert!(slim.windows(4).any(|bytes| bytes == b"name"));
    assert_eq!(checked(&plain), None);
}

#[test]
fn neighbours_are_joined_and_others_are_not() {
    let memory = "(import \"g\" \"g\" (global i32)) (memory (export \"a\") 1)";
    for (data, expected) in [
        // Side by side, and with gaps of up to 64 zeroes.
        (
            "(data (i32.const 8) \"ab\") (data (i32.const 10) \"cd\") (data (i32.const 76) \"e\")",
            (3, 1),
        ),
        (
            "(data (i32.const 8) \"ab\") (data (i32.const 75) \"cd\")",
            (0, 0),
        ),
        // Not backwards, nor one over the other.
        (
            "(data (i32.const 10) \"cd\") (data (i32.const 8) \"ab\")",
            (0, 0),
        ),
        (
            "(data (i32.const 8) \"abc\") (data (i32.const 10) \"cd\")",
            (0, 0),
        ),
        // A gap into which an earlier one was written.
        (
            "(data (i32.const 12) \"x\") (data (i32.const 8) \"ab\") (data (i32.const 16) \"cd\")",
            (0, 0),
        ),
        (
            "(data (i32.const 12) \"x\") (data (i32.const 8) \"ab\") (data (i32.const 10) \"cd\")",
            (3, 2),
        ),
        (
            "(data (i32.const 99) \"x\") (data (i32.const 8) \"ab\") (data (i32.const 16) \"cd\")",
            (3, 2),
        ),
        // One that begins nobody knows where may have been.
        (
            "(data (global.get 0) \"x\") (data (i32.const 8) \"ab\") (data (i32.const 16) \"cd\")",
            (0, 0),
        ),
        (
            "(data \"p\") (data (i32.const 8) \"ab\") (data (i32.const 16) \"cd\")",
            (3, 2),
        ),
        // Named by code: with all before it, it keeps its number.
        (
            "(data (i32.const 0) \"a\") (data (i32.const 1) \"b\") (data (i32.const 2) \"c\") (data (i32.const 3) \"d\") (func data.drop 1)",
            (4, 3),
        ),
        (
            "(data (i32.const 0) \"a\") (data (i32.const 1) \"b\") (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0)))",
            (0, 0),
        ),
        (
            "(data (i32.const 0) \"a\") (data (i32.const 1) \"b\") (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
            (2, 1),
        ),
        // Beyond the memory: both fail.
        (
            "(data (i32.const 65535) \"a\") (data (i32.const 65536) \"b\")",
            (2, 1),
        ),
        (
            "(data (i32.const 65535) \"a\") (data (i32.const 65540) \"\")",
            (2, 1),
        ),
        (
            "(data (i32.const 65535) \"a\") (data (i32.const 65536) \"\")",
            (2, 1),
        ),
        (
            "(data (i32.const -2) \"a\") (data (i32.const -1) \"b\")",
            (2, 1),
        ),
        // In two memories.
        (
            "(memory (export \"b\") 1) (data (i32.const 0) \"a\") (data (memory 1) (i32.const 1) \"b\") (data (memory 1) (i32.const 2) \"c\")",
            (3, 2),
        ),
    ] {
        assert_eq!(segments(&format!("{memory} {data}")), expected, "{data}");
    }
    let wide =
        "(memory (export \"a\") i64 1) (data (i64.const 8) \"ab\") (data (i64.const 12) \"cd\")";
    assert_eq!(segments(wide), (2, 1));
    // A memory of somebody else's may have anything in it.
    let foreign = wat(
        "(module (import \"a\" \"b\" (memory 1)) (data (i32.const 0) \"a\") (data (i32.const 1) \"b\"))",
    );
    assert_eq!(slim(&foreign), None);
}

#[test]
fn nothing_up_to_the_end_of_the_code_moves_so_offsets_in_reports_stay_right() {
    let many: String = (0..200)
        .map(|at| format!("(data (i32.const {at}) \"x\")"))
        .collect();
    let text = format!(
        "(module (memory (export \"a\") 1) (func $f (memory.copy (i32.const 0) (i32.const 0) (i32.const 1))) \
         (func data.drop 0) (data $d (i32.const 0) \"\") {many})"
    );
    let before = wat(&text);
    let (after, saved) = checked(&before).expect("there is something to save");
    assert_eq!((saved.segments_before, saved.segments_after), (201, 2));
    let drop = [0xfc, 9, 0, 0x0b];
    let at = before
        .windows(4)
        .position(|bytes| bytes == drop)
        .expect("it drops");
    assert_eq!(after[at..at + 4], drop);
    let different: Vec<_> = (0..at).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(
        different.len(),
        2,
        "the count of segments is in two bytes, and stays there"
    );
}

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Segments in all ways, mostly near one another.
fn any_module(numbers: &mut Numbers) -> Vec<u8> {
    let mut text = String::from(
        "(module (import \"g\" \"g\" (global i32)) (memory (export \"a\") 1) (memory (export \"b\") 1)",
    );
    let mut at = 65_536 * numbers.below(2) + numbers.below(200);
    for number in 0..numbers.below(12) {
        let bytes: String = (0..numbers.below(6))
            .map(|_| format!("\\{:02x}", 1 + numbers.below(255)))
            .collect();
        at = match numbers.below(8) {
            0 => at.saturating_sub(numbers.below(20)),
            1 => numbers.below(66_000),
            2 | 3 => at,
            _ => at + numbers.below(80),
        };
        let memory = if numbers.below(4) == 0 { 1 } else { 0 };
        text += &match numbers.below(12) {
            0 => format!("(data \"{bytes}\")"),
            1 => format!("(data (memory {memory}) (global.get 0) \"{bytes}\")"),
            2 => format!(
                "(data (memory {memory}) (i32.add (i32.const {at}) (i32.const 1)) \"{bytes}\")"
            ),
            _ => format!("(data (memory {memory}) (i32.const {at}) \"{bytes}\")"),
        };
        if numbers.below(30) == 0 {
            text += &format!("(func data.drop {number})");
        }
        at += bytes.len() as u64 / 3;
    }
    wat(&(text + ")"))
}

#[test]
fn whatever_segments_a_module_has_its_memories_are_the_same_afterwards() {
    let mut numbers = Numbers(7);
    let (mut joined, mut failing) = (0, 0);
    for _ in 0..5_000 {
        let wasm = any_module(&mut numbers);
        failing += u32::from(memories(&wasm).is_err());
        joined += u32::from(checked(&wasm).is_some());
    }
    // Of both kinds there were many, or this would show nothing.
    assert!(
        joined > 1_000 && failing > 100,
        "{joined} joined, {failing} failing"
    );
}

#[test]
fn what_is_no_module_stays_as_it_is() {
    let mut whole =
        wat("(module (memory 1) (func) (data (i32.const 0) \"a\") (data (i32.const 1) \"b\"))");
    assert_eq!(slim(b""), None);
    assert_eq!(slim(b"\0asm\x0d\0\x01\0"), None);
    for at in 0..whole.len() {
        let _ = slim(&whole[..at]);
        let byte = whole[at];
        for other in 0..=255 {
            whole[at] = other;
            if let Some(slim) = slim(&whole).filter(|_| validate(&whole).is_ok()) {
                assert!(validate(&slim.wasm).is_ok());
            }
        }
        whole[at] = byte;
    }
}
