//! Rules of the stores that are replaced before the interpreter sees a module.
//!
//! What must be replaced is not spelled out here: fed to wasmi 2.0.0 directly, it ends the program that it is fed
//! to. These modules are its neighbours, which wasmi takes as they are.

use std::borrow::Cow;

use luge_module::{validate, with_every_store_replaced};

/// All stores of integers, with the type of their value and an instruction that makes one of the address.
const STORES: [(&str, &str); 7] = [
    ("i32.store", ""),
    ("i32.store8", ""),
    ("i32.store16", ""),
    ("i64.store", "i64.extend_i32_s"),
    ("i64.store8", "i64.extend_i32_s"),
    ("i64.store16", "i64.extend_i32_s"),
    ("i64.store32", "i64.extend_i32_s"),
];

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is right")
}

fn is_left_alone(module: &[u8]) -> bool {
    let checked = validate(module).expect("it is valid");
    matches!(checked.for_interpreter(), Ok(Cow::Borrowed(same)) if same == module)
}

#[test]
fn a_module_with_nothing_to_replace_is_not_copied() {
    for (store, widen) in STORES {
        for operands in [
            "local.get 0 i32.const 5",
            "i32.const 5 local.get 0",
            "local.get 0 local.get 1",
            "local.get 0 (i32.add (local.get 0) (i32.const 8))",
            "(i32.load (local.get 0)) local.get 0",
            "i32.const 8 (local.tee 0 (local.get 1))",
            "global.get 0 local.get 0",
        ] {
            let module = wat(&format!(
                "(module (memory 2) (global (mut i32) (i32.const 0))
                   (func (param i32 i32) {operands} {widen} {store} offset=70000))"
            ));
            assert!(is_left_alone(&module), "{store} {operands}");
        }
        // With a short encoding, no operands matter.
        let short = wat(&format!(
            "(module (memory 1) (func (param i32) local.get 0 local.get 0 {widen} {store} offset=8))"
        ));
        assert!(is_left_alone(&short), "{store}");
    }
}

#[test]
fn a_store_is_replaced_where_a_block_hides_what_its_operands_are() {
    for (store, widen) in STORES {
        let module = wat(&format!(
            "(module (memory 2)
               (func (param i32)
                 (block (result i32) (br 0 (i32.add (local.get 0) (i32.const 4))))
                 (block (result i32) (br 0 (i32.add (local.get 0) (i32.const 8))))
                 {widen}
                 {store} offset=70000))"
        ));
        // What widens a value makes a new one, so that there is nothing to hide.
        assert_eq!(is_left_alone(&module), !widen.is_empty(), "{store}");
    }
}

#[test]
fn only_the_store_and_the_lengths_around_it_change() {
    let module = wat("(module (memory 1) (func) (func (param i32)
        (i32.store16 offset=4 align=1 (local.get 0) (i32.const 7))) (func) (data (i32.const 0) \"end\"))");
    let replaced = with_every_store_replaced(&module);
    let expected = wat("(module (memory 1) (func) (func (param i32)
        (i32.store16 offset=4 align=1 (local.get 0) (i32.extend16_s (i32.const 7)))) (func) (data (i32.const 0) \"end\"))");
    assert_eq!(&*replaced, expected);
}

#[test]
fn each_store_becomes_one_that_writes_the_same_bytes() {
    let replaced = |store: &str, value: &str| {
        let module = format!(
            "(module (memory 1) (memory 1) (func (param i32) ({store} 1 offset=4 (local.get 0) {value})))"
        );
        with_every_store_replaced(&wat(&module)).into_owned()
    };
    for (store, kind, conversion, becomes) in [
        ("i32.store", "i32", "f32.reinterpret_i32", "f32.store"),
        ("i64.store", "i64", "f64.reinterpret_i64", "f64.store"),
        ("i32.store8", "i32", "i32.extend8_s", "i32.store8"),
        ("i32.store16", "i32", "i32.extend16_s", "i32.store16"),
        ("i64.store8", "i64", "i64.extend8_s", "i64.store8"),
        ("i64.store16", "i64", "i64.extend16_s", "i64.store16"),
        ("i64.store32", "i64", "i64.extend32_s", "i64.store32"),
    ] {
        let value = format!("({kind}.const 7)");
        let align = match store {
            "i32.store" => "align=4",
            "i64.store" => "align=8",
            _ => "",
        };
        let module = format!(
            "(module (memory 1) (memory 1) (func (param i32) ({becomes} 1 offset=4 {align} (local.get 0) ({conversion} {value}))))"
        );
        assert_eq!(replaced(store, &value), wat(&module), "{store}");
    }
}

/// Lengths are numbers of as many bytes as they need: one store more may need one more in the function's and in the
/// section's.
#[test]
fn lengths_grow_where_they_must_at_every_size_of_a_function() {
    for stores in (1..60).chain([2_000, 2_500, 3_000]) {
        let store = "(i32.store (local.get 0) (local.get 1))".repeat(stores);
        let nothing = "nop ".repeat(stores % 7);
        let module = wat(&format!(
            "(module (memory 1) (func (param i32 i32) {store} {nothing}) (func (param i32 i32) {store}))"
        ));
        let replaced = with_every_store_replaced(&module);
        assert!(validate(&replaced).is_ok(), "{stores}");
        assert!(replaced.len() >= module.len() + 2 * stores);
    }
}

#[test]
fn a_length_in_more_bytes_than_it_needs_is_read_right() {
    // Type () -> (); one memory; one function whose length, like the section's, takes five bytes.
    let module: &[u8] = &[
        0, b'a', b's', b'm', 1, 0, 0, 0, // the head
        1, 4, 1, 0x60, 0, 0, // types
        3, 2, 1, 0, // functions
        5, 3, 1, 0, 1, // memories
        10, 0x8f, 0x80, 0x80, 0x80, 0, 1, // the code section: 15 bytes
        0x89, 0x80, 0x80, 0x80, 0, 0, // a function: 9 bytes, no local variables
        0x41, 0, 0x41, 0, 0x36, 2, 0, 0x0b, // i32.store of 0 at 0
    ];
    assert!(validate(module).is_ok());
    let replaced = with_every_store_replaced(module);
    assert!(validate(&replaced).is_ok());
    assert_eq!(
        replaced[23..],
        [10, 12, 1, 10, 0, 0x41, 0, 0x41, 0, 0xbe, 0x38, 2, 0, 0x0b]
    );
}

#[test]
fn a_store_that_nothing_reaches_may_be_replaced_too() {
    let module = wat(
        "(module (memory 2) (func unreachable i32.store offset=70000 i64.store8 offset=70000))",
    );
    let checked = validate(&module).expect("it is valid");
    assert!(validate(&checked.for_interpreter().unwrap()).is_ok());
    assert!(validate(&with_every_store_replaced(&module)).is_ok());
}
