//! The kinds of operator, each as what a loop does at every turn.
//!
//! Nothing in them is constant that an engine could work out beforehand: `$zero` is a local, and so is
//! everything else. By how much memories and tables grow is the exception: these are the forms that any build of
//! wasmi 2.0.0 runs (decision 5).

/// A kind of operator: its name, and the instructions of one turn.
pub type Kind = (&'static str, &'static str);

/// Kinds that a loop's body shows.
pub const LOOPED: &[Kind] = &[
    (
        "i32-arithmetic",
        "(local.set $i (i32.add (i32.mul (local.get $i) (local.get $turn)) (i32.sub (local.get $i) (i32.const 7))))
        (local.set $i (i32.xor (i32.div_u (local.get $i) (local.get $turn)) (i32.rem_s (local.get $i) (local.get $turn))))
        (local.set $i (i32.or (i32.shl (local.get $i) (local.get $turn)) (i32.shr_s (local.get $i) (local.get $turn))))
        (local.set $i (i32.and (i32.rotl (local.get $i) (local.get $turn)) (i32.shr_u (local.get $i) (local.get $zero))))
        (local.set $i (i32.add (i32.clz (local.get $i)) (i32.add (i32.ctz (local.get $i)) (i32.popcnt (local.get $i)))))",
    ),
    (
        "i64-arithmetic",
        "(local.set $l (i64.add (i64.mul (local.get $l) (i64.extend_i32_u (local.get $turn))) (i64.sub (local.get $l) (i64.const 7))))
        (local.set $l (i64.xor (i64.div_s (local.get $l) (i64.const 3)) (i64.rem_u (local.get $l) (i64.extend_i32_u (local.get $turn)))))
        (local.set $l (i64.or (i64.shl (local.get $l) (local.get $l)) (i64.shr_u (local.get $l) (i64.const 3))))
        (local.set $l (i64.and (i64.rotr (local.get $l) (local.get $l)) (i64.shr_s (local.get $l) (i64.const 1))))
        (local.set $l (i64.add (i64.clz (local.get $l)) (i64.add (i64.ctz (local.get $l)) (i64.popcnt (local.get $l)))))",
    ),
    (
        "f32-arithmetic",
        "(local.set $f (f32.add (f32.mul (local.get $f) (f32.const 1.5)) (f32.convert_i32_s (local.get $turn))))
        (local.set $f (f32.sub (f32.div (local.get $f) (f32.const 3)) (f32.sqrt (f32.abs (local.get $f)))))
        (local.set $f (f32.min (f32.ceil (local.get $f)) (f32.max (f32.floor (local.get $f)) (f32.nearest (local.get $f)))))
        (local.set $f (f32.copysign (f32.neg (local.get $f)) (f32.trunc (local.get $f))))",
    ),
    (
        "f64-arithmetic",
        "(local.set $d (f64.add (f64.mul (local.get $d) (f64.const 1.5)) (f64.convert_i32_s (local.get $turn))))
        (local.set $d (f64.sub (f64.div (local.get $d) (f64.const 3)) (f64.sqrt (f64.abs (local.get $d)))))
        (local.set $d (f64.min (f64.ceil (local.get $d)) (f64.max (f64.floor (local.get $d)) (f64.nearest (local.get $d)))))
        (local.set $d (f64.copysign (f64.neg (local.get $d)) (f64.trunc (local.get $d))))",
    ),
    (
        "i32-comparisons",
        "(local.set $i (i32.add (i32.lt_s (local.get $i) (local.get $turn)) (i32.ge_u (local.get $i) (local.get $turn))))
        (local.set $i (i32.add (i32.eq (local.get $i) (local.get $turn)) (i32.ne (local.get $i) (i32.eqz (local.get $turn)))))
        (local.set $i (i32.add (i32.gt_s (local.get $i) (local.get $turn)) (i32.le_u (local.get $i) (local.get $turn))))",
    ),
    (
        "i64-comparisons",
        "(local.set $i (i32.add (i64.lt_u (local.get $l) (i64.const 5)) (i64.ge_s (local.get $l) (i64.const -5))))
        (local.set $i (i32.add (i64.eq (local.get $l) (i64.const 1)) (i32.add (local.get $i) (i64.eqz (local.get $l)))))
        (local.set $l (i64.extend_i32_u (i64.ne (local.get $l) (i64.extend_i32_s (local.get $turn)))))",
    ),
    (
        "float-comparisons",
        "(local.set $i (i32.add (f32.lt (local.get $f) (f32.const 1)) (f32.ge (local.get $f) (f32.const 2))))
        (local.set $i (i32.add (f64.eq (local.get $d) (f64.const 1)) (f64.ne (local.get $d) (f64.const 2))))
        (local.set $i (i32.add (f32.gt (local.get $f) (f32.const 1)) (f64.le (local.get $d) (f64.const 2))))",
    ),
    (
        "conversions",
        "(local.set $i (i32.wrap_i64 (i64.extend_i32_s (i32.extend8_s (local.get $turn)))))
        (local.set $f (f32.demote_f64 (f64.convert_i64_u (i64.extend_i32_u (local.get $turn)))))
        (local.set $d (f64.promote_f32 (f32.reinterpret_i32 (i32.trunc_sat_f32_s (local.get $f)))))
        (local.set $l (i64.add (i64.trunc_f64_s (f64.const 12.5)) (i64.reinterpret_f64 (local.get $d))))
        (local.set $l (i64.extend16_s (i64.extend32_s (local.get $l))))",
    ),
    (
        "loads",
        "(local.set $i (i32.add (i32.load (local.get $zero)) (i32.load8_s offset=3 (local.get $zero))))
        (local.set $i (i32.add (i32.load16_u (local.get $i)) (i32.load8_u (local.get $zero))))
        (local.set $l (i64.add (i64.load offset=8 (local.get $zero)) (i64.load32_s (local.get $zero))))
        (local.set $f (f32.load (local.get $zero))) (local.set $d (f64.load (local.get $zero)))
        (local.set $i (local.get $zero))",
    ),
    (
        "stores",
        "(i32.store (local.get $zero) (local.get $turn)) (i32.store8 offset=3 (local.get $zero) (local.get $turn))
        (i32.store16 (local.get $zero) (i32.const 1)) (i64.store offset=8 (local.get $zero) (local.get $l))
        (i64.store32 (i32.const 16) (local.get $l)) (f32.store (local.get $zero) (local.get $f))
        (f64.store (local.get $zero) (local.get $d))",
    ),
    (
        "select",
        "(local.set $i (select (local.get $i) (local.get $turn) (local.get $zero)))
        (local.set $l (select (local.get $l) (i64.const 1) (local.get $turn)))
        (local.set $d (select (local.get $d) (f64.const 1) (i32.eqz (local.get $turn))))
        (local.set $r (select (result funcref) (local.get $r) (ref.null func) (local.get $zero)))",
    ),
    (
        "locals",
        "(local.set $i (local.tee $j (local.get $turn))) (local.set $j (local.get $i))
        (local.set $l (local.tee $m (i64.const 3))) (local.set $m (local.get $l))
        (local.set $v (local.get $w)) (local.set $w (local.get $v))",
    ),
    (
        "globals",
        "(global.set $gi (i32.add (global.get $gi) (local.get $turn))) (global.set $gl (global.get $gl))
        (global.set $gf (global.get $gf)) (global.set $gd (f64.add (global.get $gd) (f64.const 1)))
        (global.set $gv (global.get $gv))",
    ),
    (
        "branches",
        "(block $out (if (i32.and (local.get $turn) (i32.const 1)) (then (br $out)) (else (local.set $i (i32.const 1))))
            (br_if $out (i32.eqz (local.get $turn))) (local.set $i (i32.const 2)))",
    ),
    (
        "br_table",
        "(block $c (block $b (block $a
            (br_table $a $b $c (i32.and (local.get $turn) (i32.const 3)))) (local.set $i (i32.const 1))) (local.set $i (i32.const 2)))",
    ),
    ("call", "(local.set $i (call $one (local.get $turn))) (call $nothing)"),
    (
        "call_indirect",
        "(local.set $i (call_indirect $t (type $f) (local.get $turn) (i32.and (local.get $turn) (i32.const 1))))",
    ),
    (
        "call_of_the_host",
        "(drop (call $random (local.get $zero) (local.get $zero)))",
    ),
    (
        "memory.size",
        "(local.set $i (i32.add (local.get $i) (memory.size)))",
    ),
    ("memory.grow", "(drop (memory.grow (i32.const 0)))"),
    (
        "memory.fill",
        "(memory.fill (i32.const 64) (local.get $turn) (i32.and (local.get $turn) (i32.const 15)))",
    ),
    (
        "memory.copy",
        "(memory.copy (i32.const 64) (i32.const 70) (i32.and (local.get $turn) (i32.const 15)))",
    ),
    (
        "memory.init",
        "(memory.init $bytes (i32.const 64) (i32.const 1) (i32.and (local.get $turn) (i32.const 7))) (data.drop $dropped)",
    ),
    (
        "table.get",
        "(local.set $r (table.get $t (i32.and (local.get $turn) (i32.const 7))))",
    ),
    (
        "table.set",
        "(table.set $t (i32.and (local.get $turn) (i32.const 7)) (local.get $r))",
    ),
    (
        "table.size",
        "(local.set $i (i32.add (local.get $i) (table.size $t)))",
    ),
    (
        "table.grow",
        "(drop (table.grow $t (ref.null func) (i32.const 0)))",
    ),
    (
        "table.fill",
        "(table.fill $t (i32.const 4) (ref.null func) (i32.and (local.get $turn) (i32.const 7)))",
    ),
    (
        "table.copy",
        "(table.copy $t $t (i32.const 4) (i32.const 5) (i32.and (local.get $turn) (i32.const 7)))",
    ),
    (
        "table.init",
        "(table.init $t $segment (i32.const 4) (i32.const 0) (i32.and (local.get $turn) (i32.const 1))) (elem.drop $droppable)",
    ),
    (
        "references",
        "(local.set $r (ref.func $one)) (local.set $i (ref.is_null (local.get $r))) (local.set $r (ref.null func))",
    ),
    (
        "vectors-of-integers",
        "(local.set $v (i32x4.add (i32x4.splat (local.get $turn)) (i16x8.mul (local.get $v) (local.get $w))))
        (local.set $v (i8x16.shuffle 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31 (local.get $v) (local.get $w)))
        (local.set $w (v128.bitselect (local.get $v) (i64x2.shl (local.get $w) (local.get $turn)) (v128.not (local.get $v))))
        (local.set $i (i8x16.bitmask (i32x4.gt_s (local.get $v) (local.get $w))))",
    ),
    (
        "vectors-of-floats",
        "(local.set $v (f32x4.add (f32x4.convert_i32x4_s (local.get $v)) (f32x4.sqrt (local.get $w))))
        (local.set $w (f64x2.mul (f64x2.splat (local.get $d)) (f64x2.pmin (local.get $w) (local.get $v))))
        (local.set $d (f64x2.extract_lane 1 (local.get $w)))",
    ),
    (
        "vectors-in-memory",
        "(local.set $v (v128.load offset=16 (local.get $zero))) (v128.store offset=32 (local.get $zero) (local.get $v))
        (local.set $v (v128.load8_lane 3 (local.get $zero) (local.get $v))) (v128.store64_lane 1 (local.get $zero) (local.get $v))
        (local.set $w (v128.load16x4_u (local.get $zero))) (local.set $w (v128.load32_splat (local.get $zero)))",
    ),
];

/// Kinds that are a loop by themselves: functions of this name count down by them.
pub const COUNTING: &[Kind] = &[
    ("return_call", "(return_call $down"),
    (
        "return_call_indirect",
        "(return_call_indirect $down_table (type $count)",
    ),
];
