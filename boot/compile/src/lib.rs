//! Modules into native code, ahead of time.
//!
//! The compiler is Cranelift, with the settings that `luge-native` shares with the kernel. It takes minutes to
//! build, so it is a program of its own, which `luge-image` starts when native code is asked for.

use anyhow::{Context as _, Result};
use luge_native::artefact;
use luge_native::settings::{FEATURES, TARGET};
use wasmtime::{Config, Engine};

/// The file of native code for `module`.
///
/// # Errors
/// What is wrong with the module, for the kernel's interpreter as well: the compiler alone overlooks what is
/// malformed in sections that it does not read.
pub fn compile(module: &[u8]) -> Result<Vec<u8>> {
    luge_module::validate(module).context("it does not compile")?;
    let code = machine_code(module)?;
    Ok([&artefact::head(module, &code)[..], &code].concat())
}

fn machine_code(module: &[u8]) -> Result<Vec<u8>> {
    engine()
        .and_then(|engine| engine.precompile_module(module))
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .context("it does not compile")
}

fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.target(TARGET)?;
    for feature in FEATURES {
        // SAFETY: the code does not run here, and the kernel looks whether its processor has this.
        unsafe { config.cranelift_flag_enable(feature.setting) };
    }
    luge_native::configure(&mut config);
    Engine::new(&config)
}
