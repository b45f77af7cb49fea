//! What the programs have in common: the body comes in whole, the answer goes out whole.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// Why a program has no answer. It goes to the log.
pub type Failure = Box<dyn Error>;

/// What a program is asked.
pub struct Request {
    /// The values of the query.
    pub arguments: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The argument at `index`, from 0.
    pub fn argument(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).map(String::as_str)
    }

    /// The argument at `index` as a number or whatever else it is to be, or else `default`.
    ///
    /// # Errors
    /// There is one, and it is none.
    pub fn parsed<T: std::str::FromStr>(&self, index: usize, default: T) -> Result<T, Failure>
    where
        T::Err: Error + 'static,
    {
        Ok(self
            .argument(index)
            .map(str::parse)
            .transpose()?
            .unwrap_or(default))
    }

    /// The body as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&str, Failure> {
        Ok(std::str::from_utf8(&self.body)?)
    }
}

/// Runs a program: 0 and its answer, or 1 and a line in the log.
pub fn run(program: impl FnOnce(&Request) -> Result<Vec<u8>, Failure>) -> ExitCode {
    match answer(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn answer(program: impl FnOnce(&Request) -> Result<Vec<u8>, Failure>) -> Result<(), Failure> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    let arguments = env::args().skip(1).collect();
    let answer = program(&Request { arguments, body })?;
    Ok(io::stdout().write_all(&answer)?)
}
