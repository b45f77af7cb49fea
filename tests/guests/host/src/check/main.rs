//! `check MODULES CASES`: runs every case of `CASES` on the modules in `MODULES` and says which came
//! out otherwise than expected.
//!
//! What runs them is the kernel's own engine and WASI, included as they are; only what lies below
//! them, the sandbox, the disk and the machine, is replaced by [`sandbox`], [`files`], [`mm`]
//! and [`arch`]. So a function that
//! passes here and fails in the kernel shows where to look.
//!
//! The engine dispatches by `become` as in the kernel, so this builds with `RUSTC_BOOTSTRAP=1`.

extern crate alloc;

mod arch;
mod cases;
#[cfg(test)]
mod cost;
mod files;
mod mm;
mod observe;
mod sandbox;
#[cfg(test)]
mod tests;

// The kernel needs more of it than this.
#[allow(dead_code)]
#[path = "../../../../../kernel/src/engine/mod.rs"]
mod engine;
#[path = "../../../../../kernel/src/wasi/mod.rs"]
mod wasi;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> Result<ExitCode> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [modules, list] = arguments.as_slice() else {
        bail!("usage: check MODULES CASES");
    };
    let cases = cases::Cases::read(list)?;
    let failures = cases.check(modules);
    for failure in &failures {
        println!("FAILED {failure}");
    }
    println!(
        "{} passed, {} failed",
        cases.count() - failures.len(),
        failures.len()
    );
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
