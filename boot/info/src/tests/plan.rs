//! Plans, seen through the page tables that they lead to.

use std::vec::Vec;

use bootloader_api::BootloaderConfig;
use bootloader_api::config::Mapping as Wish;
use x86_64::PhysAddr;

use crate::config::ConfigError;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::kernel::{HIGHER_HALF, Kernel};
use crate::memory_map::MemoryMap;
use crate::paging::{LargestPage, TableMemory, map};
use crate::plan::{BOOT_INFO_LEN, Facts, Plan, PlanError};
use crate::range::{PAGE, PhysRange};
use crate::start_info::WRITABLE_FROM;
use crate::tests::sample::{self, BASE, LOADER, TestTables};

const COMMAND_LINE: PhysRange = PhysRange::between(0x1234, 0x1254);

/// The plan for the sample kernel with `config` on a machine with `memory`.
fn plan_on(memory: &MemoryMap, config: &BootloaderConfig) -> Result<Plan, Failure> {
    let file = sample::kernel_with(config);
    let kernel = Kernel::read(&file).expect("the sample is whole");
    Plan::make(&Facts {
        kernel: &kernel,
        config,
        map: memory,
        module: sample::module(file.len()),
        loader: LOADER,
        command_line: COMMAND_LINE,
    })
}

fn plan(config: &BootloaderConfig) -> Result<Plan, Failure> {
    plan_on(&sample::map(), config)
}

/// The plan for a kernel with the sample's configuration that fits.
fn plan_of(file: &[u8], module: PhysRange, command_line: PhysRange) -> Plan {
    let kernel = Kernel::read(file).expect("the sample is whole");
    let facts = Facts {
        kernel: &kernel,
        config: &sample::config(),
        map: &sample::map(),
        module,
        loader: LOADER,
        command_line,
    };
    Plan::make(&facts).expect("the sample fits")
}

fn tables(plan: &Plan) -> (TestTables, PhysAddr) {
    let mut tables = TestTables::default();
    let root = tables.allocate().expect("there is no limit");
    for mapping in &plan.mappings {
        map(&mut tables, root, mapping, LargestPage::Gib1).expect("a plan has no conflicts");
    }
    (tables, root)
}

fn sample_plan() -> Plan {
    plan(&sample::config()).expect("the sample fits")
}

fn with(change: impl FnOnce(&mut BootloaderConfig)) -> BootloaderConfig {
    let mut config = sample::config();
    change(&mut config);
    config
}

#[test]
fn every_segment_is_where_it_is_linked_with_its_own_rights() {
    let (mut tables, root) = tables(&sample_plan());
    let rights = |tables: &mut sample::TestTables, address| {
        tables
            .leaf(root, address)
            .map(|leaf| (leaf.is_writable(), leaf.is_executable()))
    };
    assert_eq!(rights(&mut tables, BASE), Some((false, false)));
    assert_eq!(rights(&mut tables, BASE + 0x1000), Some((false, true)));
    for page in [0x2000, 0x3000, 0x4000] {
        assert_eq!(rights(&mut tables, BASE + page), Some((true, false)));
    }
    assert_eq!(rights(&mut tables, BASE + 0x5000), None);
}

#[test]
fn code_stays_in_the_module_and_data_is_copied() {
    let plan = sample_plan();
    let module = sample::module(sample::kernel().len());
    let (mut tables, root) = tables(&plan);
    let code = tables.leaf(root, BASE + 0x1000).expect("mapped");
    assert_eq!(code.phys, module.start() + 0x2000);
    let [data] = &plan.copies[..] else {
        panic!("one segment is writable")
    };
    assert_eq!(
        (data.file.clone(), data.offset, data.frames.len()),
        (0x3010..0x3410, 0x10, 0x3000)
    );
    let mapped = tables.leaf(root, BASE + 0x2000).expect("mapped");
    assert_eq!(mapped.phys, data.frames.start());
    assert!(!data.frames.overlaps(&module));
}

/// Debugging information is several times as long as what runs.
#[test]
fn what_no_segment_needs_of_the_module_is_free_for_the_kernel() {
    let mut file = sample::kernel();
    let segments = file.len();
    file.resize(segments + 0x10_0000, 0xdb);
    let module = sample::module(file.len());
    let plan = plan_of(&file, module, COMMAND_LINE);
    let kept = plan.kept();
    assert_eq!(kept.start(), module.start());
    assert!(kept.end() <= module.start() + segments.next_multiple_of(0x1000) as u64);
    let (mut tables, root) = tables(&plan);
    let code = tables.leaf(root, BASE + 0x1000).expect("mapped");
    assert!(kept.overlaps(&code.frames()), "what runs is not free");
    let offset = plan.physical_memory_offset.expect("asked for");
    let is_writable = |tables: &mut sample::TestTables, address: u64| {
        let leaf = tables
            .leaf(root, offset + address)
            .expect("memory is mapped");
        leaf.is_writable()
    };
    assert!(!is_writable(&mut tables, kept.end() - 1));
    assert!(is_writable(&mut tables, kept.end()));
    assert!(is_writable(&mut tables, module.end() - 1));
    let taken = plan.taken();
    assert!(taken.contains(&kept));
    assert!(
        taken
            .iter()
            .all(|range| !range.overlaps(&PhysRange::between(kept.end(), module.end())))
    );
}

