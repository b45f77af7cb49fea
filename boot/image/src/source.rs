//! Where a spec and its modules are: in a folder, or on an image.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use luge_disk::{FileError, Volume};
use luge_spec::ModulePath;
use thiserror::Error;

use crate::file::ImageFile;
use crate::module::{LARGEST, LARGEST_TO_SLIM};

/// A folder or an image.
pub enum Source {
    /// A folder of the host.
    Folder(PathBuf),
    /// The file system of an image.
    Image(Volume),
}

/// Why a file cannot be had.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is not there.
    #[error("there is no such file")]
    NotFound,
    /// It is longer than the kernel takes.
    #[error("it is longer than {0} bytes, the most that the kernel takes")]
    TooLong(u64),
    /// The image is damaged there.
    #[error("{0}")]
    Damaged(FileError),
    /// The host does not give it out.
    #[error("{0}")]
    Host(std::io::Error),
}

impl Source {
    /// Opens what is at `path`, whatever it is.
    pub fn open(path: &Path) -> Result<Source> {
        let what = fs::metadata(path).with_context(|| path.display().to_string())?;
        if what.is_dir() {
            return Ok(Source::Folder(path.to_owned()));
        }
        let file = ImageFile::open(path).with_context(|| path.display().to_string())?;
        match Volume::open(file) {
            Ok(volume) => Ok(Source::Image(volume)),
            Err(why) => bail!("{}: the image {why}", path.display()),
        }
    }

    /// Names of the files in the top folder that are text, in order.
    pub fn files(&self) -> Result<Vec<String>> {
        match self {
            Source::Folder(folder) => files_of(folder),
            Source::Image(volume) => Ok(volume.files()?),
        }
    }

    /// All of a file, if it is at most `most` bytes long. `path` is relative to the top folder.
    pub fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, ReadError> {
        match self {
            Source::Folder(folder) => read_file(&folder.join(path), most),
            Source::Image(volume) => volume.read(path, most).map_err(|error| match error {
                FileError::NotFound => ReadError::NotFound,
                FileError::TooLong { most, .. } => ReadError::TooLong(most),
                other => ReadError::Damaged(other),
            }),
        }
    }

    /// All of a module: of an image, as it is served; of a folder, what that is made from.
    pub fn read_module(&self, path: &ModulePath) -> Result<Vec<u8>, ReadError> {
        let most = match self {
            Source::Folder(_) => LARGEST_TO_SLIM,
            Source::Image(_) => LARGEST,
        };
        self.read(path.as_str(), most)
    }
}

fn files_of(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry.with_context(|| folder.display().to_string())?;
        if let (true, Ok(name)) = (entry.path().is_file(), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads one byte more than is allowed, so that a file that grows meanwhile is too long as well.
fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    let file = fs::File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ReadError::NotFound,
        _ => ReadError::Host(error),
    })?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Host)?;
    if bytes.len() as u64 > most {
        Err(ReadError::TooLong(most))
    } else {
        Ok(bytes)
    }
}
