//! Guests that throw, as text: the fields of modules, as in [`super::text`].

/// Throws from ever deeper frames, past a handler for another exception and through one that takes whatever comes
/// and throws it on, and looks whether what arrives is what was thrown. Writes `caught` when all is well.
pub const CAUGHT: &str = r#"
    (tag $thrown (param i32 i64 f32 f64 v128))
    (tag $other (param i32))
    (data (i32.const 64) "caught\n")
    (func $down (param $levels i32) (result i32)
        (if (i32.eqz (local.get $levels)) (then
            (throw $thrown (i32.const 7) (i64.const 0x1_0000_0001) (f32.const 0.25) (f64.const -1.5)
                (v128.const i64x2 3 0x7fff_ffff_ffff_ffff))))
        (i32.add (i32.const 1) (call $down (i32.sub (local.get $levels) (i32.const 1)))))
    (func $past (param $levels i32) (result i32)
        (block $not_this (result i32)
            (return (try_table (result i32) (catch $other $not_this) (call $down (local.get $levels)))))
        (drop) (call $exit (i32.const 2)) (unreachable))
    (func $on (param $levels i32) (result i32)
        (block $any (result exnref)
            (return (try_table (result i32) (catch_all_ref $any) (call $past (local.get $levels)))))
        (throw_ref))
    (func $catch (param $levels i32) (local $i i32) (local $l i64) (local $f f32) (local $d f64) (local $v v128)
        (block $it (result i32 i64 f32 f64 v128)
            (drop (try_table (result i32) (catch $thrown $it) (call $on (local.get $levels))))
            (call $exit (i32.const 3)) (unreachable))
        (local.set $v) (local.set $d) (local.set $f) (local.set $l) (local.set $i)
        (if (i32.ne (local.get $i) (i32.const 7)) (then (call $exit (i32.const 4))))
        (if (i64.ne (local.get $l) (i64.const 0x1_0000_0001)) (then (call $exit (i32.const 5))))
        (if (f32.ne (local.get $f) (f32.const 0.25)) (then (call $exit (i32.const 6))))
        (if (f64.ne (local.get $d) (f64.const -1.5)) (then (call $exit (i32.const 7))))
        (if (i64.ne (i64x2.extract_lane 0 (local.get $v)) (i64.const 3)) (then (call $exit (i32.const 8))))
        (if (i64.ne (i64x2.extract_lane 1 (local.get $v)) (i64.const 0x7fff_ffff_ffff_ffff))
            (then (call $exit (i32.const 9)))))
    (func (export "_start") (local $levels i32)
        (loop $deeper
            (call $catch (local.get $levels))
            (br_if $deeper (i32.lt_u (local.tee $levels (i32.add (local.get $levels) (i32.const 1)))
                (i32.const 100))))
        (i32.store (i32.const 16) (i32.const 64))
        (i32.store (i32.const 20) (i32.const 7))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))"#;

/// Throws what nobody catches: the handler on the way is for another exception.
pub const UNCAUGHT: &str = r#"
    (tag $thrown (param i32)) (tag $other)
    (func $inner (throw $thrown (i32.const 7)))
    (func $middle (block $not_this (try_table (catch $other $not_this) (call $inner))))
    (func $start (export "_start") (call $middle))"#;

/// Throws a reference to no exception.
pub const NULL: &str = r#"
    (func $inner (throw_ref (ref.null exn)))
    (func $middle (call $inner))
    (func $start (export "_start") (call $middle))"#;

/// Catches what it throws, again and again, and does nothing else.
pub const ENDLESS: &str = r#"
    (tag $thrown (param i32))
    (func $inner (param i32) (throw $thrown (local.get 0)))
    (func (export "_start") (local $n i32)
        (loop $again
            (block $it (result i32)
                (try_table (catch $thrown $it) (call $inner (i32.add (local.get $n) (i32.const 1))))
                (unreachable))
            (local.set $n)
            (br $again)))"#;