#[test]
fn a_read_only_segment_with_zeros_behind_its_bytes_is_copied() {
    let mut file = sample::kernel();
    let memory_len = sample::PROGRAM_HEADERS + 40;
    sample::put(&mut file, memory_len, &0x900_u64.to_le_bytes());
    let plan = plan_of(&file, sample::module(file.len()), COMMAND_LINE);
    assert_eq!(plan.copies[0].file, 0x1000..0x1800);
}

#[test]
fn a_module_that_is_not_page_aligned_is_copied_whole() {
    let file = sample::kernel();
    let module = PhysRange::new(0x400_0010, file.len() as u64).expect("small");
    assert_eq!(plan_of(&file, module, COMMAND_LINE).copies.len(), 3);
}

#[test]
fn no_frame_is_writable_here_and_executable_there() {
    let (mut tables, root) = tables(&sample_plan());
    let leaves = tables.leaves(root);
    let code: Vec<_> = leaves.iter().filter(|leaf| leaf.is_executable()).collect();
    assert_eq!(code.len(), 1);
    for leaf in leaves.iter().filter(|leaf| leaf.is_writable()) {
        assert!(!leaf.is_executable());
        assert!(
            code.iter()
                .all(|code| !code.frames().overlaps(&leaf.frames()))
        );
    }
}

#[test]
fn nothing_is_mapped_in_the_lower_half() {
    let (mut tables, root) = tables(&sample_plan());
    assert!(
        tables
            .leaves(root)
            .iter()
            .all(|leaf| leaf.virt >= HIGHER_HALF)
    );
}

#[test]
fn the_stack_is_whole_and_the_page_below_it_is_not_mapped() {
    let plan = sample_plan();
    let (mut tables, root) = tables(&plan);
    let stack = plan.stack.virt;
    assert_eq!(stack.len(), 64 * 1024);
    for page in (stack.start()..stack.end()).step_by(PAGE as usize) {
        assert!(
            tables
                .leaf(root, page)
                .is_some_and(|leaf| leaf.is_writable())
        );
    }
    assert!(tables.leaf(root, stack.start() - 1).is_none());
    assert!(tables.leaf(root, stack.start() - PAGE).is_none());
}

#[test]
fn all_memory_is_mapped_at_the_offset_and_devices_are_not() {
    let plan = sample_plan();
    let offset = plan.physical_memory_offset.expect("asked for");
    let (mut tables, root) = tables(&plan);
    let mut writable = |phys| {
        tables
            .leaf(root, offset + phys)
            .map(|leaf| leaf.is_writable())
    };
    for memory in [0, 0x9_e000, 0x10_0000, 0x40_0000, 0x7ff_b000] {
        assert_eq!(writable(memory), Some(true), "{memory:#x}");
    }
    for firmware in [0x9_fc00, 0xe_0000, 0xf_34d0] {
        assert_eq!(writable(firmware), Some(false), "{firmware:#x}");
    }
    for device in [0xa_0000, 0xfeb0_0000, 0xfffc_0000] {
        assert_eq!(writable(device), None, "{device:#x}");
    }
}

#[test]
fn memory_is_mapped_with_few_tables() {
    let plan = sample_plan();
    let (tables, _) = tables(&plan);
    assert!(tables.count() <= 12, "{} tables", tables.count());
}

#[test]
fn a_kernel_that_does_not_ask_for_physical_memory_gets_none() {
    let config = with(|config| config.mappings.physical_memory = None);
    let plan = plan(&config).expect("fits");
    assert_eq!(plan.physical_memory_offset, None);
    assert!(
        plan.mappings
            .iter()
            .all(|mapping| mapping.phys.start() != 0)
    );
}

#[test]
fn fixed_addresses_are_honoured() {
    let at = |offset: u64| Wish::FixedAddress(0xffff_a000_0000_0000 + offset);
    let config = with(|config| {
        config.mappings.kernel_stack = at(0);
        config.mappings.boot_info = at(0x100_0000);
        config.mappings.ramdisk_memory = at(0x200_0000);
        config.mappings.physical_memory = Some(at(1 << 40));
    });
    let plan = plan(&config).expect("fits");
    // The first page of the stack's place is its guard.
    assert_eq!(plan.stack.virt.start(), 0xffff_a000_0000_1000);
    assert_eq!(plan.boot_info.virt.start(), 0xffff_a000_0100_0000);
    assert_eq!(plan.command_line.virt.start(), 0xffff_a000_0200_0000);
    assert_eq!(plan.physical_memory_offset, Some(0xffff_a100_0000_0000));
}

