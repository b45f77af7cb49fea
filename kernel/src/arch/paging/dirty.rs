//! Which pages were written to: the processor marks them in the tables, and this reads and clears the marks.

use core::ops::Range;

use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags as Flags;

use super::{PAGE_BYTES, end_of_table, for_each_mapped, index_at, leaf_table};

/// Calls `f` with the address and the frame of every page of `range` that was written to since it was last
/// clean, lowest first.
pub fn for_each_dirty(range: Range<u64>, f: &mut dyn FnMut(u64, u64)) {
    for_each_mapped(range, &mut |page, entry| {
        if entry.flags().contains(Flags::DIRTY) {
            f(page, entry.addr().as_u64());
        }
    });
}

/// Marks every page of `range` clean that was written to since it was last clean, and calls
/// `restore` with its address and its frame.
pub fn take_dirty(range: Range<u64>, restore: &mut dyn FnMut(u64, u64)) {
    let mut page = range.start;
    while page < range.end {
        let end = range.end.min(end_of_table(page));
        if let Some(table) = leaf_table(page, None) {
            let first = usize::from(index_at(page, 0));
            let pages = ((end - page) / PAGE_BYTES) as usize;
            // SAFETY: `leaf_table` gives a table in RAM, whose entries are words; nobody else refers to
            // those of this range while its owner asks for this.
            let words = unsafe { &mut (&mut *table.cast::<[u64; 512]>())[first..first + pages] };
            take_dirty_words(words, page, restore);
        }
        page = end;
    }
}

/// As many entries are looked at together as lie in one line of the cache: most are clean.
const TOGETHER: usize = 8;

fn take_dirty_words(words: &mut [u64], first: u64, restore: &mut dyn FnMut(u64, u64)) {
    let dirty = Flags::DIRTY.bits();
    let mut page = first;
    let (groups, rest) = words.as_chunks_mut::<TOGETHER>();
    for group in groups {
        if group.iter().fold(0, |all, word| all | word) & dirty != 0 {
            take_dirty_of_group(group, page, restore);
        }
        page += TOGETHER as u64 * PAGE_BYTES;
    }
    take_dirty_of_group(rest, page, restore);
}

#[inline(never)]
fn take_dirty_of_group(words: &mut [u64], first: u64, restore: &mut dyn FnMut(u64, u64)) {
    let dirty = Flags::DIRTY.bits();
    for (word, page) in words.iter_mut().zip((first..).step_by(PAGE_BYTES as usize)) {
        if *word & dirty != 0 {
            *word &= !dirty;
            // The processor sets the bit again only once it has forgotten that it was set.
            tlb::flush(VirtAddr::new(page));
            restore(page, *word & FRAME_MASK);
        }
    }
}

/// The bits of an entry that name its frame. SDM Vol. 3A, "4-Level Paging".
const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;
