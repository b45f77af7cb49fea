//! Modules into native code, by the compiler that lies beside this program.
//!
//! `luge-compile` is a program of its own since it takes minutes to build, and few need it. It reads a module
//! from its standard input and writes the file of native code to its standard output.

use std::env;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use luge_native::artefact;
use thiserror::Error;

/// The compiler's name, and that of its package.
const NAME: &str = "luge-compile";

/// The compiler of native code.
pub struct Compiler {
    program: PathBuf,
    build: String,
}

/// There is no compiler beside this program.
#[derive(Debug, Error)]
#[error("native code needs {NAME}, which is not in {folder}; in the source tree: {build}")]
pub struct MissingCompiler {
    folder: String,
    build: String,
}

impl Compiler {
    /// The compiler beside this program.
    ///
    /// # Errors
    /// [`MissingCompiler`], with how to get it.
    pub fn find() -> Result<Compiler> {
        let this = env::current_exe().context("where luge-image lies")?;
        let folder = this.parent().unwrap_or(Path::new("/"));
        let program = folder.join(NAME);
        let release = if folder.ends_with("release") {
            " --release"
        } else {
            ""
        };
        let build = format!("cargo build -p {NAME}{release}");
        if !program.is_file() {
            let folder = folder.display().to_string();
            return Err(MissingCompiler { folder, build }.into());
        }
        Ok(Compiler { program, build })
    }

    /// The file of native code for `module`.
    ///
    /// # Errors
    /// What is wrong with the module; or that the compiler fails, or is another one than this program knows.
    pub fn compile(&self, module: &[u8]) -> Result<Vec<u8>> {
        let name = || self.program.display().to_string();
        let mut child = Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(name)?;
        let mut input = child.stdin.take().with_context(name)?;
        // It reads all of the module before it writes anything.
        let written = input.write_all(module);
        drop(input);
        let output = child.wait_with_output().with_context(name)?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(1) if !said.trim().is_empty() => bail!("{}", said.trim()),
            _ => bail!("{} ended with {}: {}", name(), output.status, said.trim()),
        }
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).with_context(name)?,
            _ => {}
        }
        if let Err(why) = artefact::open(&output.stdout, module) {
            bail!(
                "{} wrote something else than this luge-image expects: {why}; build it again: {}",
                name(),
                self.build
            );
        }
        Ok(output.stdout)
    }
}
