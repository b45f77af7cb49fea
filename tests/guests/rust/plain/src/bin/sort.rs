//! Sorts the lines of the body by their bytes.
//!
//! | | |
//! |---|---|
//! | argument 1 | `reverse` for the other order, `unique` to leave out repetitions |
//! | stdin | lines |
//! | stdout | the same lines in order, each with a newline |
//! | exit | 0, or 2 for another argument, or 1 if the answer cannot be written |
//!
//! It is ordinary Rust on purpose: what it takes is what your first function takes.

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let order = env::args().nth(1);
    let mut text = Vec::new();
    if io::stdin().read_to_end(&mut text).is_err() {
        return ExitCode::FAILURE;
    }
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    // What follows the last newline is a line only if there is something.
    lines.pop_if(|last| last.is_empty());
    lines.sort_unstable();
    match order.as_deref() {
        None | Some("") => {}
        Some("reverse") => lines.reverse(),
        Some("unique") => lines.dedup(),
        Some(_) => {
            let _ = io::stderr().write_all(b"sort: the argument is `reverse` or `unique`\n");
            return ExitCode::from(2);
        }
    }
    let mut answer = Vec::with_capacity(text.len() + 1);
    for line in lines {
        answer.extend_from_slice(line);
        answer.push(b'\n');
    }
    match io::stdout().write_all(&answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
