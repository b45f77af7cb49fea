//! A compressor: Brotli, by the crate of that name.
//!
//! | | |
//! |---|---|
//! | argument 1 | `compress` or `decompress` |
//! | argument 2 | how hard it tries to compress, 0 to 11, else 9 |
//! | stdin, stdout | what it makes of what |
//! | exit | 0, or 1 if the body is not compressed, or too large for its memory |

use std::process::ExitCode;

use brotli::enc::BrotliEncoderParams;

fn main() -> ExitCode {
    programs::run(|request| {
        let mut answer = Vec::new();
        let mut body = request.body.as_slice();
        match request.argument(0) {
            Some("compress") => {
                let quality = request.parsed(1, 9)?;
                let parameters = BrotliEncoderParams {
                    quality,
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut body, &mut answer, &parameters)?;
            }
            Some("decompress") => brotli::BrotliDecompress(&mut body, &mut answer)?,
            _ => return Err("the first argument is `compress` or `decompress`".into()),
        }
        Ok(answer)
    })
}
