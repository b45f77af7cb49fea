//! Where the stack in linear memory lies, and whether it has run out.

use luge_module::{ShadowStack, validate};

/// A module as `wasm-ld` writes it: the first global, the initial data, and what is exported.
fn module(global: &str, data: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (memory (export "memory") 3)
            (global {global})
            (global i32 (i32.const 5))
            (func (export "_start"))
            {data})"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

const BELOW: &str = r#"(data (i32.const 65536) "text") (data (i32.const 67000) "more")"#;
const ABOVE: &str = r#"(data (i32.const 1024) "text") (data (i32.const 3408) "more")"#;

#[test]
fn a_stack_below_the_data_is_as_large_as_its_pointer_says() {
    for data in [BELOW, ""] {
        let stack = ShadowStack::of(&module("(mut i32) (i32.const 65536)", data)).unwrap();
        assert_eq!((stack.bytes(), stack.is_exact()), (65536, true));
    }
}

#[test]
fn a_stack_above_the_data_is_at_most_what_is_between() {
    let stack = ShadowStack::of(&module("(mut i32) (i32.const 70784)", ABOVE)).unwrap();
    assert_eq!((stack.bytes(), stack.is_exact()), (70784 - 3412, false));
}

#[test]
fn what_the_linker_does_not_write_has_no_known_stack() {
    for (global, data) in [
        ("i32 (i32.const 65536)", BELOW),
        ("(mut i64) (i64.const 65536)", BELOW),
        ("(mut i32) (i32.const 65537)", ""),
        ("(mut i32) (i32.const 0)", ""),
        // Data on both sides.
        ("(mut i32) (i32.const 66048)", BELOW),
        ("$heap (mut i32) (i32.const 65536)", BELOW),
    ] {
        assert_eq!(ShadowStack::of(&module(global, data)), None, "{global}");
    }
    let named = module("$__stack_pointer (mut i32) (i32.const 65536)", BELOW);
    assert!(ShadowStack::of(&named).is_some());
    assert_eq!(ShadowStack::of(b"\0asm\x01\0\0\0"), None);
    assert_eq!(ShadowStack::of(b"not a module"), None);
}

#[test]
fn a_pointer_that_has_left_the_stack_has_used_it_up() {
    let below = ShadowStack::of(&module("(mut i32) (i32.const 65536)", BELOW)).unwrap();
    for pointer in [0, 100, u32::MAX, 0xffff_0000, 65552] {
        assert!(below.is_used_up_at(pointer), "{pointer}");
    }
    for pointer in [128, 1000, 65536] {
        assert!(!below.is_used_up_at(pointer), "{pointer}");
    }
    let above = ShadowStack::of(&module("(mut i32) (i32.const 70784)", ABOVE)).unwrap();
    for pointer in [3411, 1024, 0, u32::MAX] {
        assert!(above.is_used_up_at(pointer), "{pointer}");
    }
    assert!(!above.is_used_up_at(70784) && !above.is_used_up_at(5248));
}

#[test]
fn an_address_just_below_0_is_where_the_stack_ends() {
    let stack = ShadowStack::of(&module("(mut i32) (i32.const 65536)", BELOW)).unwrap();
    for (address, is_so) in [
        (0xffff_ffff, true),
        (0xffff_fe9e, true),
        (0xffff_0000, true),
        (0xfffe_ffff, false),
        (0x3_0000, false),
        (0x1_0000_0000, false),
    ] {
        assert_eq!(stack.is_used_up_by(address), is_so, "{address:#x}");
    }
}

#[test]
fn the_module_with_its_stack_pointer_exported_is_the_same_and_valid() {
    let wasm = module("(mut i32) (i32.const 65536)", BELOW);
    let stack = ShadowStack::of(&wasm).unwrap();
    let (exported, name) = stack.exported(&wasm).unwrap();
    assert!(validate(&exported).is_ok());
    assert_eq!(ShadowStack::of(&exported), Some(stack));
    assert_eq!(exported.len(), wasm.len() + 1 + name.len() + 2);
    let added = [&[name.len() as u8], name.as_bytes(), &[3, 0]].concat();
    let at = exported.windows(added.len()).position(|part| part == added);
    let mut without = exported.clone();
    without.drain(at.unwrap()..at.unwrap() + added.len());
    let differ = without
        .iter()
        .zip(&wasm)
        .filter(|(one, other)| one != other);
    assert_eq!(
        differ.count(),
        2,
        "the lengths of the section and of its list"
    );
    // It has the name already.
    assert_eq!(stack.exported(&exported), None);
}

/// So that lengths take more bytes than before.
#[test]
fn an_export_section_may_become_so_long_that_its_lengths_do() {
    let many: String = (0..127)
        .map(|number| format!("(export \"{number:0120}\" (func 0))"))
        .collect();
    let wasm = module("(mut i32) (i32.const 65536)", &(BELOW.to_owned() + &many));
    let stack = ShadowStack::of(&wasm).unwrap();
    let (exported, _) = stack.exported(&wasm).unwrap();
    assert!(validate(&exported).is_ok());
}
