//! The few figures of a superblock that decide how much memory its file system takes.
//!
//! `ext4-view` believes them, so they are checked before it sees them: a wrong one must not make it
//! ask for more memory than there is. Offsets: Linux, `Documentation/filesystems/ext4`, "Super
//! Block".

use crate::reader::Reader;
use crate::sectors::{SECTOR_BYTES, Sectors};
use crate::volume::OpenError;

/// Where the superblock begins.
const START: u64 = 1024;
/// `s_blocks_count_lo`
const BLOCKS_LOW: usize = 0x04;
/// `s_log_block_size`: 0 for 1 KiB, 1 for 2 KiB, …
const BLOCK_SIZE_LOG: usize = 0x18;
/// `s_blocks_per_group`
const BLOCKS_PER_GROUP: usize = 0x20;
/// `s_magic`
const MAGIC: usize = 0x38;
/// `s_feature_incompat`
const INCOMPATIBLE_FEATURES: usize = 0x60;
/// `s_blocks_count_hi`, with the feature `64bit` only
const BLOCKS_HIGH: usize = 0x150;

/// `INCOMPAT_64BIT`
const FEATURE_64BIT: u32 = 0x80;
/// Largest `s_log_block_size`: 64 KiB, the largest page that Linux runs ext4 with.
const LARGEST_BLOCK_LOG: u32 = 6;
/// The fewest blocks in a group that `mke2fs -g` takes.
const FEWEST_BLOCKS_PER_GROUP: u32 = 256;

/// Checks that there is a file system and that all of it is on the disk. Returns the size of its blocks
/// in bytes.
pub fn check<S: Sectors>(reader: &mut Reader<S>) -> Result<u32, OpenError> {
    let mut block = [0; 1024];
    reader
        .read_bytes(START, &mut block)
        .map_err(OpenError::Read)?;
    let word =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    if block[MAGIC..MAGIC + 2] != [0x53, 0xef] {
        return Err(OpenError::NoFileSystem);
    }
    let log = word(BLOCK_SIZE_LOG);
    if log > LARGEST_BLOCK_LOG {
        return Err(OpenError::BlockSize { log });
    }
    let groups_of = word(BLOCKS_PER_GROUP);
    if groups_of < FEWEST_BLOCKS_PER_GROUP {
        return Err(OpenError::BlocksPerGroup { blocks: groups_of });
    }
    let high = if word(INCOMPATIBLE_FEATURES) & FEATURE_64BIT != 0 {
        word(BLOCKS_HIGH)
    } else {
        0
    };
    let blocks = u64::from(high) << 32 | u64::from(word(BLOCKS_LOW));
    let block_sectors = (1024 << log) / SECTOR_BYTES as u64;
    let has = reader.sectors();
    let needs = blocks.saturating_mul(block_sectors);
    if needs > has {
        Err(OpenError::CutShort { has, needs })
    } else {
        Ok(1024 << log)
    }
}
