//! `luge-compile`: a module on standard input becomes its file of native code on standard output.
//!
//! `luge-image` looks for this program beside itself; people use `luge-image compile` and
//! `luge-image build --native`.
//!
//! Exit status: 0 done; 1 the module does not compile, and standard error says why; 2 wrong usage.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};

const USAGE: &str = "usage: luge-compile < MODULE.wasm > MODULE.cwasm
The same with files by name: luge-image compile MODULE.wasm -o MODULE.cwasm";

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 || io::stdin().is_terminal() || io::stdout().is_terminal() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut module = Vec::new();
    io::stdin()
        .read_to_end(&mut module)
        .context("reading the module")?;
    let code = luge_compile::compile(&module)?;
    io::stdout()
        .write_all(&code)
        .context("writing the native code")
}
