//! The plan: which frames hold what, and what the kernel's address space looks like.
//!
//! A [`Plan`] is made before anything is written, so a kernel that does not fit is refused while
//! the machine is still as it was found. The loader then carries it out: it makes the
//! [copies](struct@Copy), enters the mappings with [`paging::map`](crate::paging::map), writes
//! `BootInfo` and jumps.
//!
//! - Segments that the kernel only reads or executes stay where the module is, and the mapping of
//!   physical memory shows that part of the module read-only: no page is writable and executable, not even
//!   under two addresses. Other segments are copied to fresh frames.
//! - Physical memory is mapped as far as it is memory. Firmware tables (ACPI's, the BIOS area, what
//!   is reserved next to memory) are there read-only; devices are not: the kernel maps them itself.
//! - The stack has an unmapped page below it.

use core::fmt;
use core::ops;

use bootloader_api::info::MemoryRegion;
use bootloader_api::{BootInfo, BootloaderConfig};
use heapless::Vec;

use crate::config::ConfigError;
use crate::failure::Failure;
use crate::frames::Frames;
use crate::kernel::{Kernel, MAX_SEGMENTS, Segment};
use crate::memory_map::{Kind, MAX_RECORDS, MemoryMap, for_each_hole};
use crate::paging::{Access, Mapping};
use crate::range::{PAGE, PhysRange, VirtRange};
use crate::regions::{MAX_REGIONS, MAX_TAKEN};
use crate::space::{AddressSpace, Wish};
use crate::start_info::{REACH, WRITABLE_FROM};

/// The most mappings of a plan: memory, its split around the module, segments, and the rest.
pub const MAX_MAPPINGS: usize = MAX_RECORDS + MAX_SEGMENTS + 8;

/// Where the memory regions lie behind the start of `BootInfo`, in bytes.
pub const REGIONS_OFFSET: u64 =
    size_of::<BootInfo>().next_multiple_of(align_of::<MemoryRegion>()) as u64;

/// The pages of `BootInfo` and the memory regions, in bytes.
pub const BOOT_INFO_LEN: u64 =
    (REGIONS_OFFSET + (MAX_REGIONS * size_of::<MemoryRegion>()) as u64).next_multiple_of(PAGE);

/// What the address of the mapping of physical memory is a multiple of, so that any page size fits.
const PHYSICAL_ALIGN: u64 = 1 << 30;

/// Below this address lie the BIOS's areas.
const LOW_MEMORY_END: u64 = 1 << 20;

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Memory does not suffice.
    NoMemory {
        /// How many bytes were wanted in one piece.
        bytes: u64,
    },
    /// The module does not lie in memory.
    ModuleOutsideMemory {
        /// Where it lies.
        module: PhysRange,
    },
    /// A fixed address is not a multiple of a page, or not in the higher half.
    BadAddress {
        /// The address.
        address: u64,
    },
    /// A fixed address is taken already.
    AddressTaken {
        /// The address.
        address: u64,
    },
    /// The dynamic range has no gap that is large enough.
    NoAddress {
        /// How many bytes were wanted.
        len: u64,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoMemory { bytes } => write!(f, "no memory for {bytes:#x} bytes in one piece"),
            Self::ModuleOutsideMemory { module } => {
                write!(f, "the kernel module at {module} does not lie in memory")
            }
            Self::BadAddress { address } => {
                write!(
                    f,
                    "fixed address {address:#x} is unaligned or not in the higher half"
                )
            }
            Self::AddressTaken { address } => write!(f, "fixed address {address:#x} is taken"),
            Self::NoAddress { len } => {
                write!(f, "no gap of {len:#x} bytes in the dynamic address range")
            }
        }
    }
}

/// The place of what stays of the module in [`Plan::taken`].
const MODULE: usize = 3;

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The kernel.
    pub kernel: &'a Kernel<'a>,
    /// Its wishes.
    pub config: &'a BootloaderConfig,
    /// The memory of the machine.
    pub map: &'a MemoryMap,
    /// Where the kernel's file lies.
    pub module: PhysRange,
    /// Where the loader lies: code, and data.
    pub loader: [PhysRange; 2],
    /// Where the command line lies, without its NUL.
    pub command_line: PhysRange,
}

/// Bytes that go to fresh frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Which bytes of the kernel's file.
    pub file: ops::Range<usize>,
    /// The frames, in whole pages.
    pub frames: PhysRange,
    /// How far behind the start of the frames the bytes go. All other bytes are to be zero.
    pub offset: u64,
}

