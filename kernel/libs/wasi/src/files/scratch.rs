//! The scratch file system: what a command writes, in memory of its own.
//!
//! Nodes have numbers, and entries give them names, as everywhere. Everything is counted against one
//! limit, contents in whole blocks.
//!
//! Invariant: a node exists as long as an entry or a descriptor leads to it. Only functions that are
//! said to allocate do; the caller sees to it that this memory is the command's. Each allocation may be
//! refused, which is `nospc` and changes nothing.

mod contents;
mod names;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use self::names::Names;
use super::blocks::{BLOCK_BYTES, Blocks, Chain};
use super::{Attributes, Entry, Kind, ROOT, Times, Tree};
use crate::Errno;

/// Most directories, files and links, and most names for them.
pub const MOST_NODES: usize = 4096;

/// How often the memory of blocks that no file has is given up for a node or a name, a part at a time.
const GIVEN_UP_AT_ONCE: u32 = 8;

/// What a node counts against the limit, in bytes.
const NODE_BYTES: u64 = 256;
/// What a block does.
const BLOCK: u64 = BLOCK_BYTES as u64;
/// What an entry does, beside its name.
const ENTRY_BYTES: u64 = 64;

/// A tree in memory.
pub(crate) struct Scratch {
    root: Node,
    /// Those with numbers from 1 on. None for those that are gone.
    nodes: Vec<Option<Node>>,
    names: Names,
    blocks: Blocks,
    /// What may still be used, in bytes.
    left: u64,
}

/// What a node is made of.
pub(crate) enum Content {
    /// The directory above it.
    Directory(u32),
    File(File),
    Link(Box<str>),
}

/// The contents of a file.
pub(crate) struct File {
    size: u64,
    chain: Chain,
}

struct Node {
    content: Content,
    /// Entries that lead to it.
    links: u32,
    /// Descriptors that do.
    open: u32,
    times: Times,
}

/// A copy of a text, if there is memory for one. Allocates.
pub(crate) fn text(text: &str) -> Result<Box<str>, Errno> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())
        .map_err(|_| Errno::NoSpace)?;
    copy.push_str(text);
    Ok(copy.into_boxed_str())
}

impl Content {
    pub(crate) const fn empty_file() -> Self {
        Self::File(File {
            size: 0,
            chain: Chain::new(),
        })
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Directory(_) => Kind::Directory,
            Self::File(_) => Kind::File,
            Self::Link(_) => Kind::Link,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Link(target) => target.len() as u64,
            _ => 0,
        }
    }
}

impl Scratch {
    /// An empty tree that may come to hold `limit` bytes. Allocates nothing.
    pub(crate) const fn new(limit: u64) -> Self {
        Self {
            root: Node {
                content: Content::Directory(ROOT),
                links: 1,
                open: 0,
                times: Times::at(0),
            },
            nodes: Vec::new(),
            names: Names::new(),
            blocks: Blocks::new(),
            left: limit,
        }
    }

    /// Has an empty tree be one that may come to hold `limit` bytes.
    pub(crate) fn limit_to(&mut self, limit: u64) {
        self.left = limit;
    }

    fn node(&self, number: u32) -> Option<&Node> {
        match number.checked_sub(1) {
            None => Some(&self.root),
            Some(place) => self.nodes.get(place as usize)?.as_ref(),
        }
    }

    fn node_mut(&mut self, number: u32) -> Option<&mut Node> {
        match number.checked_sub(1) {
            None => Some(&mut self.root),
            Some(place) => self.nodes.get_mut(place as usize)?.as_mut(),
        }
    }

    /// Counts `bytes`, if so much is left.
    fn charge(&mut self, bytes: u64) -> Result<(), Errno> {
        self.left = self.left.checked_sub(bytes).ok_or(Errno::NoSpace)?;
        Ok(())
    }

