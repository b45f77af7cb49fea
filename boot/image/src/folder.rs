//! Folders that functions read: what is in them, in a folder of the host or on an image.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use luge_disk::{FileError, ListedKind, Volume};
use luge_spec::FolderPath;
use thiserror::Error;

use crate::source::Source;

/// What is in a folder and all below it, by its path below the spec's folder.
pub type Contents = BTreeMap<String, Item>;

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A folder.
    Folder,
    /// A file, and its length in bytes.
    File(u64),
    /// A symbolic link, and where it points to.
    Link(String),
}

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum Unusable {
    /// It is not there.
    #[error("there is no such folder")]
    NotFound,
    /// It is something else.
    #[error("it is no folder")]
    NoFolder,
    /// It has too much in it for the kernel.
    #[error("there are more than {most} files in it, the most that the kernel takes", most = FolderPath::MOST_NODES)]
    TooMany,
    /// A file is too long for the kernel.
    #[error("{0}: it is longer than {most} bytes, the most that the kernel takes", most = FolderPath::LARGEST_FILE)]
    TooLong(String),
    /// Something in it has no place on a disk.
    #[error("{0}: neither a file, a folder nor a symbolic link, or its name is no text")]
    Strange(String),
    /// The image is damaged there.
    #[error("{0}")]
    Damaged(FileError),
    /// The host does not give it out.
    #[error("{0}")]
    Host(#[from] std::io::Error),
}

/// The folder of a file system for what a check of it finds. Each has it.
const LOST_AND_FOUND: &str = "lost+found";

/// What is in the folder at `path`, itself included.
///
/// # Errors
/// [`Unusable`]
pub fn contents(source: &Source, path: &FolderPath) -> Result<Contents, Unusable> {
    let contents = Contents::from([(path.to_string(), Item::Folder)]);
    below(source, path.to_string(), contents, FolderPath::MOST_NODES)
}

/// All that there is, as far as it has a place on a disk.
///
/// # Errors
/// [`Unusable`]
pub fn everything(source: &Source) -> Result<Contents, Unusable> {
    let mut contents = below(source, String::new(), Contents::new(), usize::MAX)?;
    contents.remove(LOST_AND_FOUND);
    Ok(contents)
}

/// `contents`, and what is in a folder and all below it, `most` in all.
fn below(
    source: &Source,
    top: String,
    mut contents: Contents,
    most: usize,
) -> Result<Contents, Unusable> {
    let mut waiting = vec![top];
    while let Some(folder) = waiting.pop() {
        let left = most.saturating_sub(contents.len());
        let listed = match source {
            Source::Folder(top) => of_host(&top.join(&folder), left)?,
            Source::Image(volume) => of_image(volume, &folder, left)?,
        };
        for (name, item) in listed {
            let path = match folder.as_str() {
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            match item {
                Some(Item::File(bytes)) if bytes > FolderPath::LARGEST_FILE => {
                    return Err(Unusable::TooLong(path));
                }
                Some(item) => {
                    if item == Item::Folder {
                        waiting.push(path.clone());
                    }
                    contents.insert(path, item);
                }
                None => return Err(Unusable::Strange(path)),
            }
        }
    }
    Ok(contents)
}

/// Names and what they are; none for what has no place on a disk.
type Listed = Vec<(String, Option<Item>)>;

fn of_host(folder: &Path, most: usize) -> Result<Listed, Unusable> {
    let entries = fs::read_dir(folder).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unusable::NotFound,
        ErrorKind::NotADirectory => Unusable::NoFolder,
        _ => Unusable::Host(error),
    })?;
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry?;
        if listed.len() == most {
            return Err(Unusable::TooMany);
        }
        let item = item_of_host(&entry)?;
        listed.push(match entry.file_name().into_string() {
            Ok(name) => (name, item),
            Err(name) => (name.to_string_lossy().into_owned(), None),
        });
    }
    Ok(listed)
}

fn item_of_host(entry: &fs::DirEntry) -> std::io::Result<Option<Item>> {
    let metadata = entry.metadata()?;
    Ok(if metadata.is_dir() {
        Some(Item::Folder)
    } else if metadata.is_file() {
        Some(Item::File(metadata.len()))
    } else if metadata.is_symlink() {
        let target = fs::read_link(entry.path())?.into_os_string();
        target.into_string().ok().map(Item::Link)
    } else {
        None
    })
}

fn of_image(volume: &Volume, folder: &str, most: usize) -> Result<Listed, Unusable> {
    let listed = volume.list(folder, most).map_err(|error| match error {
        FileError::NotFound => Unusable::NotFound,
        FileError::NoFolder => Unusable::NoFolder,
        FileError::TooManyEntries { .. } => Unusable::TooMany,
        other => Unusable::Damaged(other),
    })?;
    let items = listed.into_iter().map(|listed| {
        let item = match listed.kind {
            ListedKind::Folder => Some(Item::Folder),
            ListedKind::File { bytes } => Some(Item::File(bytes)),
            ListedKind::Link { target } => Some(Item::Link(target)),
            ListedKind::Other => None,
        };
        (listed.name, item)
    });
    Ok(items.collect())
}
