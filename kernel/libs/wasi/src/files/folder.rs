//! A folder of the disk, as commands see it: names and attributes, all known beforehand.
//!
//! It is made once, when the disk is read, and never changes, so commands can share it. The contents
//! of its files are elsewhere: [`crate::Host::read_file`] has them by number.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{Attributes, Entry, Kind, LONGEST_NAME, LONGEST_PATH, ROOT, Times, Tree};

/// Directories, files and symbolic links.
#[derive(Debug)]
pub struct Folder {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    parent: u32,
    modified_ns: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// In the order of names.
    Directory(Vec<(Box<str>, u32)>),
    /// Its size in bytes.
    File(u64),
    Link(Box<str>),
}

/// Why something cannot be in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No file can have such a name.
    Name,
    /// The name is there already.
    Twice,
    /// What it is to be put into is no directory.
    NoDirectory,
    /// There are as many nodes as there are numbers.
    TooMany,
    /// No symbolic link can point there.
    Target,
}

impl Folder {
    /// An empty one, last modified at this time after 1970.
    #[must_use]
    pub fn new(modified_ns: u64) -> Self {
        Self {
            nodes: alloc::vec![Node {
                parent: ROOT,
                modified_ns,
                content: Content::Directory(Vec::new()),
            }],
        }
    }

    /// How many directories, files and links there are, itself among them.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always the root")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a directory, and returns its number.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn add_directory(
        &mut self,
        parent: u32,
        name: &str,
        modified_ns: u64,
    ) -> Result<u32, Refused> {
        self.add(parent, name, modified_ns, Content::Directory(Vec::new()))
    }

    /// Adds a file of `size` bytes, and returns its number.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn add_file(
        &mut self,
        parent: u32,
        name: &str,
        modified_ns: u64,
        size: u64,
    ) -> Result<u32, Refused> {
        self.add(parent, name, modified_ns, Content::File(size))
    }

    /// Adds a symbolic link, and returns its number.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn add_link(
        &mut self,
        parent: u32,
        name: &str,
        modified_ns: u64,
        target: &str,
    ) -> Result<u32, Refused> {
        if target.is_empty() || target.len() > LONGEST_PATH || target.contains('\0') {
            return Err(Refused::Target);
        }
        self.add(parent, name, modified_ns, Content::Link(target.into()))
    }

    fn add(
        &mut self,
        parent: u32,
        name: &str,
        modified_ns: u64,
        content: Content,
    ) -> Result<u32, Refused> {
        let wrong = matches!(name, "" | "." | "..") || name.contains(['/', '\0']);
        if wrong || name.len() > LONGEST_NAME {
            return Err(Refused::Name);
        }
        let number = u32::try_from(self.nodes.len()).map_err(|_| Refused::TooMany)?;
        let above = self.nodes.get_mut(parent as usize);
        let Some(Content::Directory(entries)) = above.map(|node| &mut node.content) else {
            return Err(Refused::NoDirectory);
        };
        match entries.binary_search_by(|(other, _)| (**other).cmp(name)) {
            Ok(_) => return Err(Refused::Twice),
            Err(place) => entries.insert(place, (name.into(), number)),
        }
        self.nodes.push(Node {
            parent,
            modified_ns,
            content,
        });
        Ok(number)
    }

    fn entries(&self, directory: u32) -> &[(Box<str>, u32)] {
        match self.nodes.get(directory as usize) {
            Some(Node {
                content: Content::Directory(entries),
                ..
            }) => entries,
            _ => &[],
        }
    }

    fn kind(&self, node: u32) -> Kind {
        match self.nodes.get(node as usize).map(|node| &node.content) {
            Some(Content::File(_)) => Kind::File,
            Some(Content::Link(_)) => Kind::Link,
            Some(Content::Directory(_)) | None => Kind::Directory,
        }
    }
}

impl Tree for Folder {
    fn attributes(&self, node: u32) -> Attributes {
        let found = self.nodes.get(node as usize);
        let size = match found.map(|node| &node.content) {
            Some(Content::File(size)) => *size,
            Some(Content::Link(target)) => target.len() as u64,
            Some(Content::Directory(_)) | None => 0,
        };
        Attributes {
            kind: self.kind(node),
            links: 1,
            size,
            times: Times::at(found.map_or(0, |node| node.modified_ns)),
        }
    }

    fn parent(&self, directory: u32) -> u32 {
        self.nodes
            .get(directory as usize)
            .map_or(ROOT, |node| node.parent)
    }

    fn lookup(&self, directory: u32, name: &str) -> Option<(u32, Kind)> {
        let entries = self.entries(directory);
        let place = entries
            .binary_search_by(|(other, _)| (**other).cmp(name))
            .ok()?;
        let (_, node) = entries.get(place)?;
        Some((*node, self.kind(*node)))
    }

    fn target(&self, link: u32) -> Option<&str> {
        match &self.nodes.get(link as usize)?.content {
            Content::Link(target) => Some(target),
            _ => None,
        }
    }

    /// A cookie is the number of entries before it.
    fn entry_after(&self, directory: u32, cookie: u64) -> Option<Entry<'_>> {
        let place = usize::try_from(cookie).ok()?;
        let (name, node) = self.entries(directory).get(place)?;
        Some(Entry {
            cookie: cookie + 1,
            node: *node,
            kind: self.kind(*node),
            name,
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Name => "no file can have this name",
            Refused::Twice => "the name is there twice",
            Refused::NoDirectory => "it lies in no directory",
            Refused::TooMany => "there are too many files",
            Refused::Target => "no symbolic link can point there",
        })
    }
}

impl core::error::Error for Refused {}
