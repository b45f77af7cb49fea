//! Folders of functions, from which `qemu-run.sh --modules` makes a disk.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::boot::Disk;

/// A folder of functions that is being filled.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// An empty folder; what was in it before is gone.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn new(path: PathBuf) -> Result<Folder> {
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Folder { path })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Result<Folder> {
        let path = self.path.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        Ok(self)
    }

    /// Copies a file into the folder, under the name `name`.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn copy(self, name: &str, from: impl Into<PathBuf>) -> Result<Folder> {
        let from = from.into();
        fs::copy(&from, self.path.join(name))
            .with_context(|| format!("copying {}", from.display()))?;
        Ok(self)
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// A disk with what is in the folder.
    #[must_use]
    pub fn disk(self) -> Disk {
        Disk::Modules(self.path)
    }
}
