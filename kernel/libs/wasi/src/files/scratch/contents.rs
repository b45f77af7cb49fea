//! What is in the files of the scratch: reading, writing, growing, cutting off.

use super::{BLOCK, Content, File, Scratch};
use crate::Errno;
use crate::files::LARGEST_FILE;
use crate::files::blocks::{BLOCK_BYTES, Blocks};

impl Scratch {
    /// A file, and the blocks of all.
    fn file(&mut self, number: u32) -> Option<(&mut File, &mut Blocks)> {
        let place = number.checked_sub(1)?;
        let node = self.nodes.get_mut(place as usize)?.as_mut()?;
        match &mut node.content {
            Content::File(file) => Some((file, &mut self.blocks)),
            _ => None,
        }
    }

    /// Looks for the block that `offset` lies in, before others may run. False if it has to go on after that: what
    /// [`Self::read`], [`Self::write`] and [`Self::resize`] do there is short then.
    pub(crate) fn approach(&mut self, node: u32, offset: u64) -> bool {
        let (index, _) = place_of(offset);
        let Some((file, blocks)) = self.file(node) else {
            return true;
        };
        // What is written behind the end follows the last block.
        let last = file.chain.length().saturating_sub(1);
        blocks.approach(&mut file.chain, index.min(last))
    }

    /// Copies what a file has from `offset` on into all of `into`, as far as the file goes.
    pub(crate) fn read(&mut self, node: u32, offset: u64, into: &mut [u8]) -> usize {
        let Some((file, blocks)) = self.file(node) else {
            return 0;
        };
        let rest = file.size.saturating_sub(offset);
        let length = into.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        let mut done = 0;
        while done < length {
            let (index, skipped) = place_of(offset + done as u64);
            let Some(block) = blocks.get(&mut file.chain, index) else {
                break;
            };
            let part = (length - done).min(BLOCK_BYTES - skipped);
            into[done..done + part].copy_from_slice(&block[skipped..skipped + part]);
            done += part;
        }
        done
    }

    /// What a file has from `offset` on, as far as that lies in one block.
    pub(crate) fn piece(&mut self, node: u32, offset: u64) -> &[u8] {
        let Some((file, blocks)) = self.file(node) else {
            return &[];
        };
        let rest = file.size.saturating_sub(offset);
        let (index, skipped) = place_of(offset);
        let part = (BLOCK_BYTES - skipped).min(usize::try_from(rest).unwrap_or(usize::MAX));
        match blocks.get(&mut file.chain, index) {
            Some(block) => &block[skipped..skipped + part],
            None => &[],
        }
    }

    /// Copies `bytes` into a file, which grows if need be. Says how many there was room for; none at all
    /// is an error. Allocates.
    pub(crate) fn write(
        &mut self,
        node: u32,
        offset: u64,
        bytes: &[u8],
        now_ns: u64,
    ) -> Result<usize, Errno> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if offset >= LARGEST_FILE {
            return Err(Errno::TooLarge);
        }
        let end = offset
            .saturating_add(bytes.len() as u64)
            .min(self.room(node));
        if end <= offset {
            return Err(Errno::NoSpace);
        }
        let old = self.size(node);
        if end > old {
            self.grow(node, end);
        }
        let room = self.size(node).saturating_sub(offset);
        let length = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if length == 0 {
            self.shrink(node, old);
            return Err(Errno::NoSpace);
        }
        let (file, blocks) = self.file(node).ok_or(Errno::Invalid)?;
        let mut done = 0;
        while done < length {
            let (index, skipped) = place_of(offset + done as u64);
            let block = blocks
                .get_mut(&mut file.chain, index)
                .ok_or(Errno::Invalid)?;
            let part = (length - done).min(BLOCK_BYTES - skipped);
            block[skipped..skipped + part].copy_from_slice(&bytes[done..done + part]);
            done += part;
        }
        self.touch(node, now_ns);
        Ok(done)
    }

    /// How long a file is; anything else is not.
    pub(crate) fn size(&self, node: u32) -> u64 {
        match self.node(node).map(|node| &node.content) {
            Some(Content::File(file)) => file.size,
            _ => 0,
        }
    }

    /// How long a file could become.
    fn room(&self, node: u32) -> u64 {
        match self.node(node).map(|node| &node.content) {
            Some(Content::File(file)) => {
                (u64::from(file.chain.length()) + self.left / BLOCK) * BLOCK
            }
            _ => 0,
        }
    }

    /// Checks that a file could have this size.
    ///
    /// # Errors
    /// `fbig` if none could, `nospc` if there is no room for it.
    pub(crate) fn check_size(&self, node: u32, size: u64) -> Result<(), Errno> {
        if size > LARGEST_FILE {
            return Err(Errno::TooLarge);
        }
        if size > self.room(node) {
            return Err(Errno::NoSpace);
        }
        Ok(())
    }

    /// Gives a file this size, or leaves it as it is; what is new in it is zero. Allocates.
    pub(crate) fn resize(&mut self, node: u32, size: u64, now_ns: u64) -> Result<(), Errno> {
        let old = self.size(node);
        self.check_size(node, size)?;
        if size <= old {
            self.shrink(node, size);
        } else {
            self.grow(node, size);
            if self.size(node) < size {
                self.shrink(node, old);
                return Err(Errno::NoSpace);
            }
        }
        self.touch(node, now_ns);
        Ok(())
    }

    /// Lets a file grow to `size`, or as far as there is memory.
    fn grow(&mut self, node: u32, size: u64) {
        while let Some((file, blocks)) = self.file(node) {
            let length = u64::from(file.chain.length()) * BLOCK;
            file.size = size.min(length);
            if length >= size || blocks.extend(&mut file.chain).is_none() {
                return;
            }
            // There was room, as the callers know.
            self.left = self.left.saturating_sub(BLOCK);
        }
    }

    /// Cuts a file off, so that what is behind its end in its last block is zero.
    fn shrink(&mut self, node: u32, size: u64) {
        let Some((file, blocks)) = self.file(node) else {
            return;
        };
        let before = file.chain.length();
        let length = size.div_ceil(BLOCK);
        let length = u32::try_from(length).unwrap_or(u32::MAX).min(before);
        blocks.truncate(&mut file.chain, length);
        file.size = size;
        let (index, used) = place_of(size);
        if used > 0
            && let Some(block) = blocks.get_mut(&mut file.chain, index)
        {
            block[used..].fill(0);
        }
        self.left += u64::from(before - length) * BLOCK;
    }
}

/// The block that a byte of a file lies in, and its place there.
const fn place_of(offset: u64) -> (u32, usize) {
    ((offset / BLOCK) as u32, (offset % BLOCK) as usize)
}
