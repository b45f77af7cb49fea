//! What the map of physical memory shows of a frame. The loader makes it of larger pages, which are split where one
//! frame is to be shown differently.

use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PageTableFlags as Flags;
use x86_64::structures::paging::page_table::PageTableEntry;

#[cfg(doc)]
use super::map;
use super::{
    Access, Caching, OutOfFrames, changes, entry_of, flags_of, index_at, physical_to_virtual,
    span_of, table_at,
};

/// Lets the map of physical memory show a frame writable or read-only.
///
/// # Errors
/// [`OutOfFrames`] if a larger page must be split and there is no frame for the table; nothing has
/// changed then.
///
/// # Safety
/// The frame must be RAM, and nobody may count on an access that is taken away. `new_table` as for [`map`].
pub unsafe fn show_frame(
    frame: u64,
    access: Access,
    new_table: &mut dyn FnMut() -> Option<u64>,
) -> Result<(), OutOfFrames> {
    let address = physical_to_virtual(frame) as u64;
    let mut table = table_at(Cr3::read().0.start_address().as_u64());
    for level in (1..4).rev() {
        // SAFETY: the table is in RAM; the reference ends within this turn of the loop.
        let entry = unsafe { &mut (&mut (*table))[index_at(address, level)] };
        if entry.flags().contains(Flags::HUGE_PAGE) {
            let mapped_to = address;
            split(entry, level, new_table).ok_or(OutOfFrames { mapped_to })?;
        }
        table = table_at(entry.addr().as_u64());
    }
    // SAFETY: this is the last-level table of the address.
    let entry = unsafe { entry_of(table, address) };
    entry.set_flags(flags_of(access, Caching::WriteBack));
    tlb::flush(VirtAddr::new(address));
    changes::note();
    Ok(())
}

/// Replaces the entry of a larger page by one for a table that maps the same in smaller pages.
fn split(
    entry: &mut PageTableEntry,
    level: u32,
    new_table: &mut dyn FnMut() -> Option<u64>,
) -> Option<()> {
    let (base, flags) = (entry.addr(), entry.flags());
    let flags = if level == 1 {
        flags - Flags::HUGE_PAGE
    } else {
        flags
    };
    let frame = new_table()?;
    // SAFETY: the frame is RAM and was given to us.
    let table = unsafe { &mut *table_at(frame) };
    for (part, address) in table
        .iter_mut()
        .zip((base.as_u64()..).step_by(span_of(level - 1)))
    {
        part.set_addr(x86_64::PhysAddr::new(address), flags);
    }
    let frame = x86_64::PhysAddr::new(frame);
    entry.set_addr(frame, Flags::PRESENT | Flags::WRITABLE);
    tlb::flush_all();
    changes::note();
    Some(())
}
