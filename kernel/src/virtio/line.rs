//! Interrupt lines of virtio devices: which registers quieten which line.
//!
//! A device holds its line up until the driver writes back what it read from `InterruptStatus`
//! (Virtio 1.2, "4.2.2 MMIO Device Register Layout"). That must happen in the interrupt handler,
//! which may have interrupted the very driver that owns the transport; hence a table of atomics
//! beside the transports, and no lock.
//!
//! Invariant: a slot's registers are written before its interrupt number, once, and never change.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Offset of the read-only register that says why the line is up.
const INTERRUPT_STATUS: usize = 0x60;
/// Offset of the write-only register that takes the reasons back.
const INTERRUPT_ACK: usize = 0x64;
/// More windows than any machine of ours has; QEMU's `microvm` has 8 or 24.
const LINES: usize = 32;
/// Marks a slot that is not in use. No I/O APIC has that many inputs.
const NO_INTERRUPT: u32 = u32::MAX;

struct Line {
    gsi: AtomicU32,
    registers: AtomicPtr<u8>,
}

static TABLE: [Line; LINES] = [const {
    Line {
        gsi: AtomicU32::new(NO_INTERRUPT),
        registers: AtomicPtr::new(ptr::null_mut()),
    }
}; LINES];

/// Notes that the device with these registers raises `gsi`.
///
/// Called while devices are probed, by one CPU. Windows beyond the table's size are reported; their
/// drivers have to poll.
pub(super) fn remember(gsi: u32, registers: NonNull<u8>) {
    let free = TABLE
        .iter()
        .find(|line| line.gsi.load(Ordering::Relaxed) == NO_INTERRUPT);
    let Some(line) = free else {
        log::warn!("more than {LINES} virtio devices: interrupt {gsi} is not served");
        return;
    };
    line.registers.store(registers.as_ptr(), Ordering::Relaxed);
    // Release: whoever finds the interrupt number also finds the registers.
    line.gsi.store(gsi, Ordering::Release);
}

/// Quietens every device on this line; `true` if one of them had something to say.
///
/// Takes no lock and allocates nothing, for use in interrupt handlers.
pub fn acknowledge(gsi: u32) -> bool {
    let mut raised = false;
    for line in &TABLE {
        match line.gsi.load(Ordering::Acquire) {
            NO_INTERRUPT => break,
            other if other == gsi => raised |= quieten(line.registers.load(Ordering::Relaxed)),
            _ => {}
        }
    }
    raised
}

/// Reads why the line is up and writes it back.
fn quieten(registers: *mut u8) -> bool {
    // SAFETY: `remember` stored the start of a mapped window of at least 256 bytes, which is never
    // unmapped; the register lies inside it, and reading it has no side effect.
    let status = unsafe {
        registers
            .add(INTERRUPT_STATUS)
            .cast::<u32>()
            .read_volatile()
    };
    if status == 0 {
        return false;
    }
    // SAFETY: as above; the register takes exactly the bits that were read, and no one else writes
    // it (the drivers leave `ack_interrupt` alone).
    unsafe {
        registers
            .add(INTERRUPT_ACK)
            .cast::<u32>()
            .write_volatile(status)
    };
    true
}
