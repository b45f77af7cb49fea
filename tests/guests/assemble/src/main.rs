//! `assemble INPUT.wat OUTPUT.wasm`: WebAssembly text to a module.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = arguments.as_slice() else {
        bail!("usage: assemble INPUT.wat OUTPUT.wasm");
    };
    // The error names the file, the line and the column by itself.
    let module = wat::parse_file(input)?;
    std::fs::write(output, module).with_context(|| format!("cannot write {}", output.display()))
}
