//! How the machine is left.
//!
//! [`off`] is a clean power-off through ACPI; [`exit`] tells QEMU's `isa-debug-exit` device a code
//! of its own, see `luge_boot_info::exit`.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use x86_64::instructions::hlt;
use x86_64::instructions::port::PortWriteOnly;

use super::serial;

/// The port of `isa-debug-exit`, as `qemu-run.sh` places it.
const DEBUG_EXIT_PORT: u16 = 0xf4;

/// SLP_TYP of S5 on QEMU's generic event device, and SLP_EN. ACPI 6.4, "Sleep Control Register".
const SLEEP_TYPE_S5: u8 = 5;
const SLEEP_ENABLE: u8 = 1 << 5;

/// The virtual address of the sleep control register; 0 while it is not known.
static SLEEP_CONTROL: AtomicU64 = AtomicU64::new(0);

/// Remembers where the sleep control register is mapped.
///
/// # Safety
/// `register` must point to the mapped, uncached ACPI sleep control register, and stay mapped.
pub unsafe fn set_sleep_control(register: *mut u8) {
    SLEEP_CONTROL.store(register as u64, Relaxed);
}

/// Powers the machine off. Without ACPI it stops the CPU and says so.
pub fn off() -> ! {
    log::info!("power off");
    let register = SLEEP_CONTROL.load(Relaxed) as *mut u8;
    if register.is_null() {
        log::error!("power-off: no ACPI sleep control register; halting instead");
    }
    serial::flush();
    if !register.is_null() {
        // SAFETY: `set_sleep_control`'s caller promised a mapped device register.
        unsafe { register.write_volatile((SLEEP_TYPE_S5 << 2) | SLEEP_ENABLE) };
    }
    halt()
}

/// The port of `pvpanic`, by which QEMU learns that the machine is at its end, and the bit that says so. QEMU,
/// "PVPANIC DEVICE".
const PVPANIC_PORT: u16 = 0x505;
const PANICKED: u8 = 1 << 0;
/// How long QEMU is given to stop the processor after that, in turns of a loop.
const GRACE: u32 = 10_000;

/// Says that the machine is at its end. Where QEMU has the device (`qemu-run.sh --core`), it stops the machine
/// here, keeps its memory, and lets it go on; elsewhere nothing happens.
#[inline(never)]
pub fn announce_end() {
    // SAFETY: the write stops the machine for a while or, without the device, goes nowhere.
    unsafe { PortWriteOnly::<u8>::new(PVPANIC_PORT).write(PANICKED) };
    // QEMU stops the processor soon, and not at once.
    for _ in 0..GRACE {
        core::hint::spin_loop();
    }
}

/// Leaves with a code: QEMU ends with status `2 * code + 1`.
pub fn exit(code: u8) -> ! {
    serial::flush();
    // SAFETY: the write either ends the machine or, without the device, goes nowhere.
    unsafe { PortWriteOnly::<u32>::new(DEBUG_EXIT_PORT).write(u32::from(code)) };
    halt()
}

fn halt() -> ! {
    x86_64::instructions::interrupts::disable();
    loop {
        hlt();
    }
}
