//! Turns the official test suite of WebAssembly, and modules made at random, into scripts that the booted kernel
//! carries out (`kernel/src/conformance`).
//!
//! `luge-spec-tests suite FOLDER` writes a script for each file of the suite, `luge-spec-tests random FOLDER`
//! scripts of modules by `wasm-smith` with what each does in wasmtime on this machine, `luge-spec-tests odd FOLDER`
//! scripts of modules that must be taken or refused, and `luge-spec-tests wrong FOLDER` one whose every expectation is
//! wrong, to see that the kernel notices.

mod claims;
mod groups;
mod host;
mod modules;
mod odd;
mod random;
mod suite;
mod translate;
mod values;
mod wrong;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Makes scripts of conformance tests for the kernel")]
struct Arguments {
    /// Where native code is kept, so that it is compiled only once.
    #[arg(long, default_value = "target/spec-native")]
    cache: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The official suite, as far as both engines claim to pass it.
    Suite {
        /// Where the scripts are written to.
        folder: PathBuf,
    },
    /// Modules made at random, each by its own seed.
    Random {
        /// Where the scripts are written to.
        folder: PathBuf,
        /// How many modules.
        #[arg(long, default_value_t = 1_000)]
        modules: u64,
    },
    /// Modules that are odd or broken, each by its own seed.
    Odd {
        /// Where the scripts are written to.
        folder: PathBuf,
        /// How many modules.
        #[arg(long, default_value_t = 4_000)]
        modules: u64,
    },
    /// A script with wrong expectations.
    Wrong {
        /// Where the script is written to.
        folder: PathBuf,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let compiler = modules::Compiler::new(arguments.cache)?;
    match arguments.command {
        Command::Suite { folder } => suite::write(&compiler, &folder),
        Command::Random { folder, modules } => random::write(&compiler, &folder, modules),
        Command::Odd { folder, modules } => odd::write(&folder, modules),
        Command::Wrong { folder } => wrong::write(&compiler, &folder),
    }
}
