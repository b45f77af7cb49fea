//! Guests as text, most of them ways to fault.
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

/// Elements that lie behind their table.
pub const ELEMENTS: &str = "
    (table 1 funcref) (elem (i32.const 1) $f)
    (func $f) (func (export \"_start\"))";

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

/// A division by zero while all vector registers have something to lose.
pub fn vectors_live() -> String {
    let load = |vector: usize| format!("(v128.load offset={} (i32.const 0))", 16 * vector);
    let vectors: String = (0..16).map(load).collect();
    let stores = "(local.set $kept) (v128.store (i32.const 0) (local.get $kept))".repeat(16);
    format!(
        "(func (export \"_start\") (local $kept v128)
            (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 256))
            {vectors}
            (i32.store (i32.const 512) (i32.div_u (i32.const 1) (i32.load (i32.const 256))))
            {stores})"
    )
}

/// Reads two numbers from its input and goes down as many levels as the first says. There it stays for as
/// many turns as the second says, or calls the host if that is none. Then it comes back.
pub const DESCEND: &str = "
    (func $deeper (param $levels i32) (param $turns i32) (result i32)
        (if (result i32) (local.get $levels)
            (then (i32.add (i32.const 1)
                (call $deeper (i32.sub (local.get $levels) (i32.const 1)) (local.get $turns))))
            (else
                (if (i32.eqz (local.get $turns)) (then (drop (call $random (i32.const 0) (i32.const 8)))))
                (if (local.get $turns) (then
                    (loop $stay
                        (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
                        (br_if $stay (local.get $turns)))))
                (i32.const 0))))
    (func (export \"_start\")
        (i32.store (i32.const 16) (i32.const 32))
        (i32.store (i32.const 20) (i32.const 8))
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
        (drop (call $deeper (i32.load (i32.const 32)) (i32.load (i32.const 36)))))";

/// Says `computing` in the log, computes for so many turns with integers, floats and memory, and writes 8
/// bytes that all of it went into: [`computed`].
pub fn computation(turns: u32) -> String {
    format!(
        "(data (i32.const 65536) \"computing\\n\")
        (func $say (param $where i32) (param $at i32) (param $bytes i32)
            (i32.store (i32.const 65552) (local.get $at))
            (i32.store (i32.const 65556) (local.get $bytes))
            (drop (call $write (local.get $where) (i32.const 65552) (i32.const 1) (i32.const 65560))))
        (func (export \"_start\") (local $x i64) (local $f f64) (local $at i32) (local $turn i32)
            (call $say (i32.const 2) (i32.const 65536) (i32.const 10))
            (local.set $turn (i32.const {turns}))
            (loop $on
                (local.set $x (i64.add (i64.const 1442695040888963407)
                    (i64.mul (local.get $x) (i64.const 6364136223846793005))))
                (local.set $f (f64.add (local.get $f)
                    (f64.convert_i64_u (i64.shr_u (local.get $x) (i64.const 40)))))
                (local.set $at (i32.and (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 48)))
                    (i32.const 0xfff8)))
                (i64.store (local.get $at) (i64.xor (i64.load (local.get $at)) (local.get $x)))
                (local.set $turn (i32.sub (local.get $turn) (i32.const 1)))
                (br_if $on (local.get $turn)))
            (local.set $x (i64.xor (local.get $x) (i64.reinterpret_f64 (local.get $f))))
            (local.set $at (i32.const 0))
            (loop $fold
                (local.set $x (i64.add (i64.rotl (local.get $x) (i64.const 1))
                    (i64.load (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $fold (i32.lt_u (local.get $at) (i32.const 65536))))
            (i64.store (i32.const 65568) (local.get $x))
            (call $say (i32.const 1) (i32.const 65568) (i32.const 8)))"
    )
}

/// What [`computation`] writes.
pub fn computed(turns: u32) -> u64 {
    let (mut x, mut f) = (0_u64, 0_f64);
    let mut memory = vec![0_u64; 8192];
    for _ in 0..turns {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f += (x >> 40) as f64;
        memory[(x >> 51) as usize] ^= x;
    }
    let start = x ^ f.to_bits();
    memory
        .iter()
        .fold(start, |x, word| x.rotate_left(1).wrapping_add(*word))
}

/// A call of an import of `luge_scenario` that takes these operands.
pub fn calling(import: &str, operands: &str) -> String {
    let parameters = "i32 ".repeat(operands.matches(".const").count());
    format!(
        "(import \"luge_scenario\" \"{import}\" (func $import (param {parameters})))
         (func (export \"_start\") (call $import {operands}))"
    )
}

/// The module with these fields, in bytes.
pub fn module(fields: &str) -> Vec<u8> {
    let text = format!(
        "(module
            (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
            (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"fd_read\" (func $read (param i32 i32 i32 i32) (result i32)))
            (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
            {fields}
            (memory (export \"memory\") 17))"
    );
    wat::parse_str(text).expect("the text is right")
}
