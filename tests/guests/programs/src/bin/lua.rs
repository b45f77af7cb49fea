//! A Lua interpreter: Lua 5.4 as the crate `omnilua` has it.
//!
//! | | |
//! |---|---|
//! | argument 1 | a script of the route's folder, which reads the body by `io.read`; else the body is the script |
//! | stdout | what it prints |
//! | exit | 0, or 1 if it ends with an error, which is in the log |

use std::io::{self, Read};
use std::process::ExitCode;
use std::{env, fs};

use omnilua::Lua;

fn main() -> ExitCode {
    match interpret() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn interpret() -> Result<(), programs::Failure> {
    let mut script = Vec::new();
    match env::args().nth(1) {
        Some(name) => script = fs::read(format!("/{name}"))?,
        None => drop(io::stdin().read_to_end(&mut script)?),
    }
    Lua::new()
        .load(script)
        .exec()
        .map_err(|error| error.to_string().into())
}
