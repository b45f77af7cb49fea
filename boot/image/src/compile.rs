//! Modules into native code, ahead of time.
//!
//! The compiler is Cranelift, with the settings that `luge-native` shares with the kernel. It is in
//! this program only with the feature `native`.

use anyhow::{Context as _, Result};
use luge_native::artefact;

/// The file of native code for `module`.
///
/// # Errors
/// What is wrong with the module, for the kernel's interpreter as well: the compiler alone overlooks what is
/// malformed in sections that it does not read. Or that there is no compiler.
pub fn compile(module: &[u8]) -> Result<Vec<u8>> {
    expect_compiler()?;
    luge_module::validate(module).context("it does not compile")?;
    let code = machine_code(module)?;
    Ok([&artefact::head(module, &code)[..], &code].concat())
}

/// Fails if there is no compiler in this program.
///
/// # Errors
/// How to get one.
pub fn expect_compiler() -> Result<()> {
    anyhow::ensure!(
        cfg!(feature = "native"),
        "this luge-image was built without its compiler: \
         cargo build -p luge-image --features native"
    );
    Ok(())
}

#[cfg(feature = "native")]
fn machine_code(module: &[u8]) -> Result<Vec<u8>> {
    engine()
        .and_then(|engine| engine.precompile_module(module))
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .context("it does not compile")
}

#[cfg(feature = "native")]
fn engine() -> wasmtime::Result<wasmtime::Engine> {
    use luge_native::settings::{FEATURES, TARGET};
    let mut config = wasmtime::Config::new();
    config.target(TARGET)?;
    for feature in FEATURES {
        // SAFETY: the code does not run here, and the kernel looks whether its processor has this.
        unsafe { config.cranelift_flag_enable(feature.setting) };
    }
    luge_native::configure(&mut config);
    wasmtime::Engine::new(&config)
}

#[cfg(not(feature = "native"))]
fn machine_code(_: &[u8]) -> Result<Vec<u8>> {
    expect_compiler().map(|()| Vec::new())
}
