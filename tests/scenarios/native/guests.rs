//! Guests for native code: ways to fault, as text.
//!
//! Each is the fields of a module besides its memory, which has 17 pages.

use std::fmt::Write as _;

/// A recursion of two functions.
pub const MUTUAL: &str = "
    (func $a (param i32) (result i32) (i32.add (i32.const 1) (call $b (i32.add (local.get 0) (i32.const 1)))))
    (func $b (param i32) (result i32) (i32.add (i32.const 1) (call $a (i32.add (local.get 0) (i32.const 1)))))
    (func (export \"_start\") (drop (call $a (i32.const 0))))";

/// A recursion through a table.
pub const INDIRECT: &str = "
    (table 1 funcref) (elem (i32.const 0) $deeper)
    (type $f (func (param i32) (result i32)))
    (func $deeper (type $f)
        (i32.add (i32.const 1)
            (call_indirect (type $f) (i32.add (local.get 0) (i32.const 1)) (i32.const 0))))
    (func (export \"_start\") (drop (call_indirect (type $f) (i32.const 0) (i32.const 0))))";

/// A recursion that calls the host at every level, so also at the last.
pub const HOST_CALLS: &str = "
    (func $deeper (param i32) (result i32)
        (drop (call $random (i32.const 0) (i32.const 8)))
        (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))
    (func (export \"_start\") (drop (call $deeper (i32.const 0))))";

/// A recursion that stays at every level for longer than a quantum of 50 us, so that the timer's
/// interrupt comes at the last bytes of the stack too.
pub const LINGERING: &str = "
    (func $deeper (param i32) (result i32) (local i32)
        (local.set 1 (i32.const 60000))
        (loop $stay
            (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
            (br_if $stay (local.get 1)))
        (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))
    (func (export \"_start\") (drop (call $deeper (i32.const 0))))";

/// A trap before there is an instance.
pub const START: &str = "
    (func $first unreachable) (start $first)
    (func (export \"_start\"))";

/// An overflow before there is an instance.
pub const RECURSIVE_START: &str = "
    (func $first (call $first) (i32.store (i32.const 0) (i32.const 1))) (start $first)
    (func (export \"_start\"))";

/// Initial data that lies behind the memory.
pub const DATA: &str = "
    (data (i32.const 1114111) \"ab\")
    (func (export \"_start\"))";

/// What compiled C does when its own stack, which lies at the start of its memory, is used up.
pub const SHADOW_STACK: &str = "
    (global $sp (mut i32) (i32.const 4096))
    (func $deeper
        (global.set $sp (i32.sub (global.get $sp) (i32.const 64)))
        (i32.store (global.get $sp) (i32.const 1))
        (call $deeper)
        (i32.store (i32.const 0) (i32.const 1)))
    (func (export \"_start\") (call $deeper))";

/// A store with the largest offset there is from the largest address there is.
pub const FARTHEST: &str = "
    (func (export \"_start\") (i64.store offset=4294967295 (i32.const -1) (i64.const 1)))";

/// A store to the byte before the guard that needs a check in software, and beyond.
pub const FAR: &str = "
    (func (export \"_start\") (i64.store offset=2147483640 (i32.const -1) (i64.const 1)))";

/// The largest memory that is told apart from what lies behind it: a store to its last bytes is fine, one
/// byte further is not.
pub const STRADDLING: &str = "
    (func (export \"_start\")
        (i32.store (i32.const 1114108) (i32.const 1))
        (i32.store (i32.const 1114109) (i32.const 1)))";

/// Reads memory that nobody wrote to, and ends with 1 if it is not zero; writes all of it then.
pub const TRACES: &str = "
    (func (export \"_start\") (local $at i32)
        (loop $look
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (call $exit (i32.const 1))))
            (i64.store (local.get $at) (i64.const 0x5a5a5a5a5a5a5a5a))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $look (i32.lt_u (local.get $at) (i32.const 1114112)))))";

/// Looks whether its initial data is what it was compiled with, and spoils it.
pub const DATA_TRACES: &str = "
    (data (i32.const 65536) \"abcdefgh\")
    (func (export \"_start\")
        (if (i64.ne (i64.load (i32.const 65536)) (i64.const 0x6867666564636261))
            (then (call $exit (i32.const 1))))
        (i64.store (i32.const 65536) (i64.const 0)))";

/// A recursion whose frames have at least so many bytes: as many vectors live across the call.
pub fn frames_of(bytes: usize) -> String {
    let vectors = bytes / 16;
    let mut text = String::from("(func $deeper (param $n i32) (local");
    text.push_str(&" v128".repeat(vectors));
    text.push(')');
    for vector in 0..vectors {
        let (local, offset) = (vector + 1, 16 * vector);
        let _ = write!(
            text,
            "(local.set {local} (v128.load offset={offset} (i32.const 0)))"
        );
    }
    text.push_str("(call $deeper (i32.add (local.get $n) (i32.const 1)))");
    for vector in 0..vectors {
        let (local, offset) = (vector + 1, 16 * vector);
        let _ = write!(
            text,
            "(v128.store offset={offset} (i32.const 16) (local.get {local}))"
        );
    }
    text.push_str(") (func (export \"_start\") (call $deeper (i32.const 0)))");
    text
}

/// The module with these fields, in bytes.
pub fn module(fields: &str) -> Vec<u8> {
    let text = format!(
        "(module
            (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
            (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
            (memory (export \"memory\") 17)
            {fields})"
    );
    wat::parse_str(text).expect("the text is right")
}
