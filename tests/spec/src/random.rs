//! Modules made at random by `wasm-smith`, each from its own seed, with what each does in wasmtime on this machine.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use arbitrary::Unstructured;
use luge_conformance::{Expected, Value};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use wasm_smith::Config;
use wasmtime::ValType;

use crate::groups::Steps;
use crate::host::Host;
use crate::modules::Compiler;

/// How many modules are in a script.
const PER_SCRIPT: u64 = 50;
/// How many bytes of chance a module is made from.
const CHANCE: usize = 8 << 10;
/// How many calls and turns of loops a module has in all before it ends itself as `unreachable`: so few that no
/// engine's stack overflows, whatever its frames are like.
const FUEL: u32 = 300;

/// Writes scripts of so many modules into `folder`, and says how many steps they have.
pub fn write(compiler: &Compiler, folder: &Path, modules: u64) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let host = Host::new()?;
    for first in (0..modules).step_by(PER_SCRIPT as usize) {
        let name = format!("random-{first:04}");
        let nothing = compiler.compile(b"\0asm\x01\0\0\0".to_vec())?;
        let mut steps = Steps::new(nothing);
        let mut traps = 0;
        for seed in first..modules.min(first + PER_SCRIPT) {
            let added = add(compiler, &host, &mut steps, seed);
            traps += added.with_context(|| format!("seed {seed}"))?;
        }
        println!("{name}: {} steps, {traps} of them trap", steps.len());
        let path = folder.join(format!("{name}.script"));
        fs::write(&path, steps.write(&name))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Adds the module of a seed: its instance, a call of each function that it exports, and a look at its globals
/// and memories. The seed stands for the line. Gives how many of its steps end in a trap.
fn add(compiler: &Compiler, host: &Host, steps: &mut Steps, seed: u64) -> Result<usize> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let wasm = module(&mut chance)?;
    let (instantiated, observed) = host.observe(&wasm, |ty| argument(&mut chance, ty))?;
    let place = steps.module(compiler.compile(wasm)?);
    let line = seed as u32 + 1;
    let all = observed.iter().map(|(_, expected)| expected);
    let is_trap = |expected: &&Expected| matches!(expected, Expected::Traps(_));
    let traps = all.chain([&instantiated]).filter(is_trap).count();
    // Without an instance, nothing has been observed.
    let instance = steps.instantiate(line, place, instantiated);
    for (action, expected) in observed {
        steps.step_of(line, instance, action, expected);
    }
    Ok(traps)
}

fn module(chance: &mut ChaCha8Rng) -> Result<Vec<u8>> {
    let mut bytes = vec![0; CHANCE];
    chance.fill_bytes(&mut bytes);
    let mut module = wasm_smith::Module::new(config(), &mut Unstructured::new(&bytes))?;
    module
        .ensure_termination(FUEL)
        .map_err(|why| anyhow::anyhow!("{why:?}"))?;
    Ok(module.to_bytes())
}

/// The proposals of the kernel's engines, without what an engine may choose: NaNs are made canonical, vectors are
/// not relaxed, memories and tables grow to limits of their own.
fn config() -> Config {
    Config {
        allow_start_export: true,
        export_everything: true,
        canonicalize_nans: true,
        max_imports: 0,
        min_funcs: 4,
        max_funcs: 16,
        max_instructions: 150,
        max_memories: 3,
        min_memories: 1,
        max_tables: 3,
        memory_max_size_required: true,
        max_memory32_bytes: 4 << 16,
        max_memory64_bytes: 4 << 16,
        table_max_size_required: true,
        max_table_elements: 1_000,
        memory64_enabled: true,
        bulk_memory_enabled: true,
        multi_value_enabled: true,
        reference_types_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: true,
        tail_call_enabled: true,
        extended_const_enabled: true,
        relaxed_simd_enabled: false,
        compact_imports_enabled: false,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// An argument: a small number as often as any.
fn argument(chance: &mut ChaCha8Rng, ty: &ValType) -> Value {
    let mut number = |bits: u32| {
        let any = chance.next_u64();
        let small = any.is_multiple_of(2);
        if small {
            any >> 1 & 0xff
        } else {
            any >> (64 - bits)
        }
    };
    match ty {
        ValType::I32 => Value::I32(number(32) as u32),
        ValType::I64 => Value::I64(number(64)),
        ValType::F32 => Value::F32((number(32) as u32 as f32).to_bits()),
        ValType::F64 => Value::F64((number(64) as f64).to_bits()),
        ValType::V128 => Value::V128(u128::from(number(64)) << 64 | u128::from(number(64))),
        ValType::Ref(of) if of.heap_type().is_func() => Value::NullFunc,
        ValType::Ref(_) => Value::NullExtern,
    }
}