/// Something that is mapped and that the loader fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its addresses in the kernel.
    pub virt: VirtRange,
    /// Its frames.
    pub frames: PhysRange,
}

/// What is to be done before the kernel can be entered.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kernel's address space.
    pub mappings: Vec<Mapping, MAX_MAPPINGS>,
    /// What is to be copied out of the kernel's file.
    pub copies: Vec<Copy, MAX_SEGMENTS>,
    /// The kernel's stack; the page below it is not mapped.
    pub stack: Area,
    /// `BootInfo`, with the memory regions behind it.
    pub boot_info: Area,
    /// The command line; empty if there is none.
    pub command_line: Area,
    /// Where physical address 0 is mapped, if the kernel wants that.
    pub physical_memory_offset: Option<u64>,
    /// Frames for tables.
    pub frames: Frames,
    /// What the loader used, beside what `frames` hands out.
    taken: [PhysRange; 4],
}

impl Plan {
    /// Makes the plan.
    ///
    /// # Errors
    /// [`Failure::Plan`], or [`Failure::Config`] for a stack that cannot be.
    pub fn make(facts: &Facts<'_>) -> Result<Self, Failure> {
        let module = module_pages(facts)?;
        let mut frames = Frames::new(run_for_frames(facts, module)?);
        let stack_len = stack_len(facts.config)?;
        let [stack, boot_info, command_line, physical] = places(facts, stack_len)?;
        // The first page of the stack's place is the guard.
        let stack = VirtRange::between(stack.start() + PAGE, stack.end());
        let mut area = |virt: VirtRange| -> Result<Area, PlanError> {
            Ok(Area {
                virt,
                frames: take(&mut frames, virt.len())?,
            })
        };
        let (stack, boot_info) = (area(stack)?, area(boot_info)?);
        let command_line = area(command_line)?;
        let first_frame = PhysRange::between(0, PAGE);
        let mut plan = Self {
            mappings: Vec::new(),
            copies: Vec::new(),
            stack,
            boot_info,
            command_line,
            physical_memory_offset: (!physical.is_empty()).then_some(physical.start()),
            frames,
            taken: [first_frame, facts.loader[0], facts.loader[1], module],
        };
        let mut kept = PhysRange::between(module.start(), module.start());
        for segment in &facts.kernel.segments {
            if let Some(in_place) = plan.load(segment, facts.module)? {
                kept = PhysRange::between(kept.start(), kept.end().max(in_place.end()));
            }
        }
        plan.taken[MODULE] = kept;
        for area in [stack, boot_info, command_line] {
            plan.map(area.virt.start(), area.frames, Access::ReadWrite)?;
        }
        if let Some(offset) = plan.physical_memory_offset {
            plan.map_physical_memory(offset, facts.map, kept)?;
        }
        Ok(plan)
    }

    /// What stays of the kernel's file, from its beginning on: as much as has segments that lie where they are.
    #[must_use]
    pub fn kept(&self) -> PhysRange {
        self.taken[MODULE]
    }

    /// What is no longer free: frame 0, the loader, what stays of the module, and the frames handed out so far.
    #[must_use]
    pub fn taken(&self) -> Vec<PhysRange, MAX_TAKEN> {
        self.taken.into_iter().chain([self.frames.used()]).collect()
    }

    /// `BootInfo`'s pages, which the loader maps for itself as well, to fill them.
    #[must_use]
    pub fn boot_info_mapping(&self) -> Mapping {
        let Area { virt, frames } = self.boot_info;
        Mapping {
            virt: virt.start(),
            phys: frames,
            access: Access::ReadWrite,
        }
    }

    fn map(&mut self, virt: u64, phys: PhysRange, access: Access) -> Result<(), PlanError> {
        if phys.is_empty() {
            return Ok(());
        }
        let too_many = PlanError::NoMemory { bytes: phys.len() };
        self.mappings
            .push(Mapping { virt, phys, access })
            .map_err(|_| too_many)
    }

    /// Says where the segment is, if it stays in the module.
    fn load(
        &mut self,
        segment: &Segment,
        module: PhysRange,
    ) -> Result<Option<PhysRange>, PlanError> {
        let offset = segment.memory.start() - segment.pages.start();
        let whole = segment.file.len() as u64 == segment.memory.len();
        let in_place =
            segment.access != Access::ReadWrite && whole && module.start().is_multiple_of(PAGE);
        let frames = if in_place {
            let start = module.start() + segment.file.start as u64 - offset;
            PhysRange::between(start, start + segment.pages.len())
        } else {
            let frames = take(&mut self.frames, segment.pages.len())?;
            let copy = Copy {
                file: segment.file.clone(),
                frames,
                offset,
            };
            self.copies.push(copy).map_err(|_| PlanError::NoMemory {
                bytes: frames.len(),
            })?;
            frames
        };
        self.map(segment.pages.start(), frames, segment.access)?;
        Ok(in_place.then_some(frames))
    }

