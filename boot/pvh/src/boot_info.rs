//! `BootInfo` and its memory regions, written where the kernel will find them.

use core::ptr;
use core::slice;

use bootloader_api::BootInfo;
use bootloader_api::info::{MemoryRegion, MemoryRegions, TlsTemplate};
use luge_boot_info::kernel::{Kernel, Tls};
use luge_boot_info::plan::{Plan, REGIONS_OFFSET};
use luge_boot_info::regions::{self, MAX_REGIONS};

use crate::Found;

/// Writes `BootInfo` for `plan`.
///
/// # Safety
/// The plan's pages for `BootInfo` must be mapped for writing in the loader's tables at their
/// address in the kernel, and be used for nothing else; the plan must hand out no more frames.
pub unsafe fn write(plan: &Plan, kernel: &Kernel<'_>, found: &Found) {
    let start = plan.boot_info.virt.start() as usize;
    let first: *mut MemoryRegion =
        ptr::with_exposed_provenance_mut(start + REGIONS_OFFSET as usize);
    let mut len = 0;
    regions::for_each(&found.map, &plan.taken(), |region| {
        assert!(
            len < MAX_REGIONS,
            "there are never more regions than the plan has room for"
        );
        // SAFETY: the pages have room for MAX_REGIONS regions from here on.
        unsafe { first.add(len).write(region) };
        len += 1;
    });
    // SAFETY: that many regions have just been written, and only this slice leads to them.
    let regions: &'static mut [MemoryRegion] = unsafe { slice::from_raw_parts_mut(first, len) };
    let mut info = BootInfo::new(MemoryRegions::from(regions));
    info.physical_memory_offset = plan.physical_memory_offset.into();
    info.rsdp_addr = found.rsdp.into();
    info.tls_template = kernel.tls.map(template).into();
    info.ramdisk_len = found.command_line.len();
    info.ramdisk_addr = (info.ramdisk_len > 0)
        .then_some(plan.command_line.virt.start())
        .into();
    info.kernel_addr = found.module.start();
    // What lies behind it, debugging information for the most part, is free memory now.
    info.kernel_len = plan.kept().len();
    info.kernel_image_offset = kernel.image().start();
    info.kernel_stack_bottom = plan.stack.virt.start();
    info.kernel_stack_len = plan.stack.virt.len();
    // SAFETY: `BootInfo` comes first in its pages, which are aligned to more than it needs.
    unsafe { ptr::with_exposed_provenance_mut::<BootInfo>(start).write(info) };
}

fn template(tls: Tls) -> TlsTemplate {
    TlsTemplate {
        start_addr: tls.start,
        file_size: tls.file_len,
        mem_size: tls.memory_len,
    }
}
