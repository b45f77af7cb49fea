//! A script whose every expectation is wrong: the kernel must say so of each.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use luge_conformance::{Action, Expected, Lane, Pattern, Value};
use luge_trap::Trap;

use crate::groups::Steps;
use crate::modules::Compiler;

const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (global (export "global") i32 (i32.const 5))
    (func (export "one") (result i32) i32.const 1)
    (func (export "nan") (result f32) f32.const nan:0x200001)
    (func (export "trap") unreachable)
    (func $recurse (export "recurse") (result i32) (i32.add (call $recurse) (i32.const 1))))"#;

/// How many expectations there are.
const EXPECTATIONS: usize = 11;

/// Writes the script into `folder`, and says how many steps it has.
pub fn write(compiler: &Compiler, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let good = compiler.compile(wat::parse_str(MODULE)?)?;
    let bad = compiler.compile(b"\0asm\x01\0\0\0\x01".to_vec())?;
    let mut steps = Steps::new(good.clone());
    let good = steps.module(good);
    let bad = steps.module(bad);
    steps.step(1, Action::Compile(good), Expected::Refused);
    steps.step(2, Action::Compile(bad), Expected::Done);
    steps.instantiate(3, good, Expected::Unlinkable);
    // As a preparation, line 0, it counts only if it fails.
    let instance = steps.instantiate(0, good, Expected::Done);
    let unreachable = || Expected::trap(Trap::Unreachable);
    let values = |pattern| Expected::Values(vec![pattern]);
    for (line, name, expected) in [
        (4, "one", values(Pattern::Exactly(Value::I32(2)))),
        (5, "one", values(Pattern::Exactly(Value::I64(1)))),
        (6, "one", unreachable()),
        (7, "nan", values(Pattern::F32(Lane::CanonicalNan))),
        (8, "trap", Expected::Done),
        (9, "recurse", unreachable()),
    ] {
        let action = Action::Invoke {
            instance,
            name: name.to_owned(),
            arguments: Vec::new(),
        };
        steps.step(line, action, expected);
    }
    let name = "global".to_owned();
    let action = Action::Get { instance, name };
    steps.step(10, action, values(Pattern::Exactly(Value::I32(6))));
    let name = "memory".to_owned();
    let action = Action::Digest { instance, name };
    steps.step(11, action, Expected::Digest([0; 32]));
    println!("wrong: {EXPECTATIONS} steps");
    fs::write(folder.join("wrong.script"), steps.write("wrong"))?;
    Ok(())
}