#[test]
fn dynamic_addresses_stay_in_the_dynamic_range() {
    let (start, end) = (0xffff_c000_0000_0000, 0xffff_c001_0000_0000);
    let config = with(|config| {
        config.mappings.dynamic_range_start = Some(start);
        config.mappings.dynamic_range_end = Some(end);
    });
    let plan = plan(&config).expect("fits");
    let offset = plan.physical_memory_offset.expect("asked for");
    for address in [plan.stack.virt.start(), plan.boot_info.virt.start(), offset] {
        assert!((start..end).contains(&address), "{address:#x}");
    }
}

#[test]
fn areas_next_to_each_other_have_an_unmapped_page_between_them() {
    let plan = sample_plan();
    let (mut tables, root) = tables(&plan);
    for area in [plan.stack, plan.boot_info, plan.command_line] {
        assert!(tables.leaf(root, area.virt.end()).is_none());
        assert!(tables.leaf(root, area.virt.start() - 1).is_none());
    }
}

#[test]
fn an_empty_command_line_takes_no_page() {
    let file = sample::kernel();
    let nothing = PhysRange::between(0x1234, 0x1234);
    let plan = plan_of(&file, sample::module(file.len()), nothing);
    assert!(plan.command_line.frames.is_empty());
}

#[test]
fn frames_come_from_memory_that_nobody_has() {
    let plan = sample_plan();
    let used = plan.frames.used();
    assert!(sample::map().is_memory(used));
    assert!(used.start() >= WRITABLE_FROM);
    let module = sample::module(sample::kernel().len());
    for taken in [LOADER[0], LOADER[1], module, COMMAND_LINE] {
        assert!(!used.overlaps(&taken));
    }
    assert!(plan.taken().contains(&used));
    assert!(plan.boot_info.frames.len() == BOOT_INFO_LEN);
}

#[test]
fn a_kernel_that_is_too_large_for_memory_is_refused() {
    let config = with(|config| config.kernel_stack_size = 1 << 30);
    let failure = plan(&config).unwrap_err();
    assert_eq!(failure, PlanError::NoMemory { bytes: 1 << 30 }.into());
    assert_eq!(failure.exit_code(), ExitCode::NoMemory);
}

#[test]
fn a_module_outside_memory_is_refused() {
    let map = MemoryMap::read(&sample::records(&[(0, 0x40_0000, 1)])).expect("whole");
    let failure = plan_on(&map, &sample::config()).unwrap_err();
    let module = sample::module(sample::kernel().len());
    assert_eq!(failure, PlanError::ModuleOutsideMemory { module }.into());
    assert_eq!(failure.exit_code(), ExitCode::BadStartInfo);
}

#[test]
fn a_stack_that_cannot_be_is_refused() {
    for bytes in [0, u64::MAX, 1 << 40] {
        let failure = plan(&with(|config| config.kernel_stack_size = bytes)).unwrap_err();
        assert_eq!(failure, ConfigError::StackSize { bytes }.into());
        assert_eq!(failure.exit_code(), ExitCode::BadKernel);
    }
}

#[test]
fn a_fixed_address_that_is_odd_or_low_or_too_high_is_refused() {
    for address in [0x1000, 0xffff_a000_0000_0001, 0xffff_ffff_ffff_f000] {
        let wish = Wish::FixedAddress(address);
        let failure = plan(&with(|config| config.mappings.boot_info = wish)).unwrap_err();
        assert_eq!(failure, PlanError::BadAddress { address }.into());
    }
}

#[test]
fn a_fixed_address_that_is_taken_is_refused() {
    let address = BASE + 0x1000;
    let wish = Wish::FixedAddress(address);
    let failure = plan(&with(|config| config.mappings.boot_info = wish)).unwrap_err();
    assert_eq!(failure, PlanError::AddressTaken { address }.into());
    assert_eq!(failure.exit_code(), ExitCode::BadKernel);
}

#[test]
fn a_dynamic_range_that_is_too_small_is_refused() {
    let config = with(|config| {
        config.mappings.dynamic_range_start = Some(0xffff_c000_0000_0000);
        config.mappings.dynamic_range_end = Some(0xffff_c000_0000_4000);
    });
    let len = 64 * 1024 + PAGE;
    assert_eq!(
        plan(&config).unwrap_err(),
        PlanError::NoAddress { len }.into()
    );
}