    /// Does what may lack memory; again once files that are gone have made room for it.
    fn with_memory<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        for _ in 0..GIVEN_UP_AT_ONCE {
            match attempt(self) {
                Err(Errno::NoSpace) if self.blocks.give_up_some() => {}
                answer => return answer,
            }
        }
        attempt(self)
    }

    /// Makes a node and gives it a name. The name must be free. Allocates.
    pub(crate) fn create(
        &mut self,
        directory: u32,
        name: &str,
        content: Content,
        now_ns: u64,
    ) -> Result<u32, Errno> {
        let bytes = NODE_BYTES + content.bytes();
        let free = self.nodes.iter().position(Option::is_none);
        let place = free.unwrap_or(self.nodes.len());
        if place >= MOST_NODES {
            return Err(Errno::NoSpace);
        }
        self.with_memory(|it| it.nodes.try_reserve(1).map_err(|_| Errno::NoSpace))?;
        let number = place as u32 + 1;
        self.charge(bytes)?;
        if let Err(errno) = self.add_entry(directory, name, number, now_ns) {
            self.left += bytes;
            return Err(errno);
        }
        let node = Some(Node {
            content,
            links: 1,
            open: 0,
            times: Times::at(now_ns),
        });
        match free {
            Some(place) => self.nodes[place] = node,
            None => self.nodes.push(node),
        }
        Ok(number)
    }

    /// Gives a node one more name, which must be free. Allocates.
    pub(crate) fn link(
        &mut self,
        directory: u32,
        name: &str,
        node: u32,
        now_ns: u64,
    ) -> Result<(), Errno> {
        self.add_entry(directory, name, node, now_ns)?;
        if let Some(node) = self.node_mut(node) {
            node.links += 1;
            node.times.changed_ns = now_ns;
        }
        Ok(())
    }

    fn add_entry(
        &mut self,
        directory: u32,
        name: &str,
        node: u32,
        now_ns: u64,
    ) -> Result<(), Errno> {
        // A directory that is open may have been removed meanwhile.
        if self.node(directory).is_none_or(|above| above.links == 0) {
            return Err(Errno::NoEntry);
        }
        let bytes = ENTRY_BYTES + name.len() as u64;
        self.charge(bytes)?;
        if let Err(errno) = self.with_memory(|it| it.names.add(directory, name, node)) {
            self.left += bytes;
            return Err(errno);
        }
        self.touch(directory, now_ns);
        Ok(())
    }

    /// The contents of a node have changed.
    fn touch(&mut self, node: u32, now_ns: u64) {
        if let Some(node) = self.node_mut(node) {
            node.times.modified_ns = now_ns;
            node.times.changed_ns = now_ns;
        }
    }

    pub(crate) fn is_empty(&self, directory: u32) -> bool {
        self.names.after(directory, 0).is_none()
    }

    /// Takes a name away, and the node with it if that was the last thing that led to it. A directory
    /// must be empty.
    pub(crate) fn remove(&mut self, directory: u32, name: &str, now_ns: u64) {
        let Some(entry) = self.names.remove(directory, name) else {
            return;
        };
        self.left += ENTRY_BYTES + entry.name.len() as u64;
        self.touch(directory, now_ns);
        self.lose_name(entry.node, now_ns);
    }

    /// One name fewer leads to the node.
    fn lose_name(&mut self, number: u32, now_ns: u64) {
        if let Some(node) = self.node_mut(number) {
            node.links -= 1;
            node.times.changed_ns = now_ns;
        }
        self.forget_if_unused(number);
    }

    fn forget_if_unused(&mut self, number: u32) {
        let unused = |node: &Node| node.links == 0 && node.open == 0;
        if number == ROOT || !self.node(number).is_some_and(unused) {
            return;
        }
        let node = self.nodes.get_mut(number as usize - 1);
        let Some(mut node) = node.and_then(Option::take) else {
            return;
        };
        self.left += NODE_BYTES + node.content.bytes();
        if let Content::File(file) = &mut node.content {
            self.left += u64::from(file.chain.length()) * BLOCK;
            self.blocks.truncate(&mut file.chain, 0);
        }
    }

    /// Moves an entry, in place of what has the new name. That this may be is for the caller to know.
    /// Allocates.
    pub(crate) fn rename(
        &mut self,
        from: (u32, &str),
        to: (u32, &str),
        now_ns: u64,
    ) -> Result<(), Errno> {
        let (node, _) = self.lookup(from.0, from.1).ok_or(Errno::NoEntry)?;
        // The new name first, so that nothing is lost if there is no room for it.
        match self.names.replace(to.0, to.1, node) {
            None => self.add_entry(to.0, to.1, node, now_ns)?,
            Some(replaced) => {
                self.touch(to.0, now_ns);
                self.lose_name(replaced, now_ns);
            }
        }
        if let Some(node) = self.node_mut(node) {
            node.links += 1;
        }
        self.remove(from.0, from.1, now_ns);
        if let Some(Content::Directory(parent)) = self.node_mut(node).map(|node| &mut node.content)
        {
            *parent = to.0;
        }
        Ok(())
    }

    /// Whether `directory` is `above` or lies below it.
    pub(crate) fn is_below(&self, directory: u32, above: u32) -> bool {
        let mut here = directory;
        loop {
            if here == above {
                return true;
            }
            if here == ROOT {
                return false;
            }
            here = self.parent(here);
        }
    }

    /// A descriptor leads to the node now.
    pub(crate) fn open(&mut self, node: u32) {
        if let Some(node) = self.node_mut(node) {
            node.open += 1;
        }
    }

    /// One descriptor fewer leads to the node.
    pub(crate) fn close(&mut self, number: u32) {
        if let Some(node) = self.node_mut(number) {
            node.open = node.open.saturating_sub(1);
        }
        self.forget_if_unused(number);
    }

    pub(crate) fn set_times(&mut self, node: u32, times: Times) {
        if let Some(node) = self.node_mut(node) {
            node.times = times;
        }
    }
}

impl Tree for Scratch {
    fn attributes(&self, number: u32) -> Attributes {
        let node = self.node(number).unwrap_or(&self.root);
        let size = match &node.content {
            Content::Directory(_) => 0,
            Content::File(file) => file.size,
            Content::Link(target) => target.len() as u64,
        };
        Attributes {
            kind: node.content.kind(),
            links: node.links,
            size,
            times: node.times,
        }
    }

    fn parent(&self, directory: u32) -> u32 {
        match self.node(directory).map(|node| &node.content) {
            Some(Content::Directory(parent)) => *parent,
            _ => ROOT,
        }
    }

    fn lookup(&self, directory: u32, name: &str) -> Option<(u32, Kind)> {
        let entry = self.names.find(directory, name)?;
        let node = self.node(entry.node)?;
        Some((entry.node, node.content.kind()))
    }

    fn target(&self, link: u32) -> Option<&str> {
        match &self.node(link)?.content {
            Content::Link(target) => Some(target),
            _ => None,
        }
    }

    /// A cookie is an entry's own, so that it means the same when others come and go.
    fn entry_after(&self, directory: u32, cookie: u64) -> Option<Entry<'_>> {
        let entry = self.names.after(directory, cookie)?;
        Some(Entry {
            cookie: entry.cookie,
            node: entry.node,
            kind: self.node(entry.node)?.content.kind(),
            name: &entry.name,
        })
    }
}
