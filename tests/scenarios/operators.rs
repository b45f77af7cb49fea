//! Every kind of operator a million times, on the smallest stack that a route may ask for.
//!
//! An interpreter whose handlers call each other instead of jumping leaves a frame on the native stack at every
//! turn. One kind that does so is enough for a guest to end by an overflow that it has not deserved.

mod kinds;

use anyhow::{Context, Result, ensure};
use luge_harness::{Kernel, Lab, Machine};
use serde_json::json;

use crate::guests::{Engine, Guests};
use kinds::{COUNTING, LOOPED};

scenarios![
    every_operator_runs_a_million_times_on_the_smallest_stack_in_the_interpreter,
    every_operator_runs_a_million_times_on_the_smallest_stack_as_native_code,
];

const TURNS: u32 = 1_000_000;
/// The smallest stack that a route may ask for, in bytes.
const STACK: u32 = 32 << 10;

fn every_operator_runs_a_million_times_on_the_smallest_stack_in_the_interpreter(
    lab: &Lab,
) -> Result<()> {
    all_run(&serve(lab, Engine::Wasmi)?)
}

fn every_operator_runs_a_million_times_on_the_smallest_stack_as_native_code(
    lab: &Lab,
) -> Result<()> {
    all_run(&serve(lab, Engine::Wasmtime)?)
}

fn names() -> impl Iterator<Item = &'static str> {
    LOOPED.iter().chain(COUNTING).map(|(name, _)| *name)
}

fn all_run(machine: &Machine) -> Result<()> {
    ensure!(names().count() >= 22, "there are more kinds than these");
    for name in names() {
        let response = machine.client().get(&format!("/{name}"))?;
        response.expect("").with_context(|| name)?;
    }
    Ok(())
}

fn serve(lab: &Lab, engine: Engine) -> Result<Machine> {
    let mut guests = Guests::none(lab, engine)?;
    let stack = json!({ "stack-size": STACK });
    for (name, turn) in LOOPED {
        guests = guests.text_with(name, &looping(turn), stack.clone())?;
    }
    for (name, call) in COUNTING {
        guests = guests.text_with(name, &counting(call), stack.clone())?;
    }
    lab.serve(&guests.boot(lab)?.kernel(Kernel::Scenarios))
}

/// A module that does `turn` again and again.
fn looping(turn: &str) -> String {
    format!(
        "(type $f (func (param i32) (result i32)))
        (table $t 16 64 funcref) (elem (table $t) (i32.const 0) func $one $one)
        (elem $segment func $one $one) (elem $droppable func $one)
        (data $bytes \"0123456789abcdef\") (data $dropped \"abc\")
        (global $gi (mut i32) (i32.const 0)) (global $gl (mut i64) (i64.const 0))
        (global $gf (mut f32) (f32.const 0)) (global $gd (mut f64) (f64.const 0))
        (global $gv (mut v128) (v128.const i64x2 0 0))
        (func $nothing) (func $one (type $f) (local.get 0))
        (func (export \"_start\")
            (local $zero i32) (local $turn i32) (local $i i32) (local $j i32) (local $l i64) (local $m i64)
            (local $f f32) (local $d f64) (local $v v128) (local $w v128) (local $r funcref)
            (local.set $turn (i32.const {TURNS}))
            (loop $again
                {turn}
                (br_if $again (local.tee $turn (i32.sub (local.get $turn) (i32.const 1))))))"
    )
}

/// A module that counts down by a call in the last place.
fn counting(call: &str) -> String {
    let operands = if call.contains("indirect") {
        "(i32.const 0)"
    } else {
        ""
    };
    format!(
        "(type $count (func (param i32)))
        (table $down_table 1 funcref) (elem (i32.const 0) $down)
        (func $down (type $count)
            (if (local.get 0) (then {call} (i32.sub (local.get 0) (i32.const 1)) {operands}))))
        (func (export \"_start\") (call $down (i32.const {TURNS})))"
    )
}
