//! The sections of a module, without the functions in them.

use core::iter;

use wasmparser::{BinaryReaderError, Chunk, Parser, Payload};

/// The payloads of a module, but those of function bodies: going over them costs a time that depends on the number of
/// sections alone. An error is the last.
pub fn sections(wasm: &[u8]) -> impl Iterator<Item = Result<Payload<'_>, BinaryReaderError>> {
    let (mut parser, mut rest, mut is_over) = (Parser::new(0), wasm, false);
    iter::from_fn(move || {
        if is_over {
            return None;
        }
        let parsed = match parser.parse(rest, true) {
            Ok(Chunk::Parsed { consumed, payload }) => {
                rest = rest.get(consumed..).unwrap_or_default();
                Ok(payload)
            }
            // Not with all of the module here.
            Ok(Chunk::NeedMoreData(_)) => return None,
            Err(error) => Err(error),
        };
        match &parsed {
            Ok(Payload::CodeSectionStart { size, .. }) => {
                parser.skip_section();
                rest = rest.get(*size as usize..).unwrap_or_default();
            }
            Ok(Payload::End(_)) | Err(_) => is_over = true,
            Ok(_) => {}
        }
        Some(parsed)
    })
}
