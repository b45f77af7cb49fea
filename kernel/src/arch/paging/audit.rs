//! A walk over all page tables, in kernels built with the feature `scenarios` only: what is mapped that must not be.

use x86_64::registers::control::Cr3;
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags};

use super::{is_writable, physical_to_virtual, table_at};

/// What an audit of all page tables found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit {
    /// Leaf entries that are writable.
    pub writable: u64,
    /// Leaf entries that are executable.
    pub executable: u64,
    /// Leaf entries that are both, which must not be.
    pub both: u64,
    /// Executable pages whose frame can be written to through the map of physical memory, which must not
    /// be.
    pub writable_elsewhere: u64,
    /// Present entries of the root table for the lower half, which must not be.
    pub lower_half: u64,
}

/// Walks every page table there is.
#[must_use]
pub fn audit() -> Audit {
    let mut audit = Audit::default();
    let root = table_at(Cr3::read().0.start_address().as_u64());
    // SAFETY: the root table is in RAM.
    let present = unsafe { &*root }
        .iter()
        .take(256)
        .filter(|entry| !entry.is_unused());
    audit.lower_half = present.count() as u64;
    audit_table(root, 3, &mut audit);
    audit
}

fn audit_table(table: *mut PageTable, level: u32, audit: &mut Audit) {
    // SAFETY: present entries of tables in RAM name tables in RAM.
    for entry in unsafe { &*table }.iter() {
        let flags = entry.flags();
        if !flags.contains(Flags::PRESENT) {
            continue;
        }
        if level > 0 && !flags.contains(Flags::HUGE_PAGE) {
            audit_table(table_at(entry.addr().as_u64()), level - 1, audit);
            continue;
        }
        let writable = flags.contains(Flags::WRITABLE);
        let executable = !flags.contains(Flags::NO_EXECUTE);
        audit.writable += u64::from(writable);
        audit.executable += u64::from(executable);
        audit.both += u64::from(writable && executable);
        let seen = physical_to_virtual(entry.addr().as_u64()) as u64;
        audit.writable_elsewhere += u64::from(executable && is_writable(seen));
    }
}
