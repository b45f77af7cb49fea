//! A folder of the host in place of one of the disk.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use luge_disk::Part;
use luge_wasi::{Folder, ROOT, Unreadable};

use crate::sandbox::Files;

/// A folder, read whole.
pub struct HostFiles {
    folder: Folder,
    /// What is in each node that is a file.
    contents: Vec<Vec<u8>>,
}

impl HostFiles {
    /// What is in `folder`, and below it.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut files = Self {
            folder: Folder::new(0),
            contents: vec![Vec::new()],
        };
        files.add(ROOT, folder)?;
        Ok(files)
    }

    fn add(&mut self, node: u32, folder: &Path) -> Result<()> {
        let listed = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for entry in listed {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type()))?;
            let kind = kind?;
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.context("a name that is no text")?;
            if kind.is_dir() {
                let below = self.folder.add_directory(node, name, 0)?;
                self.contents.push(Vec::new());
                self.add(below, &path)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&path)?;
                let target = target.to_str().context("a target that is no text")?;
                self.folder.add_link(node, name, 0, target)?;
                self.contents.push(Vec::new());
            } else {
                let bytes = fs::read(&path)?;
                self.folder.add_file(node, name, 0, bytes.len() as u64)?;
                self.contents.push(bytes);
            }
        }
        Ok(())
    }
}

impl Files for HostFiles {
    fn folder(&self) -> &Folder {
        &self.folder
    }

    fn read(&self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, Unreadable> {
        let bytes = self.contents.get(file as usize).ok_or(Unreadable)?;
        let start = usize::try_from(offset).map_or(bytes.len(), |start| start.min(bytes.len()));
        let length = into.len().min(bytes.len() - start);
        into[..length].copy_from_slice(&bytes[start..start + length]);
        Ok(Part::Ready(length))
    }
}
