//! The PVH loader: from the firmware's jump to the kernel's first line.
//!
//! QEMU starts this program in 32-bit mode ([`entry`]); it finds the kernel's ELF file as the first
//! module, has `luge-boot-info` decide what goes where, does what was decided and jumps
//! ([`handoff`]). Whatever it cannot do ends in a line on the serial port and an exit code of its
//! own.

#![no_std]
#![no_main]

mod boot_info;
mod console;
mod entry;
mod faults;
mod handoff;
mod memory;

use luge_boot_info::config::{self, ConfigError};
use luge_boot_info::failure::Failure;
use luge_boot_info::kernel::Kernel;
use luge_boot_info::memory_map::MemoryMap;
use luge_boot_info::paging::{LargestPage, MapError, TableMemory, map};
use luge_boot_info::plan::{Facts, Plan};
use luge_boot_info::range::PhysRange;
use luge_boot_info::start_info::{self, Record, START_INFO_LEN, StartInfo};
use x86_64::PhysAddr;
use x86_64::registers::control::Cr3;

use crate::console::{leave, say};
use crate::handoff::Start;
use crate::memory::{Tables, bytes};

/// The loader's first line of Rust; `start_info` is the physical address that the firmware passed.
extern "C" fn loader_main(start_info: u64) -> ! {
    faults::install();
    match prepare(start_info) {
        // SAFETY: `prepare` has entered the gate into the loader's tables and all else into the
        // kernel's.
        Ok(start) => unsafe { handoff::enter(&start) },
        Err(failure) => {
            say!("error: {failure}");
            leave(failure.exit_code())
        }
    }
}

/// What the firmware left, read and checked.
struct Found {
    map: MemoryMap,
    module: PhysRange,
    command_line: PhysRange,
    rsdp: Option<u64>,
}

fn prepare(start_info: u64) -> Result<Start, Failure> {
    let found = find(start_info)?;
    // SAFETY: the module lies in memory that nothing writes to: frames are taken from elsewhere.
    let file = unsafe { bytes(found.module) };
    let kernel = Kernel::read(file)?;
    let config = config::read(kernel.config.ok_or(ConfigError::Absent)?)?;
    for wish in config::skipped(&config) {
        say!("warning: .bootloader-config: {wish}");
    }
    let facts = Facts {
        kernel: &kernel,
        config: &config,
        map: &found.map,
        module: found.module,
        loader: memory::loader(),
        command_line: found.command_line,
    };
    let mut plan = Plan::make(&facts)?;
    carry_out(&mut plan, &kernel, file, &found)
}

/// Reads the records of the firmware.
fn find(start_info: u64) -> Result<Found, Failure> {
    // SAFETY: as long as the loader only reads, nothing writes to what the firmware left; frames
    // are handed out by a plan, which is made later and spares what is still needed then.
    let read = |range: PhysRange| unsafe { bytes(range) };
    let record = start_info::reachable(Record::StartInfo, start_info, START_INFO_LEN)?;
    let info = StartInfo::read(read(record))?;
    let map = MemoryMap::read(read(info.memory_map()?))?;
    let module = start_info::module(read(info.first_module()?))?;
    let command_line = match info.command_line() {
        Some(range) => {
            let len = start_info::until_nul(read(range))?.len() as u64;
            PhysRange::between(range.start(), range.start() + len)
        }
        None => PhysRange::between(0, 0),
    };
    Ok(Found {
        map,
        module,
        command_line,
        rsdp: info.rsdp(),
    })
}

/// Does what the plan says, and writes down what the kernel is entered with.
fn carry_out(
    plan: &mut Plan,
    kernel: &Kernel<'_>,
    file: &[u8],
    found: &Found,
) -> Result<Start, Failure> {
    fill(plan, file, found);
    let root = build_tables(plan)?;
    extend_own_tables(plan, kernel)?;
    // SAFETY: the pages are mapped now, and no more frames will be handed out.
    unsafe { boot_info::write(plan, kernel, found) };
    say!(
        "kernel at {}, entered at {:#x}",
        kernel.image(),
        kernel.entry
    );
    let stack_end = plan.stack.virt.end();
    Ok(Start {
        root,
        entry: kernel.entry,
        stack_end,
        boot_info: plan.boot_info.virt.start(),
    })
}

/// Fills the frames of the kernel's data, its command line and the last word of its stack.
fn fill(plan: &Plan, file: &[u8], found: &Found) {
    for copy in &plan.copies {
        // SAFETY: the frames come from the plan.
        unsafe { memory::carry_out(copy, file) };
    }
    // SAFETY: nothing writes to the command line: frames are taken from elsewhere.
    let command_line = unsafe { bytes(found.command_line) };
    // SAFETY: the frames come from the plan, and the command line fits them.
    unsafe { memory::fill(plan.command_line.frames, command_line) };
    // SAFETY: the frames are the plan's. A return address of 0 ends a backtrace.
    unsafe { memory::write(plan.stack.frames.end() - 8, 0_u64) };
}

/// Builds the kernel's tables and returns their root.
fn build_tables(plan: &mut Plan) -> Result<PhysAddr, MapError> {
    let largest = largest_page();
    let mut tables = Tables(&mut plan.frames);
    let root = tables.allocate().ok_or(MapError::NoMemory)?;
    for mapping in &plan.mappings {
        map(&mut tables, root, mapping, largest)?;
    }
    Ok(root)
}

/// Has the loader's own tables show `BootInfo` where the kernel will find it, and the gate.
fn extend_own_tables(plan: &mut Plan, kernel: &Kernel<'_>) -> Result<(), MapError> {
    let (root, _) = Cr3::read();
    // SAFETY: this is the only call.
    let gate = unsafe { handoff::prepare(kernel.entry) };
    for mapping in [plan.boot_info_mapping(), gate] {
        let tables = &mut Tables(&mut plan.frames);
        map(tables, root.start_address(), &mapping, LargestPage::Mib2)?;
    }
    Ok(())
}

fn largest_page() -> LargestPage {
    let features = raw_cpuid::CpuId::new().get_extended_processor_and_feature_identifiers();
    match features.is_some_and(|features| features.has_1gib_pages()) {
        true => LargestPage::Gib1,
        false => LargestPage::Mib2,
    }
}