/// Keeps every exception that it throws: each has the one before it.
pub const KEPT: &str = r#"
    (tag $thrown (param exnref))
    (func (export "_start") (local $last exnref)
        (loop $again
            (block $it (result exnref exnref)
                (try_table (catch_ref $thrown $it) (throw $thrown (local.get $last)))
                (unreachable))
            (local.set $last) (drop)
            (br $again)))"#;

/// A recursion without end whose every frame would catch whatever comes.
pub const CAUGHT_OVERFLOW: &str = r#"
    (func $deeper (param i32) (result i32)
        (block $any (try_table (catch_all $any)
            (return (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))))
        (i32.const 1))
    (func (export "_start") (drop (call $deeper (i32.const 0))))"#;

/// Reads two numbers from its input and goes down as many levels as the first says, each of which keeps a reference to
/// one exception. At the bottom it throws another one, which is caught at the top. If the second number is not 0 it
/// catches so many of its own there first, and throws none: then a level throws the one that it has kept.
pub const THROWN_FROM_BELOW: &str = r#"
    (tag $thrown (param i32)) (tag $mark (param i64))
    (func $throw (param i32) (throw $thrown (local.get 0)))
    (func $down (param $levels i32) (param $kept exnref) (param $times i32) (result i32)
        (if (i32.eqz (local.get $levels)) (then
            (if (i32.eqz (local.get $times)) (then (throw $thrown (i32.const 7))))
            (loop $again
                (block $it (result i32)
                    (try_table (catch $thrown $it) (call $throw (local.get $times)))
                    (unreachable))
                (drop)
                (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
            (throw_ref (local.get $kept))))
        (drop (call $down (i32.sub (local.get $levels) (i32.const 1)) (local.get $kept) (local.get $times)))
        (throw_ref (local.get $kept)))
    (func $mark (result exnref)
        (block $it (result i64 exnref)
            (try_table (catch_ref $mark $it) (throw $mark (i64.const 0x1234_5678_9abc_def0))) (unreachable))
        (return))
    (func (export "_start") (local $mark exnref)
        (i32.store (i32.const 16) (i32.const 32))
        (i32.store (i32.const 20) (i32.const 8))
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
        (local.set $mark (call $mark))
        (block $other (result i64)
            (block $it (result i32)
                (drop (try_table (result i32) (catch $thrown $it) (catch $mark $other)
                    (call $down (i32.load (i32.const 32)) (local.get $mark) (i32.load (i32.const 36)))))
                (unreachable))
            (if (i32.ne (i32.const 7)) (then (call $exit (i32.const 1))))
            (return))
        (if (i64.ne (i64.const 0x1234_5678_9abc_def0)) (then (call $exit (i32.const 2)))))"#;

/// Catches so many of its own exceptions while it computes something that all of them go into: [`counted`].
pub fn counting(times: u32) -> String {
    format!(
        r#"(tag $thrown (param i64))
        (func $inner (param i64) (throw $thrown
            (i64.add (i64.mul (local.get 0) (i64.const 6364136223846793005)) (i64.const 1442695040888963407))))
        (func (export "_start") (local $x i64) (local $left i32)
            (local.set $left (i32.const {times}))
            (loop $again
                (block $it (result i64)
                    (try_table (catch $thrown $it) (call $inner (local.get $x)))
                    (unreachable))
                (local.set $x)
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (i64.store (i32.const 64) (local.get $x))
            (i32.store (i32.const 16) (i32.const 64))
            (i32.store (i32.const 20) (i32.const 8))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))"#
    )
}

/// What [`counting`] writes.
pub fn counted(times: u32) -> u64 {
    (0..times).fold(0, |x: u64, _| {
        x.wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407)
    })
}

/// A function in the form of exceptions before the standard: `try`, `nop`, `catch_all`, `end`.
pub const OLD_FORM: &str = r#"
    (func (export "_start") try nop catch_all end)"#;
