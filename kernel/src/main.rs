//! Luge: WebAssembly functions on bare x86_64.
//!
//! What comes up, in order. Each step needs those above it; the last never returns.

#![no_std]
#![no_main]
#![feature(alloc_error_handler)]
// A kernel with the interpreter alone is for comparison; it has no use for native code's memory.
#![cfg_attr(not(feature = "wasmtime"), allow(dead_code))]

extern crate alloc;

mod arch;
mod batch;
mod bench;
#[cfg(feature = "scenarios")]
mod conformance;
mod disk;
mod engine;
mod functions;
mod http;
mod mm;
mod net;
mod observe;
mod replay;
mod reseed;
mod sandbox;
#[cfg(feature = "scenarios")]
mod scenario;
mod sched;
mod virtio;
mod wasi;

use bootloader_api::config::{BootloaderConfig, Mapping};
use bootloader_api::{BootInfo, entry_point};
use log::{error, info, warn};
use luge_boot_info::exit::ExitCode;
use luge_sched::Settings;
use luge_spec::command_line::{self, Options};

use arch::time::earlier;
use arch::{
    acpi, apic, cpu, gdt, interrupts, paging, per_cpu, power, random, serial, time, traps, watchdog,
};
use mm::{dma, frames, memories, stacks};
use observe::boot as stages;
use observe::{debugger, dropped, last_words, logger, memory_report};
use sched::Hooks;

/// What the kernel asks of the loader.
static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::Dynamic);
    config.kernel_stack_size = 256 << 10;
    config
};

entry_point!(kernel_main, config = &CONFIG);

/// The kernel's first line of Rust.
fn kernel_main(boot: &'static mut BootInfo) -> ! {
    stages::begin();
    start_cpu();
    stages::ended("cpu");
    start_memory(boot);
    stages::ended("memory");
    start_faults();
    stages::ended("faults");
    let options = read_command_line(boot);
    start_clocks(boot);
    stages::ended("clocks");
    start_sandboxes(&options);
    stages::ended("sandboxes");
    start_devices(&options);
    stages::ended("devices");
    start_functions(&options);
    stages::ended("functions");
    dropped::start();
    play_scenario(&options);
    let poll = start_serving(&options);
    if options.bench {
        bench::all();
        power::off()
    }
    match functions::loading::progress() {
        (0, _) => info!("ready"),
        (left, _) => info!("ready; modules still to be made: {left}"),
    }
    sched::run_forever(Hooks {
        poll,
        run: sandbox::run,
        wake: sandbox::wake,
        idle: if options.memory_report {
            memory_report::when_changed
        } else {
            || ()
        },
    })
}

fn start_cpu() {
    per_cpu::install(0);
    cpu::enable();
    serial::init();
    time::init();
    logger::init();
    info!("Luge {} on x86_64", env!("CARGO_PKG_VERSION"));
}

fn start_memory(boot: &BootInfo) {
    let offset = boot
        .physical_memory_offset
        .into_option()
        .expect("the loader maps physical memory, as the kernel's configuration asks");
    // SAFETY: the loader says so, and the kernel has nothing in the lower half.
    unsafe { paging::init(offset) };
    frames::init(&boot.memory_regions);
    let (free, _) = frames::counts();
    info!("memory: {} MiB free", free * 4 / 1024);
}

/// From here on every fault has a stack to arrive on.
fn start_faults() {
    traps::on_kernel_fault(last_words::on_kernel_fault);
    traps::on_page_missing(memories::on_page_missing);
    let tops = [(); gdt::FAULT_STACKS].map(|()| {
        let top = stacks::take_for_good(FAULT_STACK_BYTES).expect("there is memory at boot");
        x86_64::VirtAddr::new(top)
    });
    gdt::init(&tops);
    interrupts::init();
}

/// Fault handlers format text when the kernel ends, which takes a few KiB.
const FAULT_STACK_BYTES: u64 = 32 << 10;

