//! Modules with their native code, compiled once and kept in a folder.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// A module and its native code, if the compiler takes it.
#[derive(Clone)]
pub struct Module {
    pub wasm: Vec<u8>,
    pub native: Option<Vec<u8>>,
}

/// The compiler of native code, and what it has compiled so far: for another compiler or other settings, it
/// has compiled nothing.
pub struct Compiler {
    folder: PathBuf,
}

/// What stands in the folder for a module that the compiler refuses.
const REFUSED: &[u8] = b"refused";

impl Compiler {
    /// A compiler that keeps what it makes below `folder`.
    pub fn new(folder: PathBuf) -> Result<Compiler> {
        // What an empty module compiles to depends on all settings and on the compiler's version.
        let empty = luge_compile::compile(b"\0asm\x01\0\0\0")?;
        let folder = folder.join(hex(&empty));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Compiler { folder })
    }

    /// Compiles a module.
    pub fn compile(&self, wasm: Vec<u8>) -> Result<Module> {
        // What is no module is refused before anybody compiles; only compiling is slow enough to be kept.
        if luge_module::validate(&wasm).is_err() {
            let native = None;
            return Ok(Module { wasm, native });
        }
        let kept = self.folder.join(hex(&wasm));
        let native = match fs::read(&kept) {
            Ok(native) => native,
            Err(_) => {
                let native = luge_compile::compile(&wasm);
                let native = native.unwrap_or_else(|_| REFUSED.to_vec());
                fs::write(&kept, &native).with_context(|| format!("writing {}", kept.display()))?;
                native
            }
        };
        let native = (native != REFUSED).then_some(native);
        Ok(Module { wasm, native })
    }
}

/// The digest of `bytes`, as a file's name.
fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
