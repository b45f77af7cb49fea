//! Rules of the engine that no guest of the collection shows.

use std::sync::Arc;

use crate::cases::{PATIENCE, execute};
use crate::engine::{CompileError, INTERPRETER, LARGEST_MODULE};
use crate::sandbox::{Sandbox, Workload};

fn compile(text: &str) -> Result<Arc<dyn Workload>, CompileError> {
    INTERPRETER.load(&wat::parse_str(text).expect("the text is right"), &[])
}

fn refusal(text: &str) -> CompileError {
    compile(text).err().expect("it is refused")
}

/// How a command ends that consists of these fields, besides its memory of one page.
fn outcome(fields: &str) -> String {
    outcome_of(&format!("(memory (export \"memory\") 1) {fields}"))
}

fn outcome_of(fields: &str) -> String {
    let program = compile(&format!("(module {fields})")).expect("it is admitted");
    execute(program, Sandbox::default(), PATIENCE).0
}

const EXIT: &str = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;

#[test]
fn a_start_function_may_call_wasi() {
    let fields = r#"
        (memory (export "memory") 1)
        (start $first)
        (func $first (call $exit (i32.const 5)))
        (func (export "_start"))"#;
    assert_eq!(outcome_of(&format!("{EXIT} {fields}")), "exit 5");
}

#[test]
fn a_function_may_be_imported_twice() {
    let fields = r#"
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 4)))"#;
    assert_eq!(outcome_of(&format!("{EXIT} {fields}")), "exit 4");
}

#[test]
fn nine_thousand_nested_calls_are_fine() {
    let fields = r#"
        (func $sum (param $n i32) (result i32)
          (if (result i32) (local.get $n)
            (then (i32.add (local.get $n) (call $sum (i32.sub (local.get $n) (i32.const 1)))))
            (else (i32.const 0))))
        (func (export "_start")
          (if (i32.ne (call $sum (i32.const 9000)) (i32.const 40504500)) (then unreachable)))"#;
    assert_eq!(outcome(fields), "exit 0");
}

#[test]
fn what_was_given_for_tables_is_missing_for_memory() {
    // Of 64 MiB, 63 for the table; then memory may grow by 15 pages beyond its first, not by 16.
    let fields = r#"
        (table $t 0 funcref)
        (func (export "_start")
          (if (i32.eq (table.grow $t (ref.null func) (i32.const 16515072)) (i32.const -1))
            (then unreachable))
          (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
          (if (i32.ne (memory.grow (i32.const 15)) (i32.const 1)) (then unreachable)))"#;
    assert_eq!(outcome(fields), "exit 0");
}

#[test]
fn a_table_that_is_too_large_to_begin_with_is_out_of_memory() {
    let fields = r#"(table 9000000 funcref) (table 9000000 funcref) (func (export "_start"))"#;
    assert_eq!(outcome(fields), "trap out-of-memory");
}

#[test]
fn data_that_does_not_fit_is_out_of_bounds() {
    let fields = r#"(data (i32.const 65535) "ab") (func (export "_start"))"#;
    assert_eq!(outcome(fields), "trap memory-out-of-bounds");
}

#[test]
fn elements_that_do_not_fit_are_out_of_bounds() {
    let fields = r#"(table 1 funcref) (elem (i32.const 1) $f) (func $f (export "_start"))"#;
    assert_eq!(outcome(fields), "trap table-out-of-bounds");
}

#[test]
fn vectors_work() {
    let fields = r#"
        (func (export "_start")
          (if (i32.ne (i32x4.extract_lane 2
                (i32x4.mul (i32x4.splat (i32.const 6)) (i32x4.splat (i32.const 7)))) (i32.const 42))
            (then unreachable)))"#;
    assert_eq!(outcome(fields), "exit 0");
}

#[test]
fn a_module_that_is_too_large_is_not_even_parsed() {
    let error = INTERPRETER.load(&vec![0; LARGEST_MODULE + 1], &[]).err();
    assert_eq!(error, Some(CompileError::TooLarge(LARGEST_MODULE + 1)));
}

#[test]
fn a_start_with_parameters_is_no_command() {
    let text = r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#;
    assert_eq!(refusal(text), CompileError::WrongExport("_start"));
}

#[test]
fn a_memory_must_be_the_modules_own() {
    let text = r#"(module (import "env" "memory" (memory 1)) (export "memory" (memory 0))
                    (func (export "_start")))"#;
    let error = refusal(text).to_string();
    let said = "it imports \"env\" \"memory\", which nobody provides; its memory must be its own";
    assert!(error.contains(said), "{error}");
}

#[test]
fn a_command_s_memory_is_one_of_32_bits_and_not_shared() {
    let text = |memory: &str| {
        format!(r#"(module (memory (export "memory") {memory}) (func (export "_start")))"#)
    };
    assert_eq!(refusal(&text("i64 1")), CompileError::WideMemory);
    let shared = refusal(&text("1 1 shared"));
    assert!(matches!(shared, CompileError::Invalid(_)), "{shared}");
}

#[test]
fn a_module_of_very_many_tiny_functions_is_taken() {
    let functions = "(func)".repeat(40_000);
    let text =
        format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {functions})"#);
    let module = wat::parse_str(text).expect("it is right");
    assert!(INTERPRETER.load(&module, &[]).is_ok());
}

#[test]
fn a_reason_is_one_line() {
    let error = INTERPRETER
        .load(b"no module", &[])
        .err()
        .expect("it is refused")
        .to_string();
    assert!(!error.contains('\n'), "{error}");
}
