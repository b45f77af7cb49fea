//! Folders of functions, from which `qemu-run.sh --modules` makes a disk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

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

    /// Copies a folder with all that is in it into the folder, under the name `name`.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn copy_folder(self, name: &str, from: &Path) -> Result<Folder> {
        copy_all(from, &self.path.join(name))
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

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_all(&entry.path(), &to)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