    fn map_physical_memory(
        &mut self,
        offset: u64,
        map: &MemoryMap,
        kept: PhysRange,
    ) -> Result<(), PlanError> {
        let mut result = Ok(());
        let mut add = |range: PhysRange, access| {
            if result.is_ok() {
                result = self.map(offset + range.start(), range, access);
            }
        };
        for_each_firmware_table(map, &mut |range| add(range, Access::ReadOnly));
        if !kept.is_empty() {
            add(kept, Access::ReadOnly);
        }
        for memory in map.memory() {
            for_each_hole(memory.pages_inside(), &[kept], &mut |range| {
                add(range, Access::ReadWrite);
            });
        }
        result
    }
}

fn take(frames: &mut Frames, bytes: u64) -> Result<PhysRange, PlanError> {
    frames.allocate(bytes).ok_or(PlanError::NoMemory { bytes })
}

/// The pages of the module, which must lie in memory.
fn module_pages(facts: &Facts<'_>) -> Result<PhysRange, PlanError> {
    let pages = facts
        .module
        .pages_around()
        .filter(|&pages| facts.map.is_memory(pages));
    pages.ok_or(PlanError::ModuleOutsideMemory {
        module: facts.module,
    })
}

/// The run of memory that frames are taken from, where the loader can write.
fn run_for_frames(facts: &Facts<'_>, module: PhysRange) -> Result<PhysRange, PlanError> {
    let within = PhysRange::between(WRITABLE_FROM, REACH);
    let [code, data] = facts.loader;
    let hole = facts
        .map
        .largest_hole(within, &[code, data, module, facts.command_line]);
    hole.ok_or(PlanError::NoMemory { bytes: PAGE })
}

fn stack_len(config: &BootloaderConfig) -> Result<u64, ConfigError> {
    let bytes = config.kernel_stack_size;
    let len = bytes
        .checked_next_multiple_of(PAGE)
        .filter(|&len| len > 0 && len < REACH);
    len.ok_or(ConfigError::StackSize { bytes })
}

/// The places of the stack with its guard, `BootInfo`, the command line and physical memory.
fn places(facts: &Facts<'_>, stack_len: u64) -> Result<[VirtRange; 4], PlanError> {
    let mappings = &facts.config.mappings;
    let mut space = AddressSpace::new(mappings, facts.kernel.image());
    let top = facts
        .map
        .memory()
        .map(|memory| memory.end())
        .max()
        .unwrap_or(0);
    let mut physical_end = top;
    for_each_firmware_table(facts.map, &mut |range| {
        physical_end = physical_end.max(range.end())
    });
    let physical_len = mappings
        .physical_memory
        .map_or(0, |_| physical_end.next_multiple_of(PAGE));
    let page = |wish, len: u64| Wish {
        wish,
        len: len.next_multiple_of(PAGE),
        align: PAGE,
    };
    space.place([
        page(mappings.kernel_stack, stack_len + PAGE),
        page(mappings.boot_info, BOOT_INFO_LEN),
        page(mappings.ramdisk_memory, facts.command_line.len()),
        Wish {
            wish: mappings.physical_memory.unwrap_or_default(),
            len: physical_len,
            align: PHYSICAL_ALIGN,
        },
    ])
}

/// Visits what may hold tables of the firmware: the pages around it, without those of memory.
fn for_each_firmware_table(map: &MemoryMap, visit: &mut impl FnMut(PhysRange)) {
    let mut floor = 0;
    let mut below = None;
    for entry in map.entries() {
        let next_to_memory = below == Some(entry.range.start());
        let wanted = match entry.kind {
            Kind::AcpiTables | Kind::AcpiStorage => true,
            Kind::Reserved => next_to_memory || entry.range.end() <= LOW_MEMORY_END,
            Kind::Memory | Kind::Other(_) => false,
        };
        if entry.kind == Kind::Memory {
            below = Some(entry.range.end());
            floor = entry.range.pages_inside().end().max(floor);
        } else if wanted && let Some(pages) = entry.range.pages_around() {
            let range = PhysRange::between(pages.start().max(floor), pages.end());
            floor = range.end().max(floor);
            visit(range);
        }
    }
}