/// The loader passes the command line as the boot information's RAM disk.
fn read_command_line(boot: &BootInfo) -> Options {
    let bytes = match boot.ramdisk_addr.into_option() {
        // SAFETY: the loader maps the RAM disk there, and nobody writes to it.
        Some(address) if boot.ramdisk_len > 0 => unsafe {
            core::slice::from_raw_parts(address as *const u8, boot.ramdisk_len as usize)
        },
        _ => &[],
    };
    let text = alloc::string::String::from_utf8_lossy(bytes);
    let (options, warnings) = command_line::parse(&text);
    logger::set_format(options.log_format);
    logger::set_levels(options.log, options.log_modules.clone());
    if options.log_all_ends {
        sandbox::logged::log_all_ends();
    }
    for warning in warnings {
        warn!("{warning}");
    }
    options
}

fn start_clocks(boot: &BootInfo) {
    let platform = acpi::discover(boot.rsdp_addr.into_option(), dma::map_mmio);
    let local = dma::map_mmio(platform.local_apic, 4096).as_ptr();
    let (io_address, first_gsi) = platform.io_apic;
    let io = apic::IoApic {
        registers: dma::map_mmio(io_address, 4096).as_ptr(),
        first_gsi,
    };
    // SAFETY: the tables, or the PC's custom, say that these pages are the controllers' registers.
    unsafe { apic::init(local, io) };
    if let Some(register) = platform.sleep_control {
        // SAFETY: the tables say that this is the register; the mapping stays.
        unsafe { power::set_sleep_control(dma::map_mmio(register, 1).as_ptr()) };
    }
    let rates = time::calibrate();
    let kind = if apic::uses_tsc_deadline() {
        "TSC deadline"
    } else {
        "one-shot count"
    };
    info!(
        "clock: TSC {} MHz, timer {} MHz ({kind})",
        rates.tsc_hz / 1_000_000,
        rates.timer_hz / 1_000_000
    );
    random::init();
}

fn start_sandboxes(options: &Options) {
    sandbox::init();
    debugger::start(options.sched);
    let settings = Settings {
        policy: options.sched,
        is_preemptive: options.preempt,
        quantum_ns: u64::from(options.quantum_us) * 1_000,
    };
    sched::start(settings, options.admission);
}

/// Looks for devices where the command line says that they may be.
fn start_devices(options: &Options) {
    let windows = options.virtio_mmio.iter().map(|window| virtio::Window {
        base: window.base,
        size: window.size as usize,
        gsi: window.gsi,
    });
    virtio::probe(windows);
    reseed::start();
}

/// Finds the functions of the disk, unless a scenario has another use for it.
fn start_functions(options: &Options) {
    #[cfg(feature = "scenarios")]
    scenario::before_the_disk(options.scenario.as_deref());
    #[cfg(feature = "scenarios")]
    if options
        .scenario
        .as_deref()
        .is_some_and(scenario::has_the_disk)
    {
        return;
    }
    functions::start(options);
}

/// Starts what the dispatcher polls: the batch, the replay, or the server. Without a network the machine ends: an idle
/// kernel serves nobody.
fn start_serving(options: &Options) -> fn(time::Instant) -> Option<time::Instant> {
    if options.batch {
        return |now| {
            let next = earlier(batch::poll(now), dropped::poll(now));
            earlier(next, time::poll(now))
        };
    }
    if options.replay {
        return replay::poll;
    }
    let ports = functions::table().ports();
    if let Err(reason) = http::start(options, &ports, time::Instant::now()) {
        error!("nothing can be served: {reason}");
        power::exit(ExitCode::DeviceFailed.value());
    }
    if options.watchdog {
        watchdog::start();
    }
    |now| {
        let next = functions::loading::poll(now);
        let next = earlier(next, http::poll(now, &functions::table()));
        let next = earlier(next, dropped::poll(now));
        let next = earlier(next, reseed::poll(now));
        let next = earlier(next, watchdog::feed(now));
        earlier(next, time::poll(now))
    }
}

fn play_scenario(options: &Options) {
    let Some(name) = &options.scenario else {
        return;
    };
    functions::loading::finish();
    #[cfg(feature = "scenarios")]
    if scenario::at_boot(name) {
        return;
    }
    warn!("no scenario \"{name}\" in this kernel");
}
