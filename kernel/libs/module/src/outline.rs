//! The checks that are cheap and tell most: what a module is for, by the names that it takes and gives.
//!
//! Whoever compiled a program for something else is told so before function bodies are looked at and before any
//! limit, with what to do about it ([`advice`]).

use alloc::borrow::ToOwned;

use luge_wasi::{Function, MODULE};
use wasmparser::{Chunk, Import, Parser, Payload};

use crate::command::{NoCommand, START, Unsuited};
use crate::validate::Place;

/// Checks that a module takes nothing that nobody has, and gives `_start`, by names alone. What is wrong with its
/// bytes is left to [`crate::validate`].
///
/// # Errors
/// The first thing that is wrong.
pub fn check_outline(wasm: &[u8]) -> Result<(), NoCommand> {
    let mut exports = Exports {
        place: Place::new("end of the module", wasm.len()),
        ..Exports::default()
    };
    let (mut parser, mut rest) = (Parser::new(0), wasm);
    if !wasm.starts_with(b"\0asm\x01\0\0\0") {
        return Ok(());
    }
    while !rest.is_empty() {
        let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) else {
            return Ok(());
        };
        rest = &rest[consumed..];
        match payload {
            Payload::ImportSection(section) => {
                for (offset, import) in section.into_iter_with_offsets().flatten() {
                    check_import(&import).map_err(|why| NoCommand {
                        place: Place::new("import section", offset),
                        why,
                    })?;
                }
            }
            Payload::ExportSection(section) => {
                exports.place = Place::new("export section", section.range().start);
                for export in section.into_iter().flatten() {
                    exports.has_start |= export.name == "_start";
                    exports.is_reactor |= export.name == "_initialize";
                }
            }
            Payload::CodeSectionStart { size, .. } => {
                parser.skip_section();
                rest = rest.get(size as usize..).unwrap_or_default();
            }
            _ => {}
        }
    }
    exports.check()
}

/// What is known of the exports.
#[derive(Default)]
struct Exports {
    place: Place,
    has_start: bool,
    is_reactor: bool,
}

impl Exports {
    fn check(self) -> Result<(), NoCommand> {
        let why = match self {
            Exports {
                has_start: true, ..
            } => return Ok(()),
            Exports {
                is_reactor: true, ..
            } => Unsuited::Reactor,
            Exports { .. } => Unsuited::NoExport(START),
        };
        let place = self.place;
        Err(NoCommand { place, why })
    }
}

fn check_import(import: &Import<'_>) -> Result<(), Unsuited> {
    if import.module == MODULE && Function::by_name(import.name).is_some() {
        return Ok(());
    }
    let (module, name) = (import.module.to_owned(), import.name.to_owned());
    Err(Unsuited::UnknownImport { module, name })
}

/// What somebody did to get a module with this import, and what to do instead; empty if that is not known.
pub(crate) fn advice(module: &str, name: &str) -> &'static str {
    match (module, name) {
        ("wasi_unstable", _) => {
            "; that is WASI of 2019: compile it with a newer tool chain, for wasm32-wasip1"
        }
        ("wasi", "thread-spawn") => {
            "; that is wasi-threads: compile it without threads, for wasm32-wasip1"
        }
        ("env", "memory") => {
            "; its memory must be its own: compile it without threads and without --import-memory"
        }
        (MODULE, _) => "; WASI preview 1 has no such function",
        ("wasix_32v1" | "wasix_64v1", _) => {
            "; that is WASIX, of Wasmer alone: compile it for wasm32-wasip1"
        }
        ("gojs" | "go", _) => "; that is Go for a browser: compile it with GOOS=wasip1",
        ("env" | "a", _) if name.starts_with("emscripten_") || name.starts_with("invoke_") => {
            "; that is Emscripten for JavaScript: compile it with wasi-sdk, for wasm32-wasip1"
        }
        ("env", _) => "; nothing that was linked had it: link with what defines it",
        ("GOT.mem" | "GOT.func", _) => "; that is a shared library: link it to a program",
        _ if module.starts_with("wasi:") || module.starts_with("[export]") => {
            "; that is WASI 0.2 or later: compile it for wasm32-wasip1, not for wasm32-wasip2"
        }
        _ if module.contains("wbindgen") || module == "wbg" || module.ends_with(".js") => {
            "; that is wasm-bindgen for JavaScript: compile it for wasm32-wasip1, without wasm-bindgen"
        }
        _ => "",
    }
}
