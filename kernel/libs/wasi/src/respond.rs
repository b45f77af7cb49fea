//! The response that is a file: what a command leaves below `/tmp` goes to the response when it has ended.

use core::fmt;

use crate::context::Context;
use crate::files::{self, Kind, Last, ROOT, resolve};
use crate::{Errno, Host};

/// Why a file is not the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResponse {
    /// There is none of its path; what looking for it came to.
    Missing(Errno),
    /// It is a directory.
    Directory,
    /// It is longer than a response may be; both in bytes.
    TooLong {
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        most: u64,
    },
    /// Nobody takes the rest of it.
    BrokenOff,
}

impl<H: Host> Context<H> {
    /// Writes the file that is the response, if that is to be one, of at most `most` bytes. Each block is
    /// copied once, and may wait for room. To be called after the command has ended with success.
    ///
    /// # Errors
    /// [`NoResponse`]; then nothing was written, except in [`NoResponse::BrokenOff`].
    pub fn respond(&mut self, most: u64) -> Result<(), NoResponse> {
        let Some(path) = self.host.response_file() else {
            return Ok(());
        };
        let node = self.file_at(path)?;
        let bytes = self.scratch.size(node);
        if bytes > most {
            return Err(NoResponse::TooLong { bytes, most });
        }
        let mut done = 0;
        while done < bytes {
            let piece = self.scratch.piece(node, done);
            if piece.is_empty() || self.host.write_stdout(piece) < piece.len() {
                return Err(NoResponse::BrokenOff);
            }
            done += piece.len() as u64;
            if !self.host.breathe() {
                return Err(NoResponse::BrokenOff);
            }
        }
        Ok(())
    }

    fn file_at(&self, path: &str) -> Result<u32, NoResponse> {
        let path = files::checked_path(path.as_bytes()).map_err(NoResponse::Missing)?;
        let breathe = || self.host.breathe();
        let found = resolve(&self.scratch, ROOT, path, Last::Follow, breathe);
        let found = found.map_err(NoResponse::Missing)?;
        match found.node {
            Some((node, Kind::File)) if !found.slash => Ok(node),
            Some((_, Kind::Directory)) => Err(NoResponse::Directory),
            Some(_) => Err(NoResponse::Missing(Errno::NotADirectory)),
            None => Err(NoResponse::Missing(Errno::NoEntry)),
        }
    }
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(Errno::NoEntry) => f.write_str("there is no such file"),
            Self::Missing(errno) => write!(f, "it cannot be opened: {}", errno.name()),
            Self::Directory => f.write_str("it is a directory"),
            Self::TooLong { bytes, most } => {
                write!(f, "it is {bytes} bytes long, and a response {most} at most")
            }
            Self::BrokenOff => f.write_str("nobody took the rest of it"),
        }
    }
}

impl core::error::Error for NoResponse {}
