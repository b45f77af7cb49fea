//! Modules that no compiler makes, and broken ones, each by its own seed: the kernel takes or refuses each as the
//! same check does on this machine, and goes on.
//!
//! What is valid has been translated by then, so that the interpreter's translator meets what passes the check.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use arbitrary::{Arbitrary, Unstructured};
use luge_conformance::{Action, Expected};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use wasm_smith::Config;

use crate::groups::Steps;
use crate::modules::Module;

/// How many modules are in a script, and so in a sandbox, whose engine keeps what it has translated.
const PER_SCRIPT: u64 = 100;
/// The most bytes of chance that a module is made from.
const MOST_CHANCE: u32 = 16 << 10;
/// The most places at which a module is broken.
const MOST_BREAKS: u32 = 4;

/// Writes scripts of so many modules into `folder`, and says how many steps they have.
pub fn write(folder: &Path, modules: u64) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for first in (0..modules).step_by(PER_SCRIPT as usize) {
        let name = format!("odd-{first:04}");
        let mut steps = Steps::new(only(b"\0asm\x01\0\0\0".to_vec()));
        let mut valid = 0;
        for seed in first..modules.min(first + PER_SCRIPT) {
            let wasm = module(seed).with_context(|| format!("seed {seed}"))?;
            // With exceptions it is valid, and not for the interpreter.
            let expected = match luge_module::validate(&wasm) {
                Ok(interface) if interface.for_interpreter().is_ok() => Expected::Done,
                _ => Expected::Refused,
            };
            valid += u32::from(matches!(expected, Expected::Done));
            let place = steps.module(only(wasm));
            steps.step(seed as u32 + 1, Action::Compile(place), expected);
        }
        println!("{name}: {} steps, {valid} of them valid", steps.len());
        let path = folder.join(format!("{name}.script"));
        fs::write(&path, steps.write(&name))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// A module without native code.
fn only(wasm: Vec<u8>) -> Module {
    Module { wasm, native: None }
}

/// The module of a seed. Two of three are broken afterwards.
fn module(seed: u64) -> Result<Vec<u8>> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = vec![0; below(&mut chance, MOST_CHANCE) + 64];
    chance.fill_bytes(&mut bytes);
    let mut chosen = [0; 512];
    chance.fill_bytes(&mut chosen);
    let config = config(&mut Unstructured::new(&chosen))?;
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes));
    let mut wasm = module?.to_bytes();
    if !seed.is_multiple_of(3) {
        for _ in 0..=below(&mut chance, MOST_BREAKS) {
            break_somewhere(&mut wasm, &mut chance);
        }
    }
    Ok(wasm)
}

/// Any proposals, any limits; most of them with some functions and without the proposals that do not work. Some functions are made of
/// operators that do not fit each other.
fn config(chance: &mut Unstructured<'_>) -> Result<Config> {
    let mut config = Config::arbitrary(chance)?;
    config.generate_custom_sections = chance.arbitrary()?;
    config.allow_invalid_funcs = chance.ratio(1, 4)?;
    if chance.ratio(3, 4)? {
        config.min_types = 1;
        config.max_types = config.max_types.max(8);
        config.min_funcs = 4;
        config.max_funcs = config.max_funcs.max(16);
        config.gc_enabled = false;
        config.exceptions_enabled = false;
        config.threads_enabled = false;
        config.compact_imports_enabled = false;
    }
    Ok(config)
}

/// Changes, cuts out, repeats or cuts off some bytes.
fn break_somewhere(wasm: &mut Vec<u8>, chance: &mut ChaCha8Rng) {
    if wasm.is_empty() {
        return;
    }
    let at = below(chance, wasm.len() as u32);
    let end = wasm.len().min(at + 1 + below(chance, 16));
    match chance.next_u32() % 8 {
        0 => drop(wasm.drain(at..end)),
        1 => {
            let again = wasm[at..end].to_vec();
            wasm.splice(at..at, again);
        }
        2 => wasm.truncate(at),
        3 => wasm[at] = 0xff,
        4 => wasm[at] = wasm[at].wrapping_add(1),
        5 => wasm[at] ^= 1 << (chance.next_u32() % 8),
        _ => wasm[at] = chance.next_u32() as u8,
    }
}

fn below(chance: &mut ChaCha8Rng, end: u32) -> usize {
    (chance.next_u32() % end) as usize
}
