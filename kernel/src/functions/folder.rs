//! From a folder on the disk to what a function finds at `/`.
//!
//! Names and attributes are read when the folder is mounted, contents when somebody wants them.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use log::warn;
use luge_disk::{Listed, ListedKind, Part};
use luge_spec::FolderPath;
use luge_wasi::{Folder, ROOT, Refused, Unreadable};

use super::LOG;
use crate::disk::{FileError, Store};
use crate::mm::heap;
use crate::sandbox::Files;

/// The most that a folder may have in it, and the longest file.
const MOST_NODES: usize = FolderPath::MOST_NODES;
const LARGEST_FILE: u64 = FolderPath::LARGEST_FILE;

/// The largest block of a file system, in bytes: what reading from it allocates must not be refused.
pub(super) const LARGEST_BLOCK: u32 = heap::BULK as u32 / 2;

/// A folder that is mounted.
pub struct Mounted {
    folder: Folder,
    /// The number in the store of each node that is a file.
    files: Vec<u32>,
    store: Arc<Store>,
}

/// Why a folder cannot be mounted: where, and what is wrong there.
#[derive(Debug)]
pub struct Unmountable {
    path: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    File(FileError),
    Refused(Refused),
    TooMany,
    TooLarge { bytes: u64 },
    Blocks { bytes: u32 },
}

/// Reads what there is in the folder at `path`, and in all below it.
///
/// # Errors
/// [`Unmountable`]
pub fn mount(store: &Arc<Store>, path: &FolderPath) -> Result<Mounted, Unmountable> {
    let top = path.to_string();
    let wrong = |why| Unmountable {
        path: path.to_string(),
        why,
    };
    let bytes = store.ask(|volume| volume.block_bytes());
    if bytes > LARGEST_BLOCK {
        return Err(wrong(Why::Blocks { bytes }));
    }
    let mut mounted = Mounted {
        folder: Folder::new(0),
        files: Vec::from([0]),
        store: store.clone(),
    };
    let mut waiting = Vec::from([(top, ROOT)]);
    while let Some((path, node)) = waiting.pop() {
        let left = MOST_NODES.saturating_sub(mounted.folder.len());
        let listed = store.ask(|volume| volume.list(&path, left));
        let listed = listed.map_err(|why| Unmountable {
            path: path.clone(),
            why: match why {
                FileError::TooManyEntries { .. } => Why::TooMany,
                why => Why::File(why),
            },
        })?;
        for one in listed {
            let path = alloc::format!("{path}/{}", one.name);
            match mounted.add(node, &path, one) {
                Ok(None) => {}
                Ok(Some(folder)) => waiting.push((path, folder)),
                Err(why) => return Err(Unmountable { path, why }),
            }
        }
    }
    Ok(mounted)
}

impl Mounted {
    /// Adds what was listed in a folder. Returns the node of what has to be listed next.
    fn add(&mut self, above: u32, path: &str, listed: Listed) -> Result<Option<u32>, Why> {
        let (name, modified_ns) = (listed.name.as_str(), listed.modified_ns);
        let folder = &mut self.folder;
        let is_folder = listed.kind == ListedKind::Folder;
        let (node, file) = match listed.kind {
            ListedKind::Folder => (folder.add_directory(above, name, modified_ns), 0),
            ListedKind::Link { target } => (folder.add_link(above, name, modified_ns, &target), 0),
            ListedKind::File { bytes } if bytes > LARGEST_FILE => {
                return Err(Why::TooLarge { bytes });
            }
            ListedKind::File { bytes } => (
                folder.add_file(above, name, modified_ns, bytes),
                self.store.add(path),
            ),
            ListedKind::Other => {
                warn!(target: LOG, "{path}: left out: neither a file, a folder nor a link");
                return Ok(None);
            }
        };
        let node = node.map_err(Why::Refused)?;
        self.files.push(file as u32);
        Ok(is_folder.then_some(node))
    }
}

impl Files for Mounted {
    fn folder(&self) -> &Folder {
        &self.folder
    }

    fn read(&self, file: u32, offset: u64, into: &mut [u8]) -> Result<Part, Unreadable> {
        let number = *self.files.get(file as usize).ok_or(Unreadable)?;
        self.store
            .read(number, offset, into)
            .map_err(|_| Unreadable)
    }
}

impl fmt::Display for Unmountable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder {:?}: ", self.path)?;
        match &self.why {
            Why::File(FileError::NotFound) => f.write_str("there is no such folder"),
            Why::File(why) => why.fmt(f),
            Why::Refused(why) => why.fmt(f),
            Why::TooMany => write!(f, "there are more than {MOST_NODES} files in it"),
            Why::TooLarge { bytes } => {
                write!(
                    f,
                    "it is {bytes} bytes long, and {LARGEST_FILE} are the most"
                )
            }
            Why::Blocks { bytes } => write!(
                f,
                "its file system has blocks of {bytes} bytes, and {LARGEST_BLOCK} are the most"
            ),
        }
    }
}

impl core::error::Error for Unmountable {}
